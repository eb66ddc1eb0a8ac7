//! Portcullis inside an axum service of your own: register, sign in, refresh.
//!
//! It serves on 127.0.0.1:3000; with `--self-check` it takes a free port, plays its own client, and
//! exits. Storage is in memory, so every start begins with nothing.

#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

mod self_check;
mod web;

use std::{error::Error, net::SocketAddr, sync::Arc, thread::available_parallelism};

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use portcullis_flows::{
    Engine, EngineOptions, LimitClass, MasterKey, Parts,
    people::{Refresh, Register, SignIn},
};
use portcullis_jose::Josekit;
use portcullis_storage::MemoryStorage;
use portcullis_system::{SystemClock, SystemEntropy};
use serde_json::Value;
use tokio::{net::TcpListener, sync::Semaphore, task::spawn_blocking};

use web::{Answer, Peer, field, tokens};

type AnyError = Box<dyn Error + Send + Sync>;

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
        ..Register::default()
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

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), AnyError> {
    let checking = std::env::args().any(|argument| argument == "--self-check");
    let listener = TcpListener::bind(("127.0.0.1", if checking { 0 } else { 3000 })).await?;
    let address = listener.local_addr()?;
    println!("serving on http://{address}");
    let server = axum::serve(listener, app()?.into_make_service_with_connect_info::<SocketAddr>());
    if checking {
        tokio::spawn(server.into_future());
        return spawn_blocking(move || self_check::run(address)).await?;
    }
    Ok(server.await?)
}
