//! An API on actix-web whose callers are agents with access tokens or API keys of Portcullis: notes that
//! are read with the scope `api.read` and written with `api.write`.
//!
//! `guarded_actix PORT` serves on 127.0.0.1 (port 0 is any free one), and takes from the environment:
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

use actix_web::{
    App, HttpResponse, HttpServer,
    web::{self, Data, Json},
};
use portcullis_guard::{
    About, Credentials, Guard, GuardOptions, HttpsClient, IntrospectionPolicy, Principal, Scopes,
    actix::{Protect, metadata},
};
use portcullis_system::SystemClock;
use serde::{Deserialize, Serialize};
use time::Duration;

type AnyError = Box<dyn Error + Send + Sync>;

#[derive(Clone, Serialize)]
struct Note {
    by: String,
    text: String,
}

#[derive(Deserialize)]
struct NewNote {
    text: String,
}

type Notes = Data<Mutex<Vec<Note>>>;

fn guard() -> Result<Guard, AnyError> {
    let variable = |name: &str| {
        let value = env::var(name).ok().filter(|value| !value.is_empty());
        value.ok_or_else(|| format!("the variable {name} is missing or empty"))
    };
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

async fn list(notes: Notes) -> HttpResponse {
    HttpResponse::Ok().json(&*notes.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn write(principal: Principal, notes: Notes, new: Json<NewNote>) -> HttpResponse {
    let note = Note { by: principal.subject.to_string(), text: new.into_inner().text };
    notes.lock().unwrap_or_else(PoisonError::into_inner).push(note.clone());
    HttpResponse::Created().json(note)
}

#[actix_web::main]
async fn main() -> Result<(), AnyError> {
    // What the guard has to say, such as that the auth server does not know this API, goes there.
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let port = env::args().nth(1).map_or(Ok(3002), |port| port.parse::<u16>())?;
    let guard = guard()?;
    let (read, written) = ("api.read".parse::<Scopes>()?, "api.write".parse::<Scopes>()?);
    let notes = Notes::default();
    let server = HttpServer::new(move || {
        let reader = Protect::new(&guard).requiring(read.clone());
        let writer = Protect::new(&guard).requiring(written.clone());
        App::new().app_data(notes.clone()).service(metadata(&guard)).service(
            web::resource("/notes")
                .route(web::get().to(list).wrap(reader))
                .route(web::post().to(write).wrap(writer)),
        )
    });
    let server = server.bind(("127.0.0.1", port))?;
    for address in server.addrs() {
        println!("serving on http://{address}");
    }
    Ok(server.run().await?)
}
