//! What people do, as requests.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    client::Client,
    random,
    wire::{Answer, Outcome, Request},
};

/// An account that nobody else has.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) email: String,
    pub(crate) password: String,
}

impl Account {
    pub(crate) fn new() -> Self {
        let unique = random();
        let email = format!("person-{unique:016x}@example.com");
        Self { email, password: format!("Pässword {:016x}!", random()) }
    }

    fn body(&self) -> Value {
        json!({ "email": self.email, "password": self.password })
    }

    pub(crate) fn registration(&self) -> Request {
        Request::post("/v1/auth/register", &self.body())
    }

    pub(crate) fn sign_in(&self) -> Request {
        Request::post("/v1/auth/login", &self.body())
    }

    /// Registers, which must succeed.
    #[track_caller]
    pub(crate) fn register(&self, client: &mut Client) -> Tokens {
        Tokens::from(&client.ask(&self.registration()).with_status(201))
    }

    /// Signs in, which must succeed.
    #[track_caller]
    pub(crate) fn signed_in(&self, client: &mut Client) -> Tokens {
        Tokens::from(&client.ask(&self.sign_in()).with_status(200))
    }
}

/// What a signed-in client holds.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl From<&Answer> for Tokens {
    fn from(answer: &Answer) -> Self {
        let body = answer.json();
        let text = |name: &str| body[name].as_str().expect("a token").to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token") }
    }
}

impl Tokens {
    pub(crate) fn rotation(&self) -> Request {
        rotation(&self.refresh)
    }

    /// Rotates, which must succeed.
    #[track_caller]
    pub(crate) fn rotate(&self, client: &mut Client) -> Self {
        Self::from(&client.ask(&self.rotation()).with_status(200))
    }

    pub(crate) fn me(&self) -> Request {
        Request::get("/v1/users/me").bearer(&self.access)
    }

    pub(crate) fn sign_out(&self) -> Request {
        let body = json!({ "refresh_token": self.refresh });
        Request::post("/v1/auth/logout", &body).bearer(&self.access)
    }

    /// The id of the key that signed the access token.
    pub(crate) fn kid(&self) -> String {
        token_part(&self.access, 0)["kid"].as_str().expect("a kid").to_owned()
    }

    /// What the access token says.
    pub(crate) fn claims(&self) -> Value {
        token_part(&self.access, 1)
    }
}

/// The header (0) or the claims (1) of a signed token.
pub(crate) fn token_part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The use of any text as a refresh token.
pub(crate) fn rotation(refresh_token: &str) -> Request {
    Request::post("/v1/auth/refresh", &json!({ "refresh_token": refresh_token }))
}

/// The ids of the published keys, in their order.
pub(crate) fn published_kids(client: &mut Client) -> Vec<String> {
    let set = client.get("/.well-known/jwks.json").with_status(200).json();
    let keys = set["keys"].as_array().expect("a key set");
    keys.iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

/// Whether a token was refused as one that is spent or unknown.
pub(crate) fn is_refused_token(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Answered(answer) => {
            answer.status == 401 && answer.json()["error"]["code"] == "invalid_token"
        }
        _ => false,
    }
}
