use actix_web::HttpResponse;
use portcullis_flows::{
    LimitClass,
    agents::{AgentLimit, IssuedAgentToken, WantedToken},
};
use portcullis_kernel::{ExposeSecret as _, Field, Origin};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    answers::{Authenticated, Limited, Reads},
    body::AgentError,
};
use crate::kit::{Answer, Call, Challenge, FormBody, JsonBody, Refusal, Routes, seconds};

const GRANT_TYPE: &str = "grant_type";
/// The one that is meant.
const CLIENT_CREDENTIALS: &str = "client_credentials";

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_exchange_api_key, exchange_api_key);
    routes.add(__path_refresh_agent_token, refresh_agent_token);
    routes.add(__path_revoke_agent_token, revoke_agent_token);
}

/// What is asked for.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct GrantBody {
    /// `client_credentials`; anything else is accepted, too, for now.
    #[schema(example = "client_credentials")]
    grant_type: Option<String>,
}

/// An access token.
#[derive(Serialize, ToSchema)]
struct AgentTokenBody {
    /// A JWT (RFC 9068).
    access_token: String,
    token_type: TokenTypeBody,
    /// Seconds that it lives.
    #[schema(example = 3600)]
    expires_in: i64,
    /// What it may be used for, with spaces between.
    #[schema(example = "messages:read messages:write conversations:read presence:update")]
    scope: String,
    /// The API key it was issued for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "aky_0123456789abcdef0123456789abcdef")]
    key_id: Option<String>,
}

/// How a token is sent.
#[derive(Serialize, ToSchema)]
pub(crate) enum TokenTypeBody {
    /// As `Authorization: Bearer`.
    Bearer,
}

/// A token that is dead.
#[derive(Serialize, ToSchema)]
struct RevokedTokenBody {
    message: &'static str,
    /// RFC 3339, UTC, whole seconds.
    #[schema(example = "2026-04-03T20:00:00Z")]
    revoked_at: String,
}

impl From<&IssuedAgentToken> for AgentTokenBody {
    fn from(issued: &IssuedAgentToken) -> Self {
        Self {
            access_token: issued.access.token.expose_secret().to_owned(),
            token_type: TokenTypeBody::Bearer,
            expires_in: issued.access.expires_in,
            scope: issued.grant.scopes.to_string(),
            key_id: None,
        }
    }
}

/// Issues an access token for an API key. By default 60 a minute for one agent from one client address.
#[utoipa::path(post, path = "/api/auth/token", tag = "agents",
    request_body(content(
        (Option<GrantBody> = "application/json"),
        (Option<GrantBody> = "application/x-www-form-urlencoded"),
    )),
    security(("api_key" = [])),
    responses(
        (status = 200, description = "The token.", body = AgentTokenBody),
        (status = 400, description = "`INVALID_REQUEST`", body = AgentError),
        Authenticated, Reads,
    ))]
async fn exchange_api_key(mut call: Call) -> Answer {
    call.limit(LimitClass::AgentToken).await?;
    let (bytes, is_form) = call.json_or_form().await?;
    let (presented, client) = (call.basic(), call.client()?);
    let issued = call.hop(move |engine, origin| {
        let admitted = engine.admit_key(presented, client, origin);
        let admitted = admitted.map_err(|error| Refusal::of_limited(error, engine.now()))?;
        let issued = note_grant_type(&bytes, is_form, origin).and_then(|()| {
            let wanted = WantedToken::default();
            engine.issue_agent_token(&admitted.caller, &wanted, origin).map_err(Refusal::of)
        });
        Ok((admitted.standing, issued))
    });
    let (standing, issued) =
        issued.await?.map_err(|refusal: Refusal| refusal.challenging(Challenge::Basic))?;
    call.show(standing);
    let issued = issued?;
    let key_id = Some(issued.grant.key.to_string());
    Ok(HttpResponse::Ok().json(AgentTokenBody { key_id, ..AgentTokenBody::from(&issued) }))
}

/// Reads the body, in which nothing decides anything: a grant type that is not the one meant is only
/// written down.
fn note_grant_type(bytes: &[u8], is_form: bool, origin: &Origin) -> Result<(), Refusal> {
    let field = if is_form {
        FormBody::parse(bytes, &[GRANT_TYPE]).text(GRANT_TYPE)
    } else {
        JsonBody::parse_optional(bytes, &[GRANT_TYPE])?.string(GRANT_TYPE)
    };
    match field {
        Field::Invalid(why) => return Err(Refusal::malformed(format!("{GRANT_TYPE} {why}."))),
        Field::Given(grant_type) if grant_type != CLIENT_CREDENTIALS => tracing::info!(
            request_id = origin.request_id.as_deref().unwrap_or_default(),
            client = origin.client.map(tracing::field::display),
            grant_type = loggable(&grant_type),
            "a token was issued whatever the grant type"
        ),
        Field::Given(_) | Field::Absent => {}
    }
    Ok(())
}

/// A name of a grant type, and no secret that stands in its place.
fn loggable(grant_type: &str) -> &str {
    let symbol = |b: u8| b.is_ascii_lowercase() || b"_:-".contains(&b);
    let is_name = grant_type.len() <= 64 && grant_type.bytes().all(symbol);
    if is_name { grant_type } else { "(no name)" }
}

/// Issues an access token in the place of the one that is sent, which is dead from then on. Of parallel
/// uses one succeeds. Scopes that the API key no longer has are gone.
#[utoipa::path(post, path = "/api/auth/refresh", tag = "agents",
    request_body = Option<serde_json::Value>,
    security(("agent_token" = [])),
    responses(
        (status = 200, description = "The new token, without `key_id`.", body = AgentTokenBody),
        (status = 400, description = "`INVALID_REQUEST`", body = AgentError),
        Authenticated, Reads,
    ))]
async fn refresh_agent_token(mut call: Call) -> Answer {
    let bytes = call.bytes_before_agent().await?;
    let issued = call
        .as_agent(AgentLimit::Refresh, move |engine, caller, origin| {
            JsonBody::parse_optional(&bytes, &[])?;
            engine.refresh_agent(&caller, origin).map_err(Refusal::of)
        })
        .await?;
    Ok(HttpResponse::Ok().json(AgentTokenBody::from(&issued)))
}

/// Revokes the access token that is sent.
#[utoipa::path(post, path = "/api/auth/logout", tag = "agents",
    security(("agent_token" = [])),
    responses(
        (status = 200, description = "The token is dead.", body = RevokedTokenBody),
        Authenticated, Limited,
    ))]
async fn revoke_agent_token(call: Call) -> Answer {
    let revoked_at = call
        .as_agent(AgentLimit::Usual, |engine, caller, origin| {
            engine.sign_out_agent(&caller, origin).map_err(Refusal::of)
        })
        .await?;
    let message = "Token revoked successfully.";
    Ok(HttpResponse::Ok().json(RevokedTokenBody { message, revoked_at: seconds(revoked_at) }))
}
