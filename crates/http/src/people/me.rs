use actix_web::HttpResponse;
use portcullis_flows::people::UpdateProfile;
use serde::Deserialize;
use utoipa::ToSchema;

use super::body::{PeopleError, UserBody};
use crate::kit::{Answer, Call, JsonBody, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_show, show);
    routes.add(__path_update, update);
}

/// A change of the profile.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct UpdateBody {
    /// 1 to 80 characters; `null` clears it, leaving it out keeps it.
    #[schema(example = "Jane Smith", max_length = 80)]
    display_name: Option<String>,
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
