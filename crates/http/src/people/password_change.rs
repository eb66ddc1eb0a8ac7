use actix_web::HttpResponse;
use portcullis_flows::people::ChangePassword;
use serde::Deserialize;
use utoipa::ToSchema;

use super::body::PeopleError;
use crate::kit::{Answer, Call, JsonBody, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_change_password, change_password);
}

/// The password so far and the one from now on.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct ChangePasswordBody {
    /// The password so far.
    current_password: String,
    /// By default 8 to 128 characters, taken exactly as sent.
    #[schema(example = "SecureP@ssw0rd!")]
    new_password: String,
}

/// Changes the caller's password. Every other session ends, and the owner is told by mail. Counts like
/// a sign-in.
#[utoipa::path(post, path = "/v1/auth/password/change", tag = "people",
    request_body = ChangePasswordBody,
    security(("access_token" = [])),
    responses(
        (status = 204, description = "The password is changed."),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 401, description = "`unauthorized`, or `invalid_credentials`: the current password \
            is wrong.", body = PeopleError),
        (status = 413, description = "`payload_too_large`", body = PeopleError),
        (status = 415, description = "`unsupported_media_type`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn change_password(mut call: Call) -> Answer {
    let (caller, change) = call
        .before_password(|engine, caller, bytes| {
            let mut body = JsonBody::parse(bytes, &["current_password", "new_password"])?;
            let input = ChangePassword {
                current: body.secret("current_password"),
                new: body.secret("new_password"),
            };
            engine.check_password_change(caller, input).map_err(Refusal::of)
        })
        .await?;
    call.checking_password(move |engine, origin| engine.change_password(&caller, change, origin))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
