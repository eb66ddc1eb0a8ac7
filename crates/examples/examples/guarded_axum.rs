//! An API on axum whose callers are agents with access tokens or API keys of Portcullis: notes that are
//! read with the scope `api.read` and written with `api.write`, for one credit each.
//!
//! `guarded_axum PORT` serves on 127.0.0.1 (port 0 is any free one), and takes from the environment:
//!
//! | variable | |
//! |---|---|
//! | `ISSUER` | the auth server, such as `http://127.0.0.1:8080` |
//! | `RESOURCE` | this API, such as `http://127.0.0.1:3001` |
//! | `RESOURCE_SERVER_ID`, `RESOURCE_SERVER_SECRET` | what `portcullis resources add` told |
//! | `KEY_CACHE_SECONDS` | for how long answers about API keys are kept: 0 to 5, which is the default |

#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
#![expect(clippy::disallowed_methods, reason = "its settings are variables of the environment")]

use std::{
    env,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use portcullis_guard::{
    About, Cost, Credentials, Guard, GuardOptions, HttpsClient, IntrospectionPolicy, OperationId,
    Principal, Refusal,
    tower::{GuardLayer, MetadataService},
};
use portcullis_system::{SystemClock, SystemEntropy};
use serde::{Deserialize, Serialize};
use time::Duration;
use tokio::net::TcpListener;

type AnyError = Box<dyn Error + Send + Sync>;

/// What a note costs.
const COST: Cost = Cost::of::<1>();

#[derive(Clone)]
struct Api {
    guard: Guard,
    notes_at: String,
    notes: Arc<Mutex<Vec<Note>>>,
}

#[derive(Serialize)]
struct Start {
    notes: String,
}

#[derive(Clone, Serialize)]
struct Note {
    by: String,
    text: String,
    /// By which its charge is known.
    #[serde(skip)]
    operation: OperationId,
}

#[derive(Deserialize)]
struct NewNote {
    text: String,
}

fn variable(name: &str) -> Result<String, String> {
    let value = env::var(name).ok().filter(|value| !value.is_empty());
    value.ok_or_else(|| format!("the variable {name} is missing or empty"))
}

fn guard() -> Result<Guard, AnyError> {
    let credentials = Credentials {
        id: variable("RESOURCE_SERVER_ID")?,
        secret: variable("RESOURCE_SERVER_SECRET")?.into(),
    };
    let cache = env::var("KEY_CACHE_SECONDS").map_or(Ok(5), |seconds| seconds.parse())?;
    let positive = Duration::seconds(cache);
    let options = GuardOptions {
        credentials: Some(credentials),
        introspection: IntrospectionPolicy {
            positive,
            negative: positive.min(Duration::SECOND),
            ..IntrospectionPolicy::default()
        },
        about: About {
            name: Some("Notes".to_owned()),
            scopes: Some("api.read api.write".parse()?),
            ..About::default()
        },
        ..GuardOptions::new(variable("ISSUER")?, variable("RESOURCE")?)
    };
    Ok(Guard::new(options, Arc::new(SystemClock), Arc::new(HttpsClient::new()?))?)
}

fn app(guard: Guard) -> Result<Router, AnyError> {
    let reader = GuardLayer::new(&guard).requiring("api.read".parse()?);
    let writer = GuardLayer::new(&guard).requiring("api.write".parse()?);
    let metadata = guard.metadata().path().to_owned();
    let notes_at = format!("{}/notes", variable("RESOURCE")?);
    Ok(Router::new()
        .route("/", get(start).layer(reader.clone()))
        .route("/notes", get(list).layer(reader).merge(post(write).layer(writer)))
        .route_service(&metadata, MetadataService::new(&guard))
        .with_state(Api { guard, notes_at, notes: Arc::default() }))
}

/// Where an agent begins that knows nothing but the address of this API.
async fn start(State(api): State<Api>) -> Json<Start> {
    Json(Start { notes: api.notes_at })
}

async fn list(State(api): State<Api>) -> Json<Vec<Note>> {
    Json(api.notes.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

/// A client that sends the same `Idempotency-Key` again is charged once, and gets the same note.
async fn write(
    State(api): State<Api>,
    principal: Principal,
    headers: HeaderMap,
    Json(new): Json<NewNote>,
) -> Result<Response, Refusal> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let operation = match key {
        Some(key) => Ok(OperationId::of(&principal, "POST /notes", key)),
        None => OperationId::random(&SystemEntropy),
    };
    let Ok(operation) = operation else {
        return Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response());
    };
    api.guard.charge(&principal, COST, &operation).await?;
    let mut notes = api.notes.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(note) = notes.iter().find(|note| note.operation == operation) {
        return Ok(Json(note.clone()).into_response());
    }
    let note = Note { by: principal.subject.to_string(), text: new.text, operation };
    notes.push(note.clone());
    Ok((StatusCode::CREATED, Json(note)).into_response())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), AnyError> {
    // What the guard has to say, such as that the auth server does not know this API, goes there.
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let port = env::args().nth(1).map_or(Ok(3001), |port| port.parse::<u16>())?;
    let app = app(guard()?)?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("serving on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
