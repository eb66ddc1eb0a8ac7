use actix_web::HttpResponse;
use portcullis_flows::people::SessionView;
use serde::Serialize;
use utoipa::ToSchema;

use super::body::{PeopleError, SessionBody};
use crate::kit::{Answer, Call, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_list, list);
    routes.add(__path_end, end);
    routes.add(__path_end_others, end_others);
}

/// One of the caller's sessions.
#[derive(Serialize, ToSchema)]
struct OwnSessionBody {
    #[serde(flatten)]
    session: SessionBody,
    /// Whether it is the one that asks.
    current: bool,
}

/// The caller's sessions, the last used first.
#[derive(Serialize, ToSchema)]
struct SessionsBody {
    sessions: Vec<OwnSessionBody>,
}

impl From<SessionView> for OwnSessionBody {
    fn from(view: SessionView) -> Self {
        Self { session: view.session.into(), current: view.current }
    }
}

/// Lists the caller's live sessions.
#[utoipa::path(get, path = "/v1/auth/sessions", tag = "people",
    security(("access_token" = [])),
    responses(
        (status = 200, description = "The sessions.", body = SessionsBody),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn list(call: Call) -> Answer {
    let sessions = call
        .as_user(|engine, caller, _| engine.list_sessions(&caller).map_err(Refusal::of))
        .await?;
    let sessions = sessions.into_iter().map(OwnSessionBody::from).collect();
    Ok(HttpResponse::Ok().json(SessionsBody { sessions }))
}

/// Ends one of the caller's sessions.
#[utoipa::path(delete, path = "/v1/auth/sessions/{id}", tag = "people",
    params(("id" = String, Path, description = "The session's id.")),
    security(("access_token" = [])),
    responses(
        (status = 204, description = "It is over."),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 404, description = "`not_found`: no such session of the caller.", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn end(call: Call) -> Answer {
    let id = call.segment("id");
    call.as_user(move |engine, caller, origin| {
        engine.end_session(&caller, &id, origin).map_err(Refusal::of)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Ends all of the caller's sessions but the one that asks.
#[utoipa::path(delete, path = "/v1/auth/sessions", tag = "people",
    security(("access_token" = [])),
    responses(
        (status = 204, description = "They are over."),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn end_others(call: Call) -> Answer {
    call.as_user(|engine, caller, origin| {
        engine.end_other_sessions(&caller, origin).map_err(Refusal::of)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
