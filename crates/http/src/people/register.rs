use actix_web::HttpResponse;
use portcullis_flows::{LimitClass, people::Register};
use serde::Deserialize;
use utoipa::ToSchema;

use super::body::{PeopleError, SignedInBody};
use crate::kit::{Answer, Call, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_register, register);
}

/// A new account.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct RegisterBody {
    /// One address, at most 254 bytes.
    #[schema(example = "jane@example.com")]
    email: String,
    /// By default 8 to 128 characters, taken exactly as sent.
    #[schema(example = "SecureP@ssw0rd!")]
    password: String,
    /// 1 to 80 characters.
    #[schema(example = "Jane Smith", max_length = 80)]
    display_name: Option<String>,
    /// `inv_…`; needed where registration is by invitation, and lets an address of any domain in.
    invite_token: Option<String>,
}

/// Makes an account and signs its owner in. By default 3 an hour from one client address.
#[utoipa::path(post, path = "/v1/auth/register", tag = "people", request_body = RegisterBody,
    responses(
        (status = 201, description = "The account and its first tokens.", body = SignedInBody),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 401, description = "`invalid_token`: the invitation is unknown, expired, used or \
            for another address.", body = PeopleError),
        (status = 403, description = "`forbidden`: registration is closed, or not open to the \
            address's domain.", body = PeopleError),
        (status = 409, description = "`conflict`: the address has an account.", body = PeopleError),
        (status = 413, description = "`payload_too_large`", body = PeopleError),
        (status = 415, description = "`unsupported_media_type`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn register(mut call: Call) -> Answer {
    call.limit(LimitClass::Register).await?;
    let mut body = call.json(&["email", "password", "display_name", "invite_token"]).await?;
    let input = Register {
        email: body.string("email"),
        password: body.secret("password"),
        display_name: body.string("display_name"),
        invitation: body.secret("invite_token"),
    };
    let registration = call.engine().check_registration(input).map_err(Refusal::of)?;
    let signed_in = call
        .hashing(move |engine, origin| engine.register(registration, origin).map_err(Refusal::of))
        .await?;
    Ok(HttpResponse::Created().json(SignedInBody::from(signed_in)))
}
