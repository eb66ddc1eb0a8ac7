use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, ContentType},
};

use crate::kit::{Answer, Call, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_jwks, jwks);
}

/// The public keys that verify this server's tokens (RFC 7517 §5). A new key stands here for one
/// cache lifetime before it signs.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "operations",
    responses((status = 200, description = "The JWK Set.", content_type = "application/json",
        body = serde_json::Value)))]
async fn jwks(call: Call) -> Answer {
    Ok(HttpResponse::Ok()
        .content_type(ContentType::json())
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .body(call.engine().jwks()))
}
