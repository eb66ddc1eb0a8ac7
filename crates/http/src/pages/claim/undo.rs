use minijinja::{context, value::Serde};
use portcullis_flows::{
    LimitClass,
    registration::{PresentedUndo, UndoError, ViewInput},
};
use portcullis_kernel::{Field, SecretString, codes};

use super::TOKEN;
use crate::kit::{Answer, FormAnswers, Moment, PageCall, Reads, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_show_undo, show_undo);
    routes.add(__path_undo_claim, undo_claim);
}

/// The page behind the link in the mail that tells of a claim. Opening it changes nothing.
#[utoipa::path(get, path = "/claim/undo", tag = "pages",
    params(("token" = Option<String>, Query, description = "`crt_…`, as it was mailed.")),
    responses(
        (status = 200, description = "A page.", content_type = "text/html"),
        (status = 401, description = "The link no longer works: a page.", content_type = "text/html"),
        Reads,
    ))]
async fn show_undo(page: PageCall) -> Answer {
    page.call.limit(LimitClass::Anonymous).await?;
    let raw = page.call.query().take(TOKEN);
    let Some(token) = presented(raw.clone().map(SecretString::from)) else {
        return dead(&page, Refusal::of(UndoError::InvalidToken));
    };
    match page.call.hop(move |engine, _| engine.preview_undo(&token)).await? {
        Ok(agent) => {
            let registered = Serde(Moment::from(agent.created_at));
            let (id, token) = (agent.id.to_string(), raw.given().unwrap_or_default());
            page.show("claim_undo.html", context! { id, registered, token })
        }
        Err(error) => dead(&page, Refusal::of(error)),
    }
}

/// Takes the agent from its owner, and every key from the agent. Field: `token`.
#[utoipa::path(post, path = "/claim/undo", tag = "pages",
    responses(
        (status = 200, description = "Done: a page.", content_type = "text/html"),
        (status = 401, description = "The link no longer works: a page.", content_type = "text/html"),
        FormAnswers,
    ))]
async fn undo_claim(mut page: PageCall) -> Answer {
    let mut form = page.form(LimitClass::Anonymous, &[TOKEN]).await?;
    let Some(token) = presented(form.filled_secret(TOKEN)) else {
        return dead(&page, Refusal::of(UndoError::InvalidToken));
    };
    match page.call.hop(move |engine, origin| engine.undo_claim(&token, origin)).await? {
        Ok(()) => page.show("claim_undone.html", context! {}),
        Err(error) => dead(&page, Refusal::of(error)),
    }
}

fn presented(token: Field<SecretString>) -> Option<PresentedUndo> {
    ViewInput { token }.check_undo().ok()
}

fn dead(page: &PageCall, refusal: Refusal) -> Answer {
    if refusal.code == codes::INVALID_TOKEN {
        return page.refuse("claim_undo_dead.html", refusal, context! {});
    }
    Err(refusal)
}
