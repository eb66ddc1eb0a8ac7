//! The documents in which this server describes itself to clients that know nothing but its address.

use actix_web::{
    HttpResponse,
    http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, ContentType},
    web::Bytes,
};
use portcullis_flows::EngineOptions;
use serde::Serialize;
use utoipa::ToSchema;

use super::agent_auth::AgentAuth;
use crate::{
    kit::{Answer, Call, Routes},
    registration::manifest,
};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_protected_resource, protected_resource);
    routes.add(__path_authorization_server, authorization_server);
}

/// The documents, made once from what the server was started with: a request has no part in them.
pub(crate) struct Discovery {
    protected_resource: Bytes,
    authorization_server: Bytes,
    /// `/auth.md`
    pub(crate) manifest: Bytes,
}

impl Discovery {
    /// The documents of a server that clients know by `url`.
    pub(crate) fn new(url: &str, name: &str, options: &EngineOptions) -> Self {
        let scopes: Vec<String> = options.scopes().iter().map(str::to_owned).collect();
        Self {
            protected_resource: json(&ProtectedResource::of(url, name, scopes.clone())),
            authorization_server: json(&AuthorizationServer::of(url, scopes)),
            manifest: manifest(url, name, &options.agent_registration),
        }
    }
}

/// What this server protects, and how to get at it (RFC 9728 §2).
#[derive(Serialize, ToSchema)]
struct ProtectedResource {
    #[schema(example = "https://auth.example.com")]
    resource: String,
    /// Whose tokens are accepted.
    authorization_servers: [String; 1],
    /// `header`: tokens are read there and nowhere else.
    bearer_methods_supported: [&'static str; 1],
    /// What the service calls itself.
    #[schema(example = "Portcullis")]
    resource_name: String,
    /// How an agent signs up.
    resource_documentation: String,
    scopes_supported: Vec<String>,
}

impl ProtectedResource {
    fn of(url: &str, name: &str, scopes: Vec<String>) -> Self {
        Self {
            resource: url.to_owned(),
            authorization_servers: [url.to_owned()],
            bearer_methods_supported: ["header"],
            resource_name: name.to_owned(),
            resource_documentation: format!("{url}/auth.md"),
            scopes_supported: scopes,
        }
    }
}

/// Which grants there are, and where (RFC 8414 §2).
#[derive(Serialize, ToSchema)]
struct AuthorizationServer {
    /// The `iss` of its tokens.
    #[schema(example = "https://auth.example.com")]
    issuer: String,
    token_endpoint: String,
    token_endpoint_auth_methods_supported: [&'static str; 1],
    grant_types_supported: [&'static str; 1],
    /// Empty: there is no authorization endpoint.
    response_types_supported: [&'static str; 0],
    scopes_supported: Vec<String>,
    jwks_uri: String,
    revocation_endpoint: String,
    /// `none`: whoever holds a key or token may revoke it.
    revocation_endpoint_auth_methods_supported: [&'static str; 2],
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: [&'static str; 1],
    /// How an agent signs up, in words.
    service_documentation: String,
    /// How an agent signs up (auth.md).
    agent_auth: AgentAuth,
}

impl AuthorizationServer {
    fn of(url: &str, scopes: Vec<String>) -> Self {
        let at = |path: &str| format!("{url}{path}");
        Self {
            issuer: url.to_owned(),
            token_endpoint: at("/oauth2/token"),
            token_endpoint_auth_methods_supported: ["client_secret_basic"],
            grant_types_supported: ["client_credentials"],
            response_types_supported: [],
            scopes_supported: scopes,
            jwks_uri: at("/.well-known/jwks.json"),
            revocation_endpoint: at("/oauth2/revoke"),
            revocation_endpoint_auth_methods_supported: ["client_secret_basic", "none"],
            introspection_endpoint: at("/oauth2/introspect"),
            introspection_endpoint_auth_methods_supported: ["client_secret_basic"],
            service_documentation: at("/auth.md"),
            agent_auth: AgentAuth::of(url),
        }
    }
}

fn json(document: &impl Serialize) -> Bytes {
    // Nothing in it can fail to be written.
    serde_json::to_vec(document).unwrap_or_default().into()
}

/// What this server protects, and how to get at it (RFC 9728).
#[utoipa::path(get, path = "/.well-known/oauth-protected-resource", tag = "discovery",
    responses((status = 200, description = "The metadata.", body = ProtectedResource)))]
async fn protected_resource(call: Call) -> Answer {
    Ok(public(&call, &call.discovery().protected_resource))
}

/// Which grants this server offers, and where (RFC 8414).
#[utoipa::path(get, path = "/.well-known/oauth-authorization-server", tag = "discovery",
    responses((status = 200, description = "The metadata.", body = AuthorizationServer)))]
async fn authorization_server(call: Call) -> Answer {
    Ok(public(&call, &call.discovery().authorization_server))
}

/// A document for everybody, pages of other origins included.
fn public(call: &Call, document: &Bytes) -> HttpResponse {
    call.quiet();
    HttpResponse::Ok()
        .content_type(ContentType::json())
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .body(document.clone())
}
