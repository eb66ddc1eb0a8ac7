use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, ContentType},
};

use crate::kit::{Answer, Call, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_jwks, jwks);
}

/// The public keys that verify this server's tokens (RFC 7517 §5). A new key stands here for one
/// cache lifetime before it signs.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "operations",
    responses(
        (status = 200, description = "The JWK Set.", content_type = "application/json",
            body = serde_json::Value),
        (status = 503, description = "The first key is not made yet; try again shortly."),
    ))]
async fn jwks(call: Call) -> Answer {
    call.quiet();
    let keys = call.engine().jwks();
    // An empty set would be kept by caches until long after the first key is made.
    let keys = keys.ok_or_else(|| Refusal::unavailable("the first signing key is not made yet"))?;
    Ok(HttpResponse::Ok()
        .content_type(ContentType::json())
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .body(keys))
}
