//! Portcullis inside an axum service of your own: register, sign in, refresh.
//!
//! `cargo run --example embed_axum` serves on 127.0.0.1:3000; with `-- --self-check` it takes a free
//! port, plays its own client, and exits. Storage is in memory, so every start begins with nothing.

#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::{
    error::Error,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread::available_parallelism,
};

use axum::{
    Json, Router,
    extract::{ConnectInfo, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use portcullis_flows::{
    Engine, EngineOptions, LimitClass, MasterKey, Parts,
    people::{Refresh, Register, SignIn, Tokens},
};
use portcullis_jose::Josekit;
use portcullis_kernel::{Classify, ErrorKind, ExposeSecret as _, Field, Origin};
use portcullis_storage::MemoryStorage;
use portcullis_system::{SystemClock, SystemEntropy};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore, task::spawn_blocking};

type AnyError = Box<dyn Error + Send + Sync>;

// ── The service ─────────────────────────────────────────────────────────────────────────────────

/// The engine, and the permits to hash a password: one for each core.
#[derive(Clone)]
struct App(Arc<Engine>, Arc<Semaphore>);

fn app() -> Result<Router, AnyError> {
    let parts = Parts {
        storage: Arc::new(MemoryStorage::default()),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        jose: Arc::new(Josekit),
        master_key: MasterKey::generate(&SystemEntropy)?,
    };
    let engine = Engine::new(parts, EngineOptions::default())?;
    engine.open_keys()?;
    let router = Router::new()
        .route("/register", post(register))
        .route("/login", post(sign_in))
        .route("/refresh", post(refresh));
    let permits = Semaphore::new(available_parallelism()?.get());
    Ok(router.with_state(App(Arc::new(engine), Arc::new(permits))))
}

async fn register(State(app): State<App>, peer: Peer, Json(body): Json<Value>) -> Answer {
    let registration = app.0.check_registration(Register {
        email: field(&body, "email"),
        password: field(&body, "password").map(Into::into),
        display_name: field(&body, "display_name"),
    })?;
    let joined =
        app.hashing(LimitClass::Register, peer, |auth, from| auth.register(registration, from));
    Ok((StatusCode::CREATED, tokens(&joined.await?.tokens)))
}

async fn sign_in(State(app): State<App>, peer: Peer, Json(body): Json<Value>) -> Answer {
    let attempt = app.0.check_sign_in(SignIn {
        email: field(&body, "email"),
        password: field(&body, "password").map(Into::into),
    })?;
    let entered = app.hashing(LimitClass::SignIn, peer, |auth, from| auth.sign_in(attempt, from));
    Ok((StatusCode::OK, tokens(&entered.await?.tokens)))
}

async fn refresh(State(app): State<App>, peer: Peer, Json(body): Json<Value>) -> Answer {
    let token = Refresh { refresh_token: field(&body, "refresh_token").map(Into::into) }.check()?;
    let rotated = app.blocking(LimitClass::Anonymous, peer, |auth, from| auth.refresh(token, from));
    Ok((StatusCode::OK, tokens(&rotated.await?)))
}

// ── From and to the web ─────────────────────────────────────────────────────────────────────────

type Peer = ConnectInfo<SocketAddr>;
type Answer = Result<(StatusCode, Json<Value>), Refusal>;

impl App {
    /// Makes a call that hashes a password, when it is its turn.
    async fn hashing<T: Send + 'static, E: Into<Refusal>>(
        &self,
        class: LimitClass,
        peer: Peer,
        call: impl FnOnce(&Engine, &Origin) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Refusal> {
        let _permit = self.1.acquire().await.map_err(|_| Refusal::internal())?;
        self.blocking(class, peer, call).await
    }

    /// Counts the request, and makes a call of the engine where it may block.
    async fn blocking<T: Send + 'static, E: Into<Refusal>>(
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

fn field(body: &Value, name: &str) -> Field<String> {
    match body.get(name) {
        None | Some(Value::Null) => Field::Absent,
        Some(Value::String(text)) => Field::Given(text.clone()),
        Some(_) => Field::Invalid("must be a string".into()),
    }
}

fn tokens(tokens: &Tokens) -> Json<Value> {
    Json(json!({
        "access_token": tokens.access.token.expose_secret(),
        "refresh_token": tokens.refresh.expose_secret(),
        "expires_in": tokens.access.expires_in,
    }))
}

/// Any error of the engine, as the answer to a client.
struct Refusal(StatusCode, Value);

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

// ── Serving, and the self-check ─────────────────────────────────────────────────────────────────

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), AnyError> {
    let checking = std::env::args().any(|argument| argument == "--self-check");
    let listener = TcpListener::bind(("127.0.0.1", if checking { 0 } else { 3000 })).await?;
    let address = listener.local_addr()?;
    println!("serving on http://{address}");
    let server = axum::serve(listener, app()?.into_make_service_with_connect_info::<SocketAddr>());
    if !checking {
        return Ok(server.await?);
    }
    tokio::spawn(server.into_future());
    spawn_blocking(move || self_check(address)).await?
}

fn self_check(server: SocketAddr) -> Result<(), AnyError> {
    let jane = json!({ "email": "jane@example.com", "password": "correct horse battery" });
    let wrong = json!({ "email": "jane@example.com", "password": "incorrect horse" });
    expect(201, server, "/register", &jane)?;
    expect(409, server, "/register", &jane)?;
    expect(400, server, "/register", &json!({ "email": 1, "password": "short" }))?;
    expect(401, server, "/login", &wrong)?;
    let entered = expect(200, server, "/login", &jane)?;
    let rotated = expect(200, server, "/refresh", &entered)?;
    expect(401, server, "/refresh", &entered)?;
    expect(200, server, "/refresh", &rotated)?;
    println!("all as it should be");
    Ok(())
}

/// Posts, and gives the answer's body if its status is the expected one.
fn expect(status: u16, server: SocketAddr, path: &str, body: &Value) -> Result<Value, AnyError> {
    let body = body.to_string();
    let mut stream = TcpStream::connect(server)?;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {server}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("not an HTTP answer")?;
    println!("POST {path:<10} {}", head.lines().next().unwrap_or_default());
    if !head.starts_with(&format!("HTTP/1.1 {status} ")) {
        return Err(format!("{status} was expected: {answer}").into());
    }
    Ok(serde_json::from_str(body)?)
}
