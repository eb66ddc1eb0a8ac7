//! What a person sees of an agent that asks to be claimed: `/claim` and what is below it. The token of the
//! link is the proof; no page holds the token that claims, a code or a key.

mod deny;
mod show;
mod start;
mod undo;

use minijinja::{Value, context, value::Serde};
use portcullis_flows::{
    LimitClass,
    registration::{ClaimError, ClaimView, PresentedView, ViewInput},
};
use portcullis_kernel::{Field, SecretString, codes, words::span};

use self::show::ShownClaim;
use super::link::TOKEN;
use crate::kit::{Answer, Filled, PageCall, Reads, Refusal, Routes};

const FORM: &str = "claim.html";

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_show_claim, show_claim);
    start::mount(routes);
    deny::mount(routes);
    undo::mount(routes);
}

/// Which agent asks, for what, since when; and where its person has a code mailed, or denies it. Opening
/// it changes nothing.
#[utoipa::path(get, path = "/claim", tag = "pages",
    params(("token" = Option<String>, Query, description = "`cvt_…`, as the agent was given it.")),
    responses(
        (status = 200, description = "A page.", content_type = "text/html"),
        (status = 403, description = "A person denied it: a page.", content_type = "text/html"),
        (status = 404, description = "The link does not work, or no longer: a page.",
            content_type = "text/html"),
        (status = 409, description = "It was claimed already: a page.", content_type = "text/html"),
        Reads,
    ))]
async fn show_claim(page: PageCall) -> Answer {
    page.call.limit(LimitClass::Anonymous).await?;
    let token = page.call.query().take(TOKEN);
    match look(&page, token.clone()).await? {
        Ok(view) => {
            let form = Filled::default().with(TOKEN, token);
            page.show(FORM, context! { form, ..context_of(&page, &view) })
        }
        Err(error) => dead(&page, Refusal::of(error)),
    }
}

/// What the token of a link or form shows.
async fn look(
    page: &PageCall,
    token: Field<String>,
) -> Result<Result<ClaimView, ClaimError>, Refusal> {
    let Some(token) = presented(token.map(SecretString::from)) else {
        return Ok(Err(ClaimError::InvalidToken));
    };
    page.call.hop(move |engine, _| engine.view_claim(&token)).await
}

/// The token of a link or form; none where there is no text at all.
fn presented(token: Field<SecretString>) -> Option<PresentedView> {
    ViewInput { token }.check().ok()
}

fn context_of(page: &PageCall, view: &ClaimView) -> Value {
    let code_span = span(page.engine().options().agent_registration.code);
    context! { claim => Serde(ShownClaim::from(view)), code_span }
}

/// The page instead of that of a claim that cannot be made any more.
fn dead(page: &PageCall, refusal: Refusal) -> Answer {
    let state = match refusal.code {
        codes::INVALID_CLAIM_TOKEN => "unknown",
        codes::ALREADY_CLAIMED => "claimed",
        codes::CLAIM_DENIED => "denied",
        _ => return Err(refusal),
    };
    page.refuse("claim_dead.html", refusal, context! { state })
}
