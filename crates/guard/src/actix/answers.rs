use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpMessage as _, HttpRequest, HttpResponse, Resource, ResponseError,
    dev::Payload,
    http::{
        StatusCode,
        header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, ContentType},
    },
    web,
};

use crate::{Guard, Metadata, Principal, Refusal, Unguarded};

/// Serves the API's metadata (RFC 9728) at its path: `App::new().service(metadata(&guard))`.
pub fn metadata(guard: &Guard) -> Resource {
    let metadata = guard.metadata();
    let document = metadata.document().clone();
    let serve = move || {
        let document = document.clone();
        async move {
            HttpResponse::Ok()
                .content_type(ContentType::json())
                .insert_header((CACHE_CONTROL, Metadata::CACHE_CONTROL))
                .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
                .body(document)
        }
    };
    let resource = web::resource(metadata.path());
    resource.route(web::get().to(serve.clone())).route(web::head().to(serve))
}

/// A refusal as actix-web answers it.
pub(super) fn answer(refusal: &Refusal) -> HttpResponse {
    let mut response = HttpResponse::build(status(refusal));
    for (name, value) in refusal.headers() {
        response.append_header((name.as_str(), value.as_bytes()));
    }
    response.body(refusal.body().clone())
}

fn status(refusal: &Refusal) -> StatusCode {
    let status = StatusCode::from_u16(refusal.status().as_u16());
    status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl FromRequest for Principal {
    type Error = Unguarded;
    type Future = Ready<Result<Self, Unguarded>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get::<Self>().cloned().ok_or(Unguarded))
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        status(self)
    }

    fn error_response(&self) -> HttpResponse {
        answer(self)
    }
}

impl ResponseError for Unguarded {
    fn error_response(&self) -> HttpResponse {
        tracing::error!("{self}");
        HttpResponse::InternalServerError().finish()
    }
}
