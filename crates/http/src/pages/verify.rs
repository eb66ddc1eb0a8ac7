use minijinja::{context, value::Serde};
use portcullis_credentials::MailedKind;
use portcullis_email::RequestKind;
use portcullis_flows::{Engine, LimitClass};

use super::{
    ask::Asking,
    link::{Account, Link, TOKEN, spend},
    verify_agent::{AgentLink, show_agent_link},
};
use crate::kit::{Answer, FormAnswers, PageCall, Reads, Routes};

const KIND: MailedKind = MailedKind::VerifyEmail;
const ASKING: Asking =
    Asking { kind: RequestKind::Verification, form: "verify_ask.html", asked: "verify_asked.html" };

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_show_verification, show_verification);
    routes.add(__path_verify_by_link, verify_by_link);
    routes.add(__path_disown_by_link, disown_by_link);
    routes.add(__path_ask_for_verification, ask_for_verification);
}

/// The page behind the link that confirms the address of an account or an agent: whose it is, opened or
/// registered when, and from where. Opening it changes nothing.
#[utoipa::path(get, path = "/verify-email", tag = "pages",
    params(("token" = Option<String>, Query, description = "`uvt_…` or `evt_…`, as it was mailed.")),
    responses(
        (status = 200, description = "A page.", content_type = "text/html"),
        (status = 401, description = "The link no longer works: a page.", content_type = "text/html"),
        Reads,
    ))]
async fn show_verification(page: PageCall) -> Answer {
    if let Some(link) = AgentLink::opened(&page) {
        return show_agent_link(page, link).await;
    }
    page.call.limit(LimitClass::Anonymous).await?;
    let Some(link) = Link::opened(&page, KIND) else { return ASKING.show(&page) };
    match link.look(&page, Engine::preview_verification).await {
        Ok(user) => {
            let account = Serde(Account::from(user));
            page.show("verify.html", context! { account, token => link.raw })
        }
        Err(refusal) => ASKING.dead(&page, refusal),
    }
}

/// Confirms the address. Field: `token`.
#[utoipa::path(post, path = "/verify-email", tag = "pages",
    responses(
        (status = 200, description = "Done: a page.", content_type = "text/html"),
        (status = 401, description = "The link no longer works: a page.", content_type = "text/html"),
        FormAnswers,
    ))]
async fn verify_by_link(mut page: PageCall) -> Answer {
    let form = page.form(LimitClass::Anonymous, &[TOKEN]).await?;
    match spend(&page, KIND, form, Engine::verify_email).await {
        Ok(user) => page.show("verify_done.html", context! { email => user.email.as_str() }),
        Err(refusal) => ASKING.dead(&page, refusal),
    }
}

/// Deletes the account, which somebody else opened and nobody confirmed. Field: `token`.
#[utoipa::path(post, path = "/verify-email/not-me", tag = "pages",
    responses(
        (status = 200, description = "Done: a page.", content_type = "text/html"),
        (status = 401, description = "The link no longer works: a page.", content_type = "text/html"),
        FormAnswers,
    ))]
async fn disown_by_link(mut page: PageCall) -> Answer {
    let form = page.form(LimitClass::Anonymous, &[TOKEN]).await?;
    match spend(&page, KIND, form, Engine::disown_account).await {
        Ok(()) => page.show("verify_disowned.html", context! {}),
        Err(refusal) => ASKING.dead(&page, refusal),
    }
}

/// Mails another link. The answer is the same for every address. Field: `email`.
#[utoipa::path(post, path = "/verify-email/resend", tag = "pages",
    responses(
        (status = 200, description = "A page.", content_type = "text/html"),
        FormAnswers,
    ))]
async fn ask_for_verification(mut page: PageCall) -> Answer {
    let form = page.form(LimitClass::Anonymous, &["email"]).await?;
    ASKING.ask(&page, form).await
}
