use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Request, Response, header::AUTHORIZATION};
use portcullis_guard::{Answering, Transport, TransportError};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{Issuer, issuer};

/// An auth server that answers what a test tells it to, and remembers what it was asked.
#[derive(Default)]
pub(crate) struct Fake(Mutex<State>);

#[derive(Default)]
struct State {
    key_set: Value,
    /// What is told of keys and tokens; of others that they are not active.
    active: HashMap<String, Value>,
    /// What is answered about some.
    about: HashMap<String, (u16, String)>,
    /// Instead of everything else.
    instead: Option<Response<Vec<u8>>>,
    is_down: bool,
    /// How many answers get lost on their way.
    lost: usize,
    asked: Vec<Asked>,
    /// Answers wait for a permit.
    gate: Option<Arc<Semaphore>>,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) url: String,
    /// What is in the header of the same name, decoded.
    pub(crate) basic: Option<String>,
    pub(crate) body: String,
}

impl Fake {
    pub(crate) fn publish(&self, keys: &[&Issuer]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.published()).collect();
        self.publish_document(json!({ "keys": keys }));
    }

    pub(crate) fn publish_document(&self, document: Value) {
        self.state().key_set = document;
    }

    /// Makes a key or token active, with other members than the usual.
    pub(crate) fn activate(&self, token: &str, changes: Value) {
        let usual = json!({
            "active": true, "sub": issuer::AGENT, "principal_type": "agent",
            "client_id": issuer::AGENT, "scope": "api.read", "token_type": "Bearer",
            "iat": issuer::START, "key_id": issuer::KEY_ID, "email_verified": true,
        });
        let told = issuer::changed(&usual, changes);
        self.state().active.insert(token.to_owned(), told);
    }

    pub(crate) fn deactivate(&self, token: &str) {
        self.state().active.remove(token);
    }

    /// Answers in this way whatever is asked about a key.
    pub(crate) fn answer_about(&self, token: &str, status: u16, body: &str) {
        self.state().about.insert(token.to_owned(), (status, body.to_owned()));
    }

    pub(crate) fn go_down(&self) {
        self.state().is_down = true;
    }

    pub(crate) fn come_back(&self) {
        let mut state = self.state();
        state.is_down = false;
        state.instead = None;
    }

    /// Loses the next answer.
    pub(crate) fn lose_one(&self) {
        self.state().lost = 1;
    }

    /// Answers everything alike.
    pub(crate) fn answer(&self, status: u16, headers: &[(&str, &str)], body: &str) {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        self.state().instead = Some(response.body(body.as_bytes().to_vec()).unwrap());
    }

    /// Lets answers wait, from now on, until permits are added.
    pub(crate) fn hold(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        self.state().gate = Some(Arc::clone(&gate));
        gate
    }

    /// Everything that was asked since the last look.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state().asked)
    }

    /// How often something was asked since the last look.
    pub(crate) fn count(&self) -> usize {
        self.asked().len()
    }

    /// Waits until a question has come.
    pub(crate) async fn is_asked(&self) {
        while self.state().asked.is_empty() {
            tokio::task::yield_now().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn reply(state: &State, asked: &Asked) -> Result<Response<Vec<u8>>, TransportError> {
        if state.is_down {
            return Err(TransportError::new("connection refused"));
        }
        if let Some(instead) = &state.instead {
            return Ok(instead.clone());
        }
        let path = asked.url.strip_prefix(super::ISSUER).unwrap();
        let body = match path {
            "/.well-known/jwks.json" => state.key_set.clone(),
            "/oauth2/introspect" => {
                let mut form = form_urlencoded::parse(asked.body.as_bytes());
                let (_, token) = form.find(|(name, _)| name == "token").unwrap();
                if let Some((status, body)) = state.about.get(token.as_ref()) {
                    let answer = Response::builder().status(*status);
                    return Ok(answer.body(body.clone().into_bytes()).unwrap());
                }
                let told = state.active.get(token.as_ref());
                told.cloned().unwrap_or_else(|| json!({ "active": false }))
            }
            other => panic!("nobody serves {other}"),
        };
        Ok(Response::new(body.to_string().into_bytes()))
    }
}

impl Transport for Fake {
    fn send(&self, request: Request<Vec<u8>>) -> Answering {
        let basic = request.headers().get(AUTHORIZATION).map(|header| {
            assert!(header.is_sensitive());
            let encoded = header.to_str().unwrap().strip_prefix("Basic ").unwrap();
            String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
        });
        let asked = Asked {
            method: request.method().to_string(),
            url: request.uri().to_string(),
            basic,
            body: String::from_utf8(request.into_body()).unwrap(),
        };
        let mut state = self.state();
        // As of now: what happens while the answer is on its way changes it no more.
        let reply = Self::reply(&state, &asked);
        state.asked.push(asked);
        let is_lost = state.lost > 0;
        state.lost = state.lost.saturating_sub(1);
        let gate = state.gate.clone();
        Box::pin(async move {
            if let Some(gate) = gate {
                gate.acquire().await.unwrap().forget();
            }
            if is_lost { Err(TransportError::new("connection reset")) } else { reply }
        })
    }
}
