//! The routes under `/api`, as the table of the specification lists them.

use portcullis_credentials::PlainAgentToken;
use portcullis_kernel::ExposeSecret as _;
use portcullis_testkit::{
    app::{Bot, Client, Request},
    entropy::SeededEntropy,
};
use serde_json::{Value, json};

/// The credential that a route wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    Nothing,
    Key,
    Token,
    Recovery,
    RecoveryOrToken,
}

/// What a route reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    Nothing,
    Json,
    /// JSON, or no body at all.
    MaybeJson,
    /// JSON, a form, or no body at all.
    JsonOrForm,
}

/// One route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) wants: Wants,
    pub(crate) reads: Reads,
    /// What the headers show: of one client address, or of one agent where a credential is wanted.
    pub(crate) limit: i64,
}

const fn route(method: &'static str, path: &'static str, wants: Wants, reads: Reads) -> Route {
    let limit = match wants {
        Wants::Nothing => 60,
        _ => 100,
    };
    Route { method, path, wants, reads, limit }
}

const fn limited(limit: i64, route: Route) -> Route {
    Route { limit, ..route }
}

const OPEN: Wants = Wants::Nothing;
const TOKEN: Wants = Wants::Token;
const RECOVERY: Wants = Wants::Recovery;
const JSON: Reads = Reads::Json;
const NOTHING: Reads = Reads::Nothing;

pub(crate) const EXCHANGE: Route =
    limited(60, route("POST", "/api/auth/token", Wants::Key, Reads::JsonOrForm));
pub(crate) const CREATE_KEY: Route =
    limited(20, route("POST", "/api/agents/{agent_id}", RECOVERY, JSON));
const KEY: &str = "/api/agents/{agent_id}/keys/{key_id}";
const ROTATE: &str = "/api/agents/{agent_id}/keys/{key_id}/rotate";

pub(crate) const ROUTES: [Route; 20] = [
    limited(10, route("POST", "/api/auth/register", OPEN, JSON)),
    route("GET", "/api/auth/verify-email", OPEN, NOTHING),
    route("POST", "/api/auth/verify-email", OPEN, JSON),
    limited(5, route("POST", "/api/auth/verification/resend", OPEN, JSON)),
    EXCHANGE,
    limited(30, route("POST", "/api/auth/refresh", TOKEN, Reads::MaybeJson)),
    route("POST", "/api/auth/logout", TOKEN, NOTHING),
    limited(5, route("POST", "/api/auth/recovery/request", OPEN, JSON)),
    limited(10, route("POST", "/api/auth/recovery/verify", OPEN, JSON)),
    CREATE_KEY,
    route("GET", "/api/agents/{agent_id}", TOKEN, NOTHING),
    route("DELETE", KEY, Wants::RecoveryOrToken, NOTHING),
    limited(20, route("POST", ROTATE, RECOVERY, Reads::MaybeJson)),
    route("GET", "/api/agents/{agent_id}/audit-logs", TOKEN, NOTHING),
    route("DELETE", "/api/agents/{agent_id}", RECOVERY, NOTHING),
    route("PUT", "/api/agents/{agent_id}/profile", TOKEN, JSON),
    route("GET", "/api/agents/{agent_id}/profile", OPEN, NOTHING),
    route("GET", "/api/agents", OPEN, NOTHING),
    route("GET", "/api/agents/me", TOKEN, NOTHING),
    limited(5, route("POST", "/api/agents/{agent_id}/email", RECOVERY, JSON)),
];

/// Those that read a body.
pub(crate) fn with_body() -> impl Iterator<Item = Route> {
    ROUTES.into_iter().filter(|route| route.reads != Reads::Nothing)
}

/// Those that want a credential.
pub(crate) fn closed() -> impl Iterator<Item = Route> + Clone {
    ROUTES.into_iter().filter(|route| route.wants != Wants::Nothing)
}

impl Route {
    /// Its path for this agent and its key.
    pub(crate) fn path_of(&self, bot: &Bot) -> String {
        self.path.replace("{agent_id}", &bot.id).replace("{key_id}", &bot.key_id)
    }

    /// A request to the route, bare.
    pub(crate) fn ask<'a>(&self, client: &Client<'a>, bot: &Bot) -> Request<'a> {
        client.request(self.method, &self.path_of(bot))
    }

    /// A request to the route that breaks no rule that a body can break.
    pub(crate) fn ask_well<'a>(&self, client: &Client<'a>, bot: &Bot) -> Request<'a> {
        let request = self.ask(client, bot);
        if self.reads == Reads::Nothing { request } else { request.json(&self.good_body()) }
    }

    /// The same with the credential that is wanted.
    pub(crate) fn ask_as<'a>(&self, client: &Client<'a>, bot: &Bot) -> Request<'a> {
        self.authenticated(self.ask_well(client, bot), bot)
    }

    /// The request with the credential that is wanted.
    pub(crate) fn authenticated<'a>(&self, request: Request<'a>, bot: &Bot) -> Request<'a> {
        match self.wants {
            Wants::Nothing => request,
            Wants::Key => request.basic(&bot.id, &bot.api_key),
            Wants::Token => request.bearer(&bot.access),
            Wants::Recovery | Wants::RecoveryOrToken => request.recovering(bot),
        }
    }

    /// Secrets in it have the right form and are nobody's.
    pub(crate) fn good_body(&self) -> Value {
        let email = "somebody@example.com";
        let metadata = json!({ "description": "x", "owner": "x", "version": "1" });
        match self.path {
            "/api/auth/register" => {
                json!({ "agent_name": "weather-bot", "email": email, "metadata": metadata })
            }
            "/api/auth/verify-email" => json!({ "token": unknown_token() }),
            "/api/auth/token" => json!({ "grant_type": "client_credentials" }),
            "/api/auth/recovery/request" => {
                json!({ "email": email, "agent_id": format!("agt_{}", "0".repeat(32)) })
            }
            "/api/auth/recovery/verify" => {
                json!({ "email": email, "code": "000000", "revoke_keys": true })
            }
            "/api/agents/{agent_id}" => json!({
                "name": "ci", "scopes": ["messages:read"], "expires_in_days": 1,
                "allowed_cidrs": ["10.0.0.0/8"], "rate_limit_per_minute": 100,
            }),
            ROTATE => json!({ "overlap_seconds": 60 }),
            "/api/agents/{agent_id}/profile" => json!({
                "display_name": "Weather", "description": "x", "tags": ["x"], "visibility": "private",
            }),
            "/api/auth/verification/resend" | "/api/agents/{agent_id}/email" => {
                json!({ "email": email })
            }
            _ => json!({}),
        }
    }
}

/// A token with the right form that was never issued.
pub(crate) fn unknown_token() -> String {
    let token = PlainAgentToken::generate(&SeededEntropy::new(3)).unwrap();
    token.into_secret().expose_secret().to_owned()
}
