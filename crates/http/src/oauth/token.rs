use actix_web::{
    HttpResponse,
    http::{StatusCode, header::PRAGMA},
};
use portcullis_flows::{
    LimitClass,
    agents::{ExchangeError, IssuedAgentToken, WantedToken},
};
use portcullis_kernel::{ExposeSecret as _, codes};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    body::{OAuthError, parameter},
    client::refused_key,
};
use crate::{
    agents::token::TokenTypeBody,
    kit::{Answer, Call, FormBody, Refusal, Routes},
};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_token, token);
}

/// What a token is wanted for.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads field by field
struct GrantForm {
    /// `client_credentials`.
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// Scopes of the key, with spaces between them; all of them when left out.
    #[schema(example = "messages:read")]
    scope: Option<String>,
    /// The one resource that the token is for (RFC 8707).
    #[schema(example = "https://api.example.com")]
    resource: Option<String>,
}

/// A token.
#[derive(Serialize, ToSchema)]
struct GrantedBody {
    /// JWT (RFC 9068).
    access_token: String,
    token_type: TokenTypeBody,
    /// Seconds that the token lives.
    #[schema(example = 3600)]
    expires_in: i64,
    /// What it may be used for.
    #[schema(example = "messages:read messages:write")]
    scope: String,
}

impl From<IssuedAgentToken> for GrantedBody {
    fn from(issued: IssuedAgentToken) -> Self {
        Self {
            access_token: issued.access.token.expose_secret().to_owned(),
            token_type: TokenTypeBody::Bearer,
            expires_in: issued.access.expires_in,
            scope: issued.grant.scopes.to_string(),
        }
    }
}

/// Exchanges an agent's API key for an access token (RFC 6749 §4.4). The client authenticates by HTTP
/// Basic; credentials in the body are not read.
#[utoipa::path(post, path = "/oauth2/token", tag = "oauth",
    request_body(content = GrantForm, content_type = "application/x-www-form-urlencoded"),
    security(("api_key" = [])),
    responses(
        (status = 200, description = "The token.", body = GrantedBody),
        (status = 400, description = "`invalid_request`, `unsupported_grant_type`, `invalid_scope`, \
            `invalid_target`; `unauthorized_client`: the agent is suspended, or the key is not for this \
            network.", body = OAuthError),
        (status = 401, description = "`invalid_client`", body = OAuthError),
        (status = 413, description = "`invalid_request`: over 64 KiB.", body = OAuthError),
        (status = 415, description = "`invalid_request`: no form.", body = OAuthError),
        (status = 429, description = "`slow_down`", body = OAuthError),
        (status = 503, description = "`temporarily_unavailable`", body = OAuthError),
    ))]
async fn token(mut call: Call) -> Answer {
    call.limit(LimitClass::AgentToken).await?;
    let bytes = call.form_bytes().await?;
    let (presented, client) = (call.basic(), call.client()?);
    let issued = call.hop(move |engine, origin| {
        let admitted = engine.admit_key(presented, client, origin)?;
        let issued = wanted_by(&bytes).and_then(|wanted| {
            engine.issue_agent_token(&admitted.caller, &wanted, origin).map_err(Refusal::of)
        });
        Ok((admitted.standing, issued))
    });
    let (standing, issued) = issued.await?.map_err(|error| match error {
        ExchangeError::Auth(error) => refused_key(error),
        ExchangeError::Limit(error) => call.limited(error),
        error => Refusal::of(error),
    })?;
    call.show(standing);
    let body = GrantedBody::from(issued?);
    // RFC 6749 §5.1; the other header of it has every answer of this surface.
    Ok(HttpResponse::Ok().insert_header((PRAGMA, "no-cache")).json(body))
}

/// What a form asks for, in the order in which its parameters are judged.
fn wanted_by(bytes: &[u8]) -> Result<WantedToken, Refusal> {
    let form = FormBody::parse(bytes, &["grant_type", "scope", "resource"]);
    let grant_type = parameter(&form, "grant_type")?;
    let grant_type = grant_type.ok_or_else(|| Refusal::malformed("grant_type is required."))?;
    let bad = |code, told| Refusal::new(StatusCode::BAD_REQUEST, code, told);
    if grant_type != "client_credentials" {
        let told = "The only grant_type is client_credentials.";
        return Err(bad(codes::UNSUPPORTED_GRANT_TYPE, told));
    }
    let scope = parameter(&form, "scope")?;
    let resource = parameter(&form, "resource").map_err(|_| {
        // RFC 8707 §2 lets a client name several, and a server refuse it.
        bad(codes::INVALID_TARGET, "A token is for one resource: name at most one.")
    })?;
    Ok(WantedToken { scope, resource })
}
