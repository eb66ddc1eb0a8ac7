use actix_web::HttpResponse;

use super::{super::body::PeopleError, with_agent};
use crate::{
    agents::keys::{CreateApiKeyBody, CreatedApiKeyBody, KEY_MEMBERS, key_in},
    kit::{Answer, Call, JsonBody, Refusal, Routes},
};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_create_key_of_owned_agent, create_key_of_owned_agent);
    routes.add(__path_revoke_key_of_owned_agent, revoke_key_of_owned_agent);
}

/// Makes an API key for one of the caller's agents. By default 20 an hour, and 50 that live at once.
#[utoipa::path(post, path = "/v1/users/me/agents/{agent_id}/keys", tag = "people",
    request_body = CreateApiKeyBody,
    params(("agent_id" = String, Path, description = "The agent's id.")),
    security(("access_token" = [])),
    responses(
        (status = 201, description = "The key.", body = CreatedApiKeyBody),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 404, description = "`not_found`: no such agent of the caller.", body = PeopleError),
        (status = 409, description = "`conflict`: the agent has as many keys as it may, or is \
            suspended, or got its recovery key a moment ago.", body = PeopleError),
        (status = 413, description = "`payload_too_large`", body = PeopleError),
        (status = 415, description = "`unsupported_media_type`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn create_key_of_owned_agent(mut call: Call) -> Answer {
    let bytes = call.bytes_before_bearer().await?;
    let id = call.segment("agent_id");
    let created = call
        .as_user(move |engine, caller, origin| {
            let mut body = JsonBody::parse(&bytes, &KEY_MEMBERS)?;
            let created = engine.create_owned_key(&caller, &id, key_in(&mut body), origin);
            created.map_err(|error| Refusal::of_limited(error, engine.now()))
        })
        .await?;
    Ok(HttpResponse::Created().json(CreatedApiKeyBody::from(created)))
}

/// Revokes an API key of one of the caller's agents, and every access token that was issued for it.
#[utoipa::path(delete, path = "/v1/users/me/agents/{agent_id}/keys/{key_id}", tag = "people",
    params(
        ("agent_id" = String, Path, description = "The agent's id."),
        ("key_id" = String, Path, description = "The key's id."),
    ),
    security(("access_token" = [])),
    responses(
        (status = 204, description = "The key is dead."),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 404, description = "`not_found`: no such agent of the caller, or it has no such key \
            that lives.", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn revoke_key_of_owned_agent(call: Call) -> Answer {
    let key = call.segment("key_id");
    with_agent(&call, move |engine, caller, id, origin| {
        engine.revoke_owned_key(caller, id, &key, origin)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
