use actix_web::HttpResponse;
use portcullis_flows::people::{DeleteAccount, Deletion, UpdateProfile};
use serde::Deserialize;
use utoipa::ToSchema;

use super::body::{MessageBody, PeopleError, UserBody};
use crate::kit::{Answer, Call, JsonBody, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_show, show);
    routes.add(__path_update, update);
    routes.add(__path_delete_account, delete_account);
}

/// A change of the profile.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct UpdateBody {
    /// 1 to 80 characters; `null` clears it, leaving it out keeps it.
    #[schema(example = "Jane Smith", max_length = 80)]
    display_name: Option<String>,
}

/// The password of the account that is to go.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct DeleteAccountBody {
    /// Needed when the account has one.
    password: Option<String>,
}

/// The caller's account.
#[utoipa::path(get, path = "/v1/users/me", tag = "people",
    security(("access_token" = [])),
    responses(
        (status = 200, description = "The account.", body = UserBody),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn show(call: Call) -> Answer {
    let user = call.as_user(|_, caller, _| Ok(caller.user)).await?;
    Ok(HttpResponse::Ok().json(UserBody::from(&user)))
}

/// Changes the caller's profile.
#[utoipa::path(put, path = "/v1/users/me", tag = "people", request_body = UpdateBody,
    security(("access_token" = [])),
    responses(
        (status = 200, description = "The account as it is now.", body = UserBody),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 413, description = "`payload_too_large`", body = PeopleError),
        (status = 415, description = "`unsupported_media_type`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn update(mut call: Call) -> Answer {
    let bytes = call.bytes_before_bearer().await?;
    let user = call
        .as_user(move |engine, caller, origin| {
            let mut body = JsonBody::parse(&bytes, &["display_name"])?;
            let input = UpdateProfile { display_name: body.clearable("display_name") };
            engine.update_profile(caller, input, origin).map_err(Refusal::of)
        })
        .await?;
    Ok(HttpResponse::Ok().json(UserBody::from(&user)))
}

/// Erases the caller's account with everything that belongs to it. One without a password is erased by
/// a link that is mailed. Counts like a sign-in.
#[utoipa::path(delete, path = "/v1/users/me", tag = "people",
    request_body = Option<DeleteAccountBody>,
    security(("access_token" = [])),
    responses(
        (status = 202, description = "The account has no password: a link to confirm is on its way.",
            body = MessageBody),
        (status = 204, description = "The account is gone."),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 401, description = "`unauthorized`, or `invalid_credentials`: the password is \
            wrong.", body = PeopleError),
        (status = 413, description = "`payload_too_large`", body = PeopleError),
        (status = 415, description = "`unsupported_media_type`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn delete_account(mut call: Call) -> Answer {
    let (caller, password) = call
        .before_password(|engine, caller, bytes| {
            let mut body = JsonBody::parse_optional(bytes, &["password"])?;
            let input = DeleteAccount { password: body.secret("password") };
            engine.check_deletion(caller, input).map_err(Refusal::of)
        })
        .await?;
    let deletion = if password.is_some() {
        call.checking_password(move |engine, origin| {
            engine.delete_account(&caller, password, origin)
        })
        .await?
    } else {
        call.hop(move |engine, origin| engine.delete_account(&caller, None, origin))
            .await?
            .map_err(Refusal::of)?
    };
    let message = "A link to confirm is on its way to the address of the account.";
    Ok(match deletion {
        Deletion::Done => HttpResponse::NoContent().finish(),
        Deletion::Mailed => HttpResponse::Accepted().json(MessageBody { message }),
    })
}
