use actix_web::HttpResponse;
use portcullis_flows::{LimitClass, people::SignIn};
use serde::Deserialize;
use utoipa::ToSchema;

use super::body::{PeopleError, SignedInBody};
use crate::kit::{Answer, Call, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_login, login);
}

/// A sign-in.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct LoginBody {
    /// The address of the account.
    #[schema(example = "jane@example.com")]
    email: String,
    /// Its password.
    #[schema(example = "SecureP@ssw0rd!")]
    password: String,
}

/// Signs in. By default 5 in 15 minutes from one client address.
#[utoipa::path(post, path = "/v1/auth/login", tag = "people", request_body = LoginBody,
    responses(
        (status = 200, description = "The account and new tokens.", body = SignedInBody),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 401, description = "`invalid_credentials`", body = PeopleError),
        (status = 403, description = "`forbidden`: the account is suspended.", body = PeopleError),
        (status = 413, description = "`payload_too_large`", body = PeopleError),
        (status = 415, description = "`unsupported_media_type`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn login(mut call: Call) -> Answer {
    call.limit(LimitClass::SignIn).await?;
    let mut body = call.json(&["email", "password"]).await?;
    let input = SignIn { email: body.string("email"), password: body.secret("password") };
    let attempt = call.engine().check_sign_in(input).map_err(Refusal::of)?;
    let signed_in = call
        .hashing(move |engine, origin| {
            let signed_in = engine.sign_in(attempt, origin);
            signed_in.map_err(|error| Refusal::of_limited(error, engine.now()))
        })
        .await?;
    Ok(HttpResponse::Ok().json(SignedInBody::from(signed_in)))
}
