//! From and to the web: what a request holds, where a call of the engine runs, what is answered.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json,
    extract::ConnectInfo,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use portcullis_flows::{Engine, LimitClass, people::Tokens};
use portcullis_kernel::{Classify, ErrorKind, ExposeSecret as _, Field, Origin};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::App;

/// The other end of the connection: the client, unless a proxy stands between.
pub(crate) type Peer = ConnectInfo<SocketAddr>;
pub(crate) type Answer = Result<(StatusCode, Json<Value>), Refusal>;

impl App {
    /// Makes a call that hashes a password, when it is its turn.
    pub(crate) async fn hashing<T: Send + 'static, E: Into<Refusal>>(
        &self,
        class: LimitClass,
        peer: Peer,
        call: impl FnOnce(&Engine, &Origin) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Refusal> {
        let _permit = self.1.acquire().await.map_err(|_| Refusal::internal())?;
        self.blocking(class, peer, call).await
    }

    /// Counts the request, and makes a call of the engine where it may block.
    pub(crate) async fn blocking<T: Send + 'static, E: Into<Refusal>>(
        &self,
        class: LimitClass,
        ConnectInfo(peer): Peer,
        call: impl FnOnce(&Engine, &Origin) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Refusal> {
        let auth = Arc::clone(&self.0);
        let work = move || {
            let origin = Origin::new("embedded", peer.ip(), None);
            auth.admit_address(class, peer.ip(), &origin)?;
            call(&auth, &origin).map_err(Into::into)
        };
        spawn_blocking(work).await.unwrap_or_else(|_| Err(Refusal::internal()))
    }
}

/// A field of a body, as the engine wants it judged.
pub(crate) fn field(body: &Value, name: &str) -> Field<String> {
    match body.get(name) {
        None | Some(Value::Null) => Field::Absent,
        Some(Value::String(text)) => Field::Given(text.clone()),
        Some(_) => Field::Invalid("must be a string".into()),
    }
}

/// What a signed-in client is given.
pub(crate) fn tokens(tokens: &Tokens) -> Json<Value> {
    Json(json!({
        "access_token": tokens.access.token.expose_secret(),
        "refresh_token": tokens.refresh.expose_secret(),
        "expires_in": tokens.access.expires_in,
    }))
}

/// Any error of the engine, as the answer to a client.
pub(crate) struct Refusal(StatusCode, Value);

impl Refusal {
    fn internal() -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, json!({ "code": "internal_error" }))
    }
}

impl<E: Classify> From<E> for Refusal {
    fn from(error: E) -> Self {
        let status = match error.kind() {
            ErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
            ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
            ErrorKind::Forbidden => StatusCode::FORBIDDEN,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            // The cause is for your log, and no client's business.
            _ => return Self::internal(),
        };
        let broken: Option<Value> = error.fields().map(|fields| {
            fields.iter().map(|(name, why)| (name.to_owned(), Value::from(why))).collect()
        });
        Self(
            status,
            json!({ "code": error.code(), "message": error.to_string(), "broken": broken }),
        )
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}
