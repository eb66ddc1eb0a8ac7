use actix_web::HttpResponse;
use portcullis_email::RequestKind;
use portcullis_flows::{LimitClass, people::ResetPassword};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    body::{MessageBody, PeopleError},
    verify_email::{AddressBody, ask_for_mail},
};
use crate::kit::{Answer, Call, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_request_reset, request_reset);
    routes.add(__path_confirm_reset, confirm_reset);
}

/// A token that was mailed, and a new password.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct ConfirmResetBody {
    /// `rst_…`, as it was mailed.
    token: String,
    /// By default 8 to 128 characters, taken exactly as sent.
    #[schema(example = "SecureP@ssw0rd!")]
    password: String,
}

/// Mails a token to set a new password; older ones die. Answers the same for every address, whether a
/// mail goes out or not. By default 10 an hour from one client address.
#[utoipa::path(post, path = "/v1/auth/password/reset", tag = "people", request_body = AddressBody,
    responses(
        (status = 202, description = "Taken note of.", body = MessageBody),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 413, description = "`payload_too_large`", body = PeopleError),
        (status = 415, description = "`unsupported_media_type`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn request_reset(call: Call) -> Answer {
    call.limit(LimitClass::PasswordReset).await?;
    let message = "If there is an account with this email, a mail is on its way.";
    ask_for_mail(call, RequestKind::Reset, message).await
}

/// Sets a password with the token mailed to the account's address, which is good once, for an hour.
/// Every session of the user ends.
#[utoipa::path(post, path = "/v1/auth/password/reset/confirm", tag = "people",
    request_body = ConfirmResetBody,
    responses(
        (status = 204, description = "The password is set."),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 401, description = "`invalid_token`: unknown, expired or used.", body = PeopleError),
        (status = 413, description = "`payload_too_large`", body = PeopleError),
        (status = 415, description = "`unsupported_media_type`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn confirm_reset(mut call: Call) -> Answer {
    call.limit(LimitClass::Anonymous).await?;
    let mut body = call.json(&["token", "password"]).await?;
    let input = ResetPassword { token: body.secret("token"), password: body.secret("password") };
    let reset = call.engine().check_reset(input).map_err(Refusal::of)?;
    call.hashing(move |engine, origin| engine.reset_password(reset, origin).map_err(Refusal::of))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
