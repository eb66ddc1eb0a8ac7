use actix_web::HttpResponse;
use portcullis_credentials::MailedKind;
use portcullis_email::RequestKind;
use portcullis_flows::{LimitClass, mail::AddressInput, people::PresentToken};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{MessageBody, PeopleError, UserBody};
use crate::kit::{Answer, Call, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_verify_email, verify_email);
    routes.add(__path_resend_verification, resend_verification);
}

/// A token that was mailed.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct VerifyEmailBody {
    /// `uvt_…`, as it was mailed.
    token: String,
}

/// An address.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
pub(super) struct AddressBody {
    /// The address of the account.
    #[schema(example = "jane@example.com")]
    email: String,
}

/// The account whose address was proven.
#[derive(Serialize, ToSchema)]
struct VerifiedBody {
    user: UserBody,
}

/// Proves the address of an account with the token mailed to it, which is good once, for 24 hours. The
/// role `verified_user` shows in tokens from the next refresh or sign-in.
#[utoipa::path(post, path = "/v1/auth/verify-email", tag = "people", request_body = VerifyEmailBody,
    responses(
        (status = 200, description = "The account as it is now.", body = VerifiedBody),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 401, description = "`invalid_token`: unknown, expired or used.", body = PeopleError),
        (status = 413, description = "`payload_too_large`", body = PeopleError),
        (status = 415, description = "`unsupported_media_type`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn verify_email(mut call: Call) -> Answer {
    call.limit(LimitClass::Anonymous).await?;
    let mut body = call.json(&["token"]).await?;
    let input = PresentToken { token: body.secret("token") };
    let token = input.check(MailedKind::VerifyEmail).map_err(Refusal::of)?;
    let user = call
        .hop(move |engine, origin| engine.verify_email(&token, origin))
        .await?
        .map_err(Refusal::of)?;
    Ok(HttpResponse::Ok().json(VerifiedBody { user: UserBody::from(&user) }))
}

/// Mails a new token to an account that is still to be proven; older ones die. Answers the same for
/// every address, whether a mail goes out or not.
#[utoipa::path(post, path = "/v1/auth/verify-email/resend", tag = "people",
    request_body = AddressBody,
    responses(
        (status = 202, description = "Taken note of.", body = MessageBody),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 413, description = "`payload_too_large`", body = PeopleError),
        (status = 415, description = "`unsupported_media_type`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn resend_verification(call: Call) -> Answer {
    call.limit(LimitClass::Anonymous).await?;
    let message = "If an account with this email is still to be verified, a mail is on its way.";
    ask_for_mail(call, RequestKind::Verification, message).await
}

/// Asks for a mail to the address in the body.
pub(super) async fn ask_for_mail(
    mut call: Call,
    kind: RequestKind,
    message: &'static str,
) -> Answer {
    let mut body = call.json(&["email"]).await?;
    let input = AddressInput { email: body.string("email") };
    let ask = call.engine().check_ask_for_mail(kind, input).map_err(Refusal::of)?;
    call.hop(move |engine, origin| engine.ask_for_mail(&ask, origin))
        .await?
        .map_err(Refusal::of)?;
    Ok(HttpResponse::Accepted().json(MessageBody { message }))
}
