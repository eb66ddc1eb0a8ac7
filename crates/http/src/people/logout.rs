use actix_web::HttpResponse;
use portcullis_flows::people::SignOut;

use super::{body::PeopleError, refresh::RefreshTokenBody};
use crate::kit::{Answer, Call, JsonBody, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_logout, logout);
}

/// Ends the session of a refresh token, used or not, if it is the caller's own.
#[utoipa::path(post, path = "/v1/auth/logout", tag = "people", request_body = RefreshTokenBody,
    security(("access_token" = [])),
    responses(
        (status = 204, description = "The session is over, or the token was not the caller's."),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 413, description = "`payload_too_large`", body = PeopleError),
        (status = 415, description = "`unsupported_media_type`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn logout(mut call: Call) -> Answer {
    let bytes = call.bytes_before_bearer().await?;
    call.as_user(move |engine, caller, origin| {
        let mut body = JsonBody::parse(&bytes, &["refresh_token"])?;
        let input = SignOut { refresh_token: body.secret("refresh_token") };
        engine.sign_out(&caller, input, origin).map_err(Refusal::of)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
