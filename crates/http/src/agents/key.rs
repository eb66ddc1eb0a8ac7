use actix_web::HttpResponse;
use portcullis_audit::Actor;
use portcullis_flows::agents::{AgentLimit, RotateKey, authorize_own_key};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    KEY,
    answers::{Authenticated, Limited, Reads},
    as_named_agent, as_named_owner,
    body::AgentError,
    keys::CreatedApiKeyBody,
};
use crate::kit::{Answer, Call, Challenge, JsonBody, Refusal, Routes, seconds};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_revoke_api_key, revoke_api_key);
    routes.add(__path_rotate_api_key, rotate_api_key);
}

/// A key that is dead.
#[derive(Serialize, ToSchema)]
struct RevokedApiKeyBody {
    #[schema(example = "aky_0123456789abcdef0123456789abcdef")]
    key_id: String,
    message: &'static str,
    /// RFC 3339, UTC, whole seconds.
    #[schema(example = "2026-04-03T20:00:00Z")]
    revoked_at: String,
}

/// A rotation.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct RotateApiKeyBody {
    /// How many seconds the old key lives on; none when left out.
    #[schema(minimum = 0, maximum = 604_800)]
    overlap_seconds: Option<u32>,
}

/// Revokes an API key of the agent, and every access token that was issued for it. An access token may
/// revoke its own key, the recovery key any.
#[utoipa::path(delete, path = "/api/agents/{agent_id}/keys/{key_id}", tag = "agents",
    params(
        ("agent_id" = String, Path, description = "The agent's id."),
        ("key_id" = String, Path, description = "The key's id."),
    ),
    security(("recovery_key" = []), ("agent_token" = [])),
    responses(
        (status = 200, description = "The key is dead.", body = RevokedApiKeyBody),
        (status = 404, description = "`NOT_FOUND`: the agent has no such key that lives.",
            body = AgentError),
        Authenticated, Limited,
    ))]
async fn revoke_api_key(call: Call) -> Answer {
    let key = call.segment(KEY);
    let revoked = if call.bearer().is_some() {
        as_named_agent(&call, move |engine, caller, origin| {
            authorize_own_key(&caller, &key).map_err(Refusal::of)?;
            let agent = caller.agent.id;
            engine.revoke_key(agent, &key, Actor::Agent(agent), origin).map_err(Refusal::of)
        })
        .await
    } else {
        as_named_owner(&call, AgentLimit::Usual, move |engine, agent, origin| {
            engine.revoke_own_key(&agent, &key, origin).map_err(Refusal::of)
        })
        .await
    };
    let (id, revoked_at) = revoked.map_err(|refusal| refusal.challenging(Challenge::Either))?;
    Ok(HttpResponse::Ok().json(RevokedApiKeyBody {
        key_id: id.to_string(),
        message: "API key revoked.",
        revoked_at: seconds(revoked_at),
    }))
}

/// Makes a key with the rights of another one, which dies when the overlap ends. Of parallel rotations
/// of one key one succeeds. Counts like making a key.
#[utoipa::path(post, path = "/api/agents/{agent_id}/keys/{key_id}/rotate", tag = "agents",
    request_body = Option<RotateApiKeyBody>,
    params(
        ("agent_id" = String, Path, description = "The agent's id."),
        ("key_id" = String, Path, description = "The key's id."),
    ),
    security(("recovery_key" = [])),
    responses(
        (status = 201, description = "The new key.", body = CreatedApiKeyBody),
        (status = 400, description = "`INVALID_REQUEST`", body = AgentError),
        (status = 404, description = "`NOT_FOUND`: the agent has no such key that lives.",
            body = AgentError),
        (status = 409, description = "`CONFLICT`: it was rotated already, or the agent has as many \
            keys as it may.", body = AgentError),
        Authenticated, Reads,
    ))]
async fn rotate_api_key(mut call: Call) -> Answer {
    let bytes = call.bytes_before_agent().await?;
    let key = call.segment(KEY);
    let created = as_named_owner(&call, AgentLimit::MakeKey, move |engine, agent, origin| {
        let mut body = JsonBody::parse_optional(&bytes, &["overlap_seconds"])?;
        let input = RotateKey { overlap_seconds: body.integer("overlap_seconds") };
        let rotation = input.check().map_err(Refusal::of)?;
        let actor = Actor::Agent(agent.id);
        engine.rotate_api_key(&agent, &key, rotation, actor, origin).map_err(Refusal::of)
    })
    .await?;
    Ok(HttpResponse::Created().json(CreatedApiKeyBody::from(created)))
}
