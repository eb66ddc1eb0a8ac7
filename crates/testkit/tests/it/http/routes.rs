//! The routes, as the tables of the specification list them.

use portcullis_credentials::{MailedKind, PlainMailedToken};
use portcullis_kernel::ExposeSecret as _;
use portcullis_testkit::{
    app::{Client, Person, Reply, Request},
    entropy::SeededEntropy,
};
use serde_json::{Value, json};

/// One route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// It wants an access token.
    pub(crate) bearer: bool,
    /// It reads a JSON body.
    pub(crate) body: bool,
    /// Requests in a window of one client address, or of one user where a token is wanted.
    pub(crate) limit: Option<u16>,
}

const fn open(method: &'static str, path: &'static str, limit: u16) -> Route {
    Route { method, path, bearer: false, body: true, limit: Some(limit) }
}

const fn closed(method: &'static str, path: &'static str, body: bool) -> Route {
    Route { method, path, bearer: true, body, limit: Some(100) }
}

/// It checks a password, which counts like a sign-in.
const fn guarded(method: &'static str, path: &'static str) -> Route {
    Route { method, path, bearer: true, body: true, limit: Some(5) }
}

const fn free(path: &'static str) -> Route {
    Route { method: "GET", path, bearer: false, body: false, limit: None }
}

pub(crate) const UNKNOWN_SESSION: &str = "/v1/auth/sessions/ses_00000000000000000000000000000000";
pub(crate) const UNKNOWN_USER: &str = "/v1/admin/users/01JN2X4K8M3F7QPZRVWT6YBHCE";
pub(crate) const UNKNOWN_INVITATION: &str =
    "/v1/admin/invitations/ivt_00000000000000000000000000000000";
pub(crate) const UNKNOWN_AGENT: &str = "/v1/admin/agents/agt_00000000000000000000000000000000";
const KEYS_OF_AGENT: &str = "/v1/admin/agents/agt_00000000000000000000000000000000/keys";
const KEY_OF_AGENT: &str = "/v1/admin/agents/agt_00000000000000000000000000000000/keys/\
    aky_00000000000000000000000000000000";

pub(crate) const UNKNOWN_OWN_AGENT: &str =
    "/v1/users/me/agents/agt_00000000000000000000000000000000";
const KEYS_OF_OWN_AGENT: &str = "/v1/users/me/agents/agt_00000000000000000000000000000000/keys";
const KEY_OF_OWN_AGENT: &str = "/v1/users/me/agents/agt_00000000000000000000000000000000/keys/\
    aky_00000000000000000000000000000000";

pub(crate) const REFRESH: Route = open("POST", "/v1/auth/refresh", 30);
pub(crate) const END_SESSION: Route = closed("DELETE", UNKNOWN_SESSION, false);

pub(crate) const ROUTES: [Route; 47] = [
    open("POST", "/v1/auth/register", 3),
    open("POST", "/v1/auth/login", 5),
    REFRESH,
    closed("POST", "/v1/auth/logout", true),
    open("POST", "/v1/auth/verify-email", 30),
    open("POST", "/v1/auth/verify-email/resend", 30),
    open("POST", "/v1/auth/password/reset", 10),
    open("POST", "/v1/auth/password/reset/confirm", 30),
    guarded("POST", "/v1/auth/password/change"),
    closed("GET", "/v1/auth/sessions", false),
    closed("DELETE", "/v1/auth/sessions", false),
    END_SESSION,
    closed("GET", "/v1/users/me", false),
    closed("PUT", "/v1/users/me", true),
    guarded("DELETE", "/v1/users/me"),
    guarded("POST", "/v1/users/me/email"),
    closed("POST", "/v1/users/me/email/confirm", true),
    closed("GET", "/v1/users/me/agents", false),
    closed("GET", UNKNOWN_OWN_AGENT, false),
    closed("DELETE", UNKNOWN_OWN_AGENT, false),
    closed("POST", KEYS_OF_OWN_AGENT, true),
    closed("DELETE", KEY_OF_OWN_AGENT, false),
    closed("GET", "/v1/admin/users", false),
    closed("GET", UNKNOWN_USER, false),
    closed("DELETE", UNKNOWN_USER, false),
    closed("PUT", "/v1/admin/users/01JN2X4K8M3F7QPZRVWT6YBHCE/role", true),
    closed("POST", "/v1/admin/users/01JN2X4K8M3F7QPZRVWT6YBHCE/suspend", false),
    closed("POST", "/v1/admin/users/01JN2X4K8M3F7QPZRVWT6YBHCE/resume", false),
    closed("DELETE", "/v1/admin/users/01JN2X4K8M3F7QPZRVWT6YBHCE/sessions", false),
    closed("POST", "/v1/admin/users/invite", true),
    closed("GET", "/v1/admin/invitations", false),
    closed("DELETE", UNKNOWN_INVITATION, false),
    closed("GET", "/v1/admin/agents", false),
    closed("POST", "/v1/admin/agents", true),
    closed("GET", UNKNOWN_AGENT, false),
    closed("DELETE", UNKNOWN_AGENT, false),
    closed("POST", "/v1/admin/agents/agt_00000000000000000000000000000000/suspend", false),
    closed("POST", "/v1/admin/agents/agt_00000000000000000000000000000000/resume", false),
    closed("POST", KEYS_OF_AGENT, true),
    closed("DELETE", KEY_OF_AGENT, false),
    free("/.well-known/jwks.json"),
    free("/.well-known/oauth-protected-resource"),
    free("/.well-known/oauth-authorization-server"),
    free("/health"),
    free("/ready"),
    free("/"),
    free("/openapi.json"),
];

