use super::{ID, context_of, refuse};
use crate::kit::{ACCOUNT, Answer, FormAnswers, PageCall, Reads, Routes, go};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_show_giving_up, show_giving_up);
    routes.add(__path_give_up_my_agent, give_up_my_agent);
}

/// Asks whether an agent of the account is really to be given up. Opening it changes nothing.
#[utoipa::path(get, path = "/account/agents/{id}/give-up", tag = "pages",
    params(("id" = String, Path, description = "The agent's id.")),
    responses(
        (status = 200, description = "A page.", content_type = "text/html"),
        (status = 303, description = "Nobody is signed in: to `/account`."),
        (status = 404, description = "No such agent of the account.", content_type = "text/html"),
        Reads,
    ))]
async fn show_giving_up(page: PageCall) -> Answer {
    let Some(owner) = page.owner().await? else { return Ok(go(ACCOUNT)) };
    let context = context_of(&page, &owner).await?;
    page.show("agent_give_up.html", context)
}

/// Gives an agent of the account up: all its credentials are dead, and it belongs to nobody. Field:
/// `csrf`.
#[utoipa::path(post, path = "/account/agents/{id}/give-up", tag = "pages",
    params(("id" = String, Path, description = "The agent's id.")),
    responses(
        (status = 303, description = "It is done: to `/account/agents`."),
        (status = 404, description = "No such agent of the account.", content_type = "text/html"),
        FormAnswers,
    ))]
async fn give_up_my_agent(mut page: PageCall) -> Answer {
    let Some((owner, _)) = page.owners_form(&[]).await? else { return Ok(go(ACCOUNT)) };
    let id = page.call.segment(ID);
    let done =
        page.call.hop(move |engine, origin| engine.give_up_agent(&owner.caller, &id, origin));
    match done.await? {
        Ok(()) => Ok(go("/account/agents?done=agent")),
        Err(error) => refuse(&page, error),
    }
}
