use minijinja::{Value, context};
use portcullis_credentials::PlainAgentToken;
use portcullis_email::RequestKind;
use portcullis_flows::{
    LimitClass,
    agents::{AgentTokenError, PresentedAgentToken, ReadAgentToken},
};
use portcullis_identity::{Agent, EmailAddress};
use portcullis_kernel::{Field, SecretString, words::readable};

use super::{ask::Asking, link::TOKEN};
use crate::kit::{Answer, FormAnswers, PageCall, Reads, Refusal, Routes, seconds};

const ASKING: Asking = Asking {
    kind: RequestKind::AgentVerification,
    form: "verify_agent_ask.html",
    asked: "verify_agent_asked.html",
};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_show_agent_verification, show_agent_verification);
    routes.add(__path_verify_agent_by_link, verify_agent_by_link);
    routes.add(__path_ask_for_agent_verification, ask_for_agent_verification);
}

/// A link that was opened to confirm the address of an agent.
pub(super) struct AgentLink {
    /// Its token as it came, to be put into the form.
    raw: String,
    presented: PresentedAgentToken,
}

impl AgentLink {
    /// Reads it from the query; `None` when there is none, or one for something else.
    pub(super) fn opened(page: &PageCall) -> Option<Self> {
        let raw = page.call.query().take(TOKEN).given()?;
        let token = SecretString::from(raw.as_str());
        let meant = PlainAgentToken::is_meant_by(&token);
        let token = Field::Given(token);
        let presented = ReadAgentToken { token }.check().ok().filter(|_| meant)?;
        Some(Self { raw, presented })
    }
}

/// The page behind a link: which agent, so that its owner can tell whether it is theirs.
pub(super) async fn show_agent_link(page: PageCall, link: AgentLink) -> Answer {
    page.call.limit(LimitClass::AgentAnonymous).await?;
    let AgentLink { raw, presented } = link;
    let found = page.call.hop(move |engine, _| engine.preview_agent_email(&presented)).await?;
    match found {
        Ok(agent) => page.show("verify_agent.html", context! { token => raw, ..view(&agent) }),
        Err(error) => refuse(&page, error),
    }
}

/// The page that tells what became of a token.
pub(crate) fn show_proven_agent(page: &PageCall, proven: Result<Agent, AgentTokenError>) -> Answer {
    match proven {
        Ok(agent) => page.show("verify_agent_done.html", view(&agent)),
        Err(error) => refuse(page, error),
    }
}

fn refuse(page: &PageCall, error: AgentTokenError) -> Answer {
    match error {
        AgentTokenError::AlreadyUsed => page.show("verify_agent_used.html", context! {}),
        error => ASKING.dead(page, Refusal::of(error)),
    }
}

fn view(agent: &Agent) -> Value {
    let waits = agent.pending_email.as_ref();
    let address = waits.or(agent.email.as_ref().map(|proven| &proven.address));
    context! {
        name => agent.name.as_str(),
        id => agent.id.to_string(),
        email => address.map(EmailAddress::as_str),
        registered => readable(agent.created_at),
        registered_at => seconds(agent.created_at),
    }
}

/// Where another mail to confirm the address of an agent is asked for.
#[utoipa::path(get, path = "/verify-email/agent", tag = "pages",
    responses((status = 200, description = "A page.", content_type = "text/html"), Reads))]
async fn show_agent_verification(page: PageCall) -> Answer {
    page.call.limit(LimitClass::AgentAnonymous).await?;
    ASKING.show(&page)
}

/// Confirms the address of an agent. Field: `token`.
#[utoipa::path(post, path = "/verify-email/agent", tag = "pages",
    responses(
        (status = 200, description = "Done, now or before: a page.", content_type = "text/html"),
        (status = 401, description = "The link no longer works: a page.", content_type = "text/html"),
        FormAnswers,
    ))]
async fn verify_agent_by_link(mut page: PageCall) -> Answer {
    let mut form = page.form(LimitClass::AgentAnonymous, &[TOKEN]).await?;
    let token = match (ReadAgentToken { token: form.filled_secret(TOKEN) }).check() {
        Ok(token) => token,
        Err(invalid) => return ASKING.dead(&page, Refusal::of(invalid)),
    };
    let proven =
        page.call.hop(move |engine, origin| engine.verify_agent_email(&token, origin)).await?;
    show_proven_agent(&page, proven)
}

/// Mails another link to each agent of the address that waits for it, five at most. The answer is the
/// same for every address. Field: `email`.
#[utoipa::path(post, path = "/verify-email/agent/resend", tag = "pages",
    responses(
        (status = 200, description = "A page.", content_type = "text/html"),
        FormAnswers,
    ))]
async fn ask_for_agent_verification(mut page: PageCall) -> Answer {
    let form = page.form(LimitClass::AgentResend, &["email"]).await?;
    ASKING.ask(&page, form).await
}
