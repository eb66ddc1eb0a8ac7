use minijinja::{context, value::Serde};
use portcullis_flows::people::{SessionError, SessionView};
use portcullis_kernel::{Field, words::readable};
use serde::Serialize;

use super::{device::device, view};
use crate::kit::{ACCOUNT, Answer, FormAnswers, PageCall, Reads, Refusal, Routes, go, seconds};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_show_sessions, show_sessions);
    routes.add(__path_end_one_session, end_one_session);
    routes.add(__path_end_all_other_sessions, end_all_other_sessions);
}

/// A session as its owner is shown it.
#[derive(Serialize)]
struct Shown {
    id: String,
    device: String,
    ip: Option<String>,
    created: String,
    created_at: String,
    used: String,
    used_at: String,
    current: bool,
}

impl From<SessionView> for Shown {
    fn from(view: SessionView) -> Self {
        let session = view.session;
        Self {
            id: session.id.to_string(),
            device: device(session.user_agent.as_deref()),
            ip: session.ip,
            created: readable(session.created_at),
            created_at: seconds(session.created_at),
            used: readable(session.last_used_at),
            used_at: seconds(session.last_used_at),
            current: view.current,
        }
    }
}

/// Where the account is signed in.
#[utoipa::path(get, path = "/account/sessions", tag = "pages",
    params(("done" = Option<String>, Query, description = "What was done just before: a word.")),
    responses(
        (status = 200, description = "A page.", content_type = "text/html"),
        (status = 303, description = "Nobody is signed in: to `/account`."),
        Reads,
    ))]
async fn show_sessions(page: PageCall) -> Answer {
    let Some(owner) = page.owner().await? else { return Ok(go(ACCOUNT)) };
    let context = view::of(&page, &owner);
    let listed = page.call.hop(move |engine, _| engine.list_sessions(&owner.caller)).await?;
    let listed = listed.map_err(Refusal::of)?;
    let sessions: Vec<Shown> = listed.into_iter().map(Shown::from).collect();
    page.show("sessions.html", context! { sessions => Serde(sessions), ..context })
}

/// Ends one session of the account. Fields: `session`, `csrf`.
#[utoipa::path(post, path = "/account/sessions/end", tag = "pages",
    responses(
        (status = 303, description = "It is over: to `/account/sessions`."),
        FormAnswers,
    ))]
async fn end_one_session(mut page: PageCall) -> Answer {
    let Some((owner, form)) = page.owners_form(&["session"]).await? else {
        return Ok(go(ACCOUNT));
    };
    let Field::Given(id) = form.text("session") else {
        return Err(Refusal::malformed("Request validation failed."));
    };
    let ended = page.call.hop(move |engine, origin| engine.end_session(&owner.caller, &id, origin));
    match ended.await? {
        // What is no session of theirs was ended already, for all that they are told.
        Ok(()) | Err(SessionError::NotFound) => Ok(go("/account/sessions?done=session")),
        Err(error) => Err(Refusal::of(error)),
    }
}

/// Ends all sessions of the account but this one. Field: `csrf`.
#[utoipa::path(post, path = "/account/sessions/end-others", tag = "pages",
    responses(
        (status = 303, description = "They are over: to `/account/sessions`."),
        FormAnswers,
    ))]
async fn end_all_other_sessions(mut page: PageCall) -> Answer {
    let Some((owner, _)) = page.owners_form(&[]).await? else { return Ok(go(ACCOUNT)) };
    let ended =
        page.call.hop(move |engine, origin| engine.end_other_sessions(&owner.caller, origin));
    ended.await?.map_err(Refusal::of)?;
    Ok(go("/account/sessions?done=sessions"))
}
