//! The routes, as the tables of the specification list them.

use portcullis_testkit::app::{Client, Person, Reply, Request};
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

const fn free(path: &'static str) -> Route {
    Route { method: "GET", path, bearer: false, body: false, limit: None }
}

pub(crate) const UNKNOWN_SESSION: &str = "/v1/auth/sessions/ses_00000000000000000000000000000000";

pub(crate) const ROUTES: [Route; 14] = [
    open("POST", "/v1/auth/register", 3),
    open("POST", "/v1/auth/login", 5),
    open("POST", "/v1/auth/refresh", 30),
    closed("POST", "/v1/auth/logout", true),
    closed("GET", "/v1/auth/sessions", false),
    closed("DELETE", "/v1/auth/sessions", false),
    closed("DELETE", UNKNOWN_SESSION, false),
    closed("GET", "/v1/users/me", false),
    closed("PUT", "/v1/users/me", true),
    free("/.well-known/jwks.json"),
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

    fn good_body(&self) -> Value {
        match self.path {
            "/v1/auth/register" | "/v1/auth/login" => {
                json!({ "email": "somebody@example.com", "password": "a-Passw0rd-of-theirs" })
            }
            "/v1/users/me" => json!({ "display_name": "Jane" }),
            _ => json!({ "refresh_token": "rt_01JN2X4K8M3F7QPZRVWT6YBHCE" }),
        }
    }
}

/// The limit headers: limit, remaining, reset.
#[track_caller]
pub(crate) fn limit_headers(reply: &Reply) -> (i64, i64, i64) {
    let of = |name: &str| reply.number(&format!("x-ratelimit-{name}"));
    (of("limit"), of("remaining"), of("reset"))
}
