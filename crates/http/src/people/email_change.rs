use actix_web::HttpResponse;
use portcullis_flows::people::{ChangeEmail, ConfirmEmail};
use serde::Deserialize;
use utoipa::ToSchema;

use super::body::{MessageBody, PeopleError, UserBody};
use crate::kit::{Answer, Call, JsonBody, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_change_email, change_email);
    routes.add(__path_confirm_email, confirm_email);
}

/// A new address, and the account's password.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct ChangeEmailBody {
    /// The address from then on.
    #[schema(example = "jane@example.com")]
    email: String,
    /// The account's password.
    password: String,
}

/// The code that proves a new address.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct ConfirmEmailBody {
    /// Six digits, as they were mailed.
    #[schema(example = "042137")]
    code: String,
}

/// Begins a change of the caller's address: a code goes to the new one, a notice to the old. The answer
/// is the same when the new one is taken. Counts like a sign-in.
#[utoipa::path(post, path = "/v1/users/me/email", tag = "people", request_body = ChangeEmailBody,
    security(("access_token" = [])),
    responses(
        (status = 202, description = "Taken note of.", body = MessageBody),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 401, description = "`unauthorized`, or `invalid_credentials`: the password is \
            wrong.", body = PeopleError),
        (status = 403, description = "`forbidden`: accounts have no addresses of this domain.",
            body = PeopleError),
        (status = 413, description = "`payload_too_large`", body = PeopleError),
        (status = 415, description = "`unsupported_media_type`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn change_email(mut call: Call) -> Answer {
    let (caller, change) = call
        .before_password(|engine, caller, bytes| {
            let mut body = JsonBody::parse(bytes, &["email", "password"])?;
            let input =
                ChangeEmail { email: body.string("email"), password: body.secret("password") };
            engine.check_email_change(caller, input).map_err(Refusal::of)
        })
        .await?;
    call.checking_password(move |engine, origin| engine.change_email(&caller, change, origin))
        .await?;
    let message = "A code is on its way to the new address.";
    Ok(HttpResponse::Accepted().json(MessageBody { message }))
}

/// Changes the caller's address with the code that went to the new one, in the session that asked for
/// it: within 15 minutes, with 5 tries.
#[utoipa::path(post, path = "/v1/users/me/email/confirm", tag = "people",
    request_body = ConfirmEmailBody,
    security(("access_token" = [])),
    responses(
        (status = 200, description = "The account as it is now.", body = UserBody),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 401, description = "`unauthorized`, or `invalid_token`: the code is wrong, expired, \
            was tried too often, or asked for in another session.", body = PeopleError),
        (status = 409, description = "`conflict`: the address was taken in the meantime.",
            body = PeopleError),
        (status = 413, description = "`payload_too_large`", body = PeopleError),
        (status = 415, description = "`unsupported_media_type`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn confirm_email(mut call: Call) -> Answer {
    let bytes = call.bytes_before_bearer().await?;
    let user = call
        .as_user(move |engine, caller, origin| {
            let mut body = JsonBody::parse(&bytes, &["code"])?;
            let input = ConfirmEmail { code: body.secret("code") };
            engine.confirm_email(&caller, input, origin).map_err(Refusal::of)
        })
        .await?;
    Ok(HttpResponse::Ok().json(UserBody::from(&user)))
}
