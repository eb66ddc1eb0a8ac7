use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, ContentType},
};

use crate::kit::{Answer, Call, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_openapi, openapi);
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "operations",
    responses((status = 200, description = "OpenAPI 3.1.", content_type = "application/json",
        body = serde_json::Value)))]
async fn openapi(call: Call) -> Answer {
    Ok(HttpResponse::Ok()
        .content_type(ContentType::json())
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .body(call.openapi().to_owned()))
}
