use actix_web::HttpResponse;
use portcullis_flows::people::SessionView;
use serde::Serialize;
use utoipa::ToSchema;

use super::body::PeopleError;
use crate::kit::{Answer, Call, Refusal, Routes, seconds};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_list, list);
    routes.add(__path_end, end);
    routes.add(__path_end_others, end_others);
}

/// A session.
#[derive(Serialize, ToSchema)]
struct SessionBody {
    /// Its id.
    #[schema(example = "ses_0123456789abcdef0123456789abcdef")]
    id: String,
    /// The sign-in, RFC 3339.
    created_at: String,
    /// The sign-in or the last refresh, RFC 3339.
    last_used_at: String,
    /// The client's address at sign-in.
    ip: Option<String>,
    /// The client's `User-Agent` at sign-in.
    user_agent: Option<String>,
    /// Whether it is the one that asks.
    current: bool,
}

/// The caller's sessions, the last used first.
#[derive(Serialize, ToSchema)]
struct SessionsBody {
    sessions: Vec<SessionBody>,
}

impl From<SessionView> for SessionBody {
    fn from(view: SessionView) -> Self {
        let session = view.session;
        Self {
            id: session.id.to_string(),
            created_at: seconds(session.created_at),
            last_used_at: seconds(session.last_used_at),
            ip: session.ip,
            user_agent: session.user_agent,
            current: view.current,
        }
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
    let sessions = sessions.into_iter().map(SessionBody::from).collect();
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
