use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::kit::{Answer, Call, Refusal, Routes, seconds};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_health, health);
    routes.add(__path_ready, ready);
}

/// The state of the server.
#[derive(Serialize, ToSchema)]
struct Health {
    /// `healthy`, or `ready` at `/ready`.
    status: &'static str,
    /// The server's time, RFC 3339.
    timestamp: String,
    /// The server's version.
    version: &'static str,
}

/// Liveness: the process answers. Says nothing of the database.
#[utoipa::path(get, path = "/health", tag = "operations",
    responses((status = 200, description = "The process is alive.", body = Health)))]
async fn health(call: Call) -> Answer {
    call.quiet();
    Ok(HttpResponse::Ok().json(state(&call, "healthy")))
}

/// Readiness: the database answers, its schema is in place and tokens can be signed.
#[utoipa::path(get, path = "/ready", tag = "operations",
    responses(
        (status = 200, description = "Requests can be served.", body = Health),
        (status = 503, description = "They cannot; try again after `Retry-After` seconds."),
    ))]
async fn ready(call: Call) -> Answer {
    call.quiet();
    call.hop(|engine, _| engine.check_ready()).await?.map_err(Refusal::of)?;
    Ok(HttpResponse::Ok().json(state(&call, "ready")))
}

fn state(call: &Call, status: &'static str) -> Health {
    let timestamp = seconds(call.engine().now());
    Health { status, timestamp, version: env!("CARGO_PKG_VERSION") }
}
