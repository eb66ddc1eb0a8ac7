use minijinja::context;
use portcullis_flows::{
    LimitClass,
    registration::{ClaimError, Report},
};
use portcullis_kernel::Field;

use super::{TOKEN, dead, presented};
use crate::kit::{Answer, FormAnswers, PageCall, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_deny_claim, deny_claim);
}

/// Notes that the agent is not that of the person behind the link: it can no longer be claimed. Fields:
/// `token`; `report`, which is `yes` where an operator is to look at it.
#[utoipa::path(post, path = "/claim/deny", tag = "pages",
    responses(
        (status = 200, description = "Done: a page.", content_type = "text/html"),
        (status = 404, description = "The link does not work, or no longer: a page.",
            content_type = "text/html"),
        (status = 409, description = "It was claimed already: a page.", content_type = "text/html"),
        FormAnswers,
    ))]
async fn deny_claim(mut page: PageCall) -> Answer {
    let mut form = page.form(LimitClass::AgentRegistration, &[TOKEN, "report"]).await?;
    let report = match form.filled("report") {
        Field::Absent => Report::No,
        Field::Given(word) if word == "yes" => Report::Yes,
        Field::Given(_) | Field::Invalid(_) => {
            return Err(Refusal::malformed("Request validation failed."));
        }
    };
    let Some(token) = presented(form.filled_secret(TOKEN)) else {
        return dead(&page, Refusal::of(ClaimError::InvalidToken));
    };
    let denied =
        page.call.hop(move |engine, origin| engine.deny_claim(&token, report, origin)).await?;
    match denied {
        Ok(()) => page.show("claim_denied.html", context! { reported => report == Report::Yes }),
        Err(error) => dead(&page, Refusal::of(error)),
    }
}
