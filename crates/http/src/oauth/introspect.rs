use actix_web::HttpResponse;
use portcullis_flows::oauth::{Active, Introspection, PrincipalKind, ServerLimit};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    body::{OAuthError, TokenForm, token_in},
    client::as_server,
};
use crate::{
    agents::token::TokenTypeBody,
    kit::{Answer, Call, Refusal, Routes},
};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_introspect, introspect);
}

/// What a key or token is good for; of one that is good for nothing, `active` alone.
#[derive(Default, Serialize, ToSchema)]
struct IntrospectionBody {
    /// Whether it works, and is the resource server's business.
    active: bool,
    /// The agent or user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "agt_0123456789abcdef0123456789abcdef")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_type: Option<PrincipalTypeBody>,
    /// The agent; absent for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// Its scopes: those that the resource server shares. Absent for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "messages:read")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<TokenTypeBody>,
    /// Of tokens: who issued it.
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    /// Of tokens: whom it is for, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    /// When it was issued, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    /// When it dies, in seconds; absent for a key without an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    /// Of tokens: its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    /// The user that the agent belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// The API key, or that for which the token was issued; absent for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    /// Whether an address of the agent or user was proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
}

/// What it belongs to.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum PrincipalTypeBody {
    /// A program with an account of its own.
    Agent,
    /// A person.
    User,
}

impl From<Active> for IntrospectionBody {
    fn from(told: Active) -> Self {
        Self {
            active: true,
            sub: Some(told.subject),
            principal_type: Some(match told.kind {
                PrincipalKind::Agent => PrincipalTypeBody::Agent,
                PrincipalKind::User => PrincipalTypeBody::User,
            }),
            client_id: told.client_id,
            scope: told.scope,
            token_type: Some(TokenTypeBody::Bearer),
            iss: told.issuer,
            aud: told.audience,
            iat: Some(told.issued_at.unix_timestamp()),
            exp: told.expires_at.map(portcullis_kernel::Instant::unix_timestamp),
            jti: told.token_id.map(|id| id.to_string()),
            owner: told.owner.map(|owner| owner.to_string()),
            key_id: told.key.map(|key| key.to_string()),
            email_verified: Some(told.email_verified),
        }
    }
}

/// Tells a resource server what a key or token is good for (RFC 7662).
#[utoipa::path(post, path = "/oauth2/introspect", tag = "oauth",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    security(("resource_server" = [])),
    responses(
        (status = 200, description = "What it is good for.", body = IntrospectionBody),
        (status = 400, description = "`invalid_request`", body = OAuthError),
        (status = 401, description = "`invalid_client`", body = OAuthError),
        (status = 413, description = "`invalid_request`: over 64 KiB.", body = OAuthError),
        (status = 415, description = "`invalid_request`: no form.", body = OAuthError),
        (status = 429, description = "`slow_down`", body = OAuthError),
        (status = 503, description = "`temporarily_unavailable`", body = OAuthError),
    ))]
async fn introspect(mut call: Call) -> Answer {
    let bytes = call.form_before_client().await?;
    let told = as_server(&call, ServerLimit::OAuth, move |engine, server, _| {
        engine.introspect(&server, &token_in(&bytes)?).map_err(Refusal::of)
    })
    .await?;
    let body = match told {
        Introspection::Inactive => IntrospectionBody::default(),
        Introspection::Active(told) => IntrospectionBody::from(*told),
    };
    Ok(HttpResponse::Ok().json(body))
}