pub(crate) fn with_body() -> impl Iterator<Item = Route> {
    ROUTES.into_iter().filter(|route| route.body)
}

pub(crate) fn with_bearer() -> impl Iterator<Item = Route> {
    ROUTES.into_iter().filter(|route| route.bearer)
}

pub(crate) fn of_administrators() -> impl Iterator<Item = Route> {
    ROUTES.into_iter().filter(|route| route.path.starts_with("/v1/admin/"))
}

impl Route {
    /// A request to the route, bare.
    pub(crate) fn ask<'a>(&self, client: &Client<'a>) -> Request<'a> {
        client.request(self.method, self.path)
    }

    /// A request to the route that breaks no rule that a body can break.
    pub(crate) fn ask_well<'a>(&self, client: &Client<'a>) -> Request<'a> {
        let request = self.ask(client);
        if self.body { request.json(&self.good_body()) } else { request }
    }

    /// The same with a token where one is wanted.
    pub(crate) fn ask_as<'a>(&self, client: &Client<'a>, person: &Person) -> Request<'a> {
        let request = self.ask_well(client);
        if self.bearer { request.bearer(&person.access) } else { request }
    }

    /// Passwords and tokens in it have the right form and are nobody's.
    pub(crate) fn good_body(&self) -> Value {
        let password = "a-Passw0rd-of-theirs";
        match self.path {
            "/v1/auth/register" | "/v1/auth/login" => {
                json!({ "email": "somebody@example.com", "password": password })
            }
            "/v1/auth/verify-email" => json!({ "token": token(MailedKind::VerifyEmail) }),
            "/v1/auth/verify-email/resend" | "/v1/auth/password/reset" => {
                json!({ "email": "somebody@example.com" })
            }
            "/v1/auth/password/reset/confirm" => {
                json!({ "token": token(MailedKind::ResetPassword), "password": password })
            }
            "/v1/auth/password/change" => {
                json!({ "current_password": password, "new_password": "another-Passw0rd" })
            }
            "/v1/users/me" if self.method == "DELETE" => json!({ "password": password }),
            "/v1/users/me" => json!({ "display_name": "Jane" }),
            "/v1/users/me/email" => {
                json!({ "email": "somebody.else@example.com", "password": password })
            }
            "/v1/users/me/email/confirm" => json!({ "code": "000000" }),
            "/v1/admin/agents" => {
                json!({ "agent_name": "weather-bot", "email": "bot@example.com" })
            }
            KEYS_OF_AGENT | KEYS_OF_OWN_AGENT => json!({ "name": "production" }),
            "/v1/admin/users/invite" => json!({ "email": "guest@example.com" }),
            path if path.ends_with("/role") => json!({ "role": "host" }),
            _ => json!({ "refresh_token": "rt_01JN2X4K8M3F7QPZRVWT6YBHCE" }),
        }
    }
}

fn token(kind: MailedKind) -> String {
    let token = PlainMailedToken::generate(kind, &SeededEntropy::new(3)).unwrap();
    token.into_secret().expose_secret().to_owned()
}

/// The limit headers: limit, remaining, reset.
#[track_caller]
pub(crate) fn limit_headers(reply: &Reply) -> (i64, i64, i64) {
    let of = |name: &str| reply.number(&format!("x-ratelimit-{name}"));
    (of("limit"), of("remaining"), of("reset"))
}
