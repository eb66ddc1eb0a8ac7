use actix_web::{
    HttpResponse,
    http::header::{CONTENT_SECURITY_POLICY, ContentType},
};

use crate::kit::{Answer, Call, Routes};

const PAGE: &str = include_str!("index.html");
const POLICY: &str = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; \
                      base-uri 'none'; form-action 'self'";

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_index, index);
}

/// The front page: what this server is, and where to go on.
#[utoipa::path(get, path = "/", tag = "pages",
    responses((status = 200, description = "A page.", content_type = "text/html")))]
async fn index(_call: Call) -> Answer {
    Ok(HttpResponse::Ok()
        .content_type(ContentType::html())
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .body(PAGE))
}
