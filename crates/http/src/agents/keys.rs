use actix_web::HttpResponse;
use portcullis_audit::Actor;
use portcullis_credentials::ApiKey;
use portcullis_flows::agents::{
    AgentLimit, CreateKey, CreatedKey, authorize_agent, check_agent_id,
};
use portcullis_kernel::{Cursor, ExposeSecret as _, Page};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    AGENT,
    answers::{Authenticated, Limited, Reads},
    as_named_agent,
    body::AgentError,
};
use crate::kit::{Answer, Call, JsonBody, Refusal, Routes, seconds};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_create_api_key, create_api_key);
    routes.add(__path_list_api_keys, list_api_keys);
}

/// A key as it is wanted.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
pub(crate) struct CreateApiKeyBody {
    /// 1 to 100 characters.
    #[schema(example = "production", max_length = 100)]
    name: String,
    /// What the key may be used for; the usual scopes when left out.
    #[schema(min_items = 1)]
    scopes: Option<Vec<String>>,
    /// Without end when left out.
    #[schema(minimum = 1, maximum = 3650)]
    expires_in_days: Option<u32>,
    /// The networks that the key may be used from; any when left out.
    #[schema(min_items = 1, max_items = 20, example = json!(["192.0.2.0/24"]))]
    allowed_cidrs: Option<Vec<String>>,
    /// How often the key may be used; as often as it likes when left out.
    #[schema(minimum = 1, maximum = 10_000)]
    rate_limit_per_minute: Option<u32>,
}

/// A key that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedApiKeyBody {
    #[schema(example = "aky_0123456789abcdef0123456789abcdef")]
    key_id: String,
    name: String,
    /// The secret. Shown once.
    api_key: String,
    scopes: Vec<String>,
    /// RFC 3339, UTC, whole seconds; `null` when it has no end.
    expires_at: Option<String>,
    #[schema(example = "2026-04-03T20:00:00Z")]
    created_at: String,
}

/// A key, without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApiKeyBody {
    #[schema(example = "aky_0123456789abcdef0123456789abcdef")]
    key_id: String,
    name: String,
    /// What the secret begins with.
    #[schema(example = "sk_4fT9")]
    prefix: String,
    scopes: Vec<String>,
    created_at: String,
    /// `null` when it has no end.
    expires_at: Option<String>,
    /// To within some seconds; `null` when it never was.
    last_used_at: Option<String>,
    revoked_at: Option<String>,
    /// The networks that it may be used from, where it is bound to some.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_cidrs: Vec<String>,
    /// How often it may be used, where that is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit_per_minute: Option<u32>,
}

/// Some of an agent's keys, the newest first.
#[derive(Serialize, ToSchema)]
struct ApiKeysBody {
    keys: Vec<ApiKeyBody>,
    /// What asks for the next ones, as `cursor`; `null` at the end.
    next_cursor: Option<String>,
    has_more: bool,
}

impl From<CreatedKey> for CreatedApiKeyBody {
    fn from(created: CreatedKey) -> Self {
        let CreatedKey { key, secret } = created;
        Self {
            key_id: key.id.to_string(),
            name: key.name.as_str().to_owned(),
            api_key: secret.into_secret().expose_secret().to_owned(),
            scopes: key.scopes.iter().map(str::to_owned).collect(),
            expires_at: key.expires_at.map(seconds),
            created_at: seconds(key.created_at),
        }
    }
}

impl From<ApiKey> for ApiKeyBody {
    fn from(key: ApiKey) -> Self {
        Self {
            key_id: key.id.to_string(),
            name: key.name.as_str().to_owned(),
            prefix: key.hint,
            scopes: key.scopes.iter().map(str::to_owned).collect(),
            created_at: seconds(key.created_at),
            expires_at: key.expires_at.map(seconds),
            last_used_at: key.last_used_at.map(seconds),
            revoked_at: key.revoked_at.map(seconds),
            allowed_cidrs: key.networks.as_slice().iter().map(ToString::to_string).collect(),
            rate_limit_per_minute: key.rate_limit,
        }
    }
}

impl From<Page<ApiKey>> for ApiKeysBody {
    fn from(page: Page<ApiKey>) -> Self {
        Self {
            has_more: page.next.is_some(),
            next_cursor: page.next.as_ref().map(Cursor::encode),
            keys: page.items.into_iter().map(ApiKeyBody::from).collect(),
        }
    }
}

/// Makes an API key for the agent. By default 20 an hour, and 50 that live at once.
#[utoipa::path(post, path = "/api/agents/{agent_id}", tag = "agents",
    request_body = CreateApiKeyBody,
    params(("agent_id" = String, Path, description = "The agent's id.")),
    security(("recovery_key" = [])),
    responses(
        (status = 201, description = "The key.", body = CreatedApiKeyBody),
        (status = 400, description = "`INVALID_AGENT_ID`, `INVALID_KEY_NAME` or `INVALID_REQUEST`",
            body = AgentError),
        (status = 409, description = "`CONFLICT`: the agent has as many keys as it may.",
            body = AgentError),
        Authenticated, Reads,
    ))]
async fn create_api_key(mut call: Call) -> Answer {
    let bytes = call.bytes_before_agent().await?;
    let named = call.segment(AGENT);
    let created = call
        .as_recovery(AgentLimit::MakeKey, move |engine, agent, origin| {
            check_agent_id(&named).map_err(Refusal::of)?;
            authorize_agent(agent.id, &named).map_err(Refusal::of)?;
            let mut body = JsonBody::parse(&bytes, &KEY_MEMBERS)?;
            let new = engine.check_create_key(key_in(&mut body)).map_err(Refusal::of)?;
            engine.create_key(&agent, new, Actor::Agent(agent.id), origin).map_err(Refusal::of)
        })
        .await?;
    Ok(HttpResponse::Created().json(CreatedApiKeyBody::from(created)))
}

/// What a body may say of a key.
pub(crate) const KEY_MEMBERS: [&str; 5] =
    ["name", "scopes", "expires_in_days", "allowed_cidrs", "rate_limit_per_minute"];

/// The key that a body asks for.
pub(crate) fn key_in(body: &mut JsonBody) -> CreateKey {
    CreateKey {
        name: body.string("name"),
        scopes: body.strings("scopes"),
        expires_in_days: body.integer("expires_in_days"),
        allowed_cidrs: body.strings("allowed_cidrs"),
        rate_limit_per_minute: body.integer("rate_limit_per_minute"),
    }
}

/// Lists the agent's API keys, live or not.
#[utoipa::path(get, path = "/api/agents/{agent_id}", tag = "agents",
    params(
        ("agent_id" = String, Path, description = "The agent's id."),
        ("limit" = Option<u32>, Query, description = "1 to 200; 50 when left out."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the answer before."),
    ),
    security(("agent_token" = [])),
    responses(
        (status = 200, description = "The keys.", body = ApiKeysBody),
        (status = 400, description = "`INVALID_REQUEST`", body = AgentError),
        Authenticated, Limited,
    ))]
async fn list_api_keys(call: Call) -> Answer {
    let mut query = call.query();
    let page = as_named_agent(&call, move |engine, caller, _| {
        let slice = query.slice().check().map_err(Refusal::of)?;
        engine.list_api_keys(caller.agent.id, &slice).map_err(Refusal::of)
    })
    .await?;
    Ok(HttpResponse::Ok().json(ApiKeysBody::from(page)))
}
