use minijinja::context;
use portcullis_flows::{
    LimitClass,
    registration::{ClaimError, ClaimInput},
};
use portcullis_kernel::{FieldErrors, codes, words::span};

use super::{FORM, TOKEN, context_of, dead, look};
use crate::kit::{Answer, Filled, FormAnswers, FormBody, PageCall, Refusal, Routes};

/// What is wrong with the form, and not with the claim.
const OF_THE_FORM: [&str; 4] =
    [codes::VALIDATION_ERROR, codes::INVALID_EMAIL, codes::EMAIL_MISMATCH, codes::CODES_EXHAUSTED];

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_mail_claim_code, mail_claim_code);
}

/// Has a code mailed to the person who is to claim the agent. The answer is the same whether a mail went
/// or not. Fields: `token`, `email`.
#[utoipa::path(post, path = "/claim", tag = "pages",
    responses(
        (status = 200, description = "A page.", content_type = "text/html"),
        (status = 404, description = "The link does not work, or no longer: a page.",
            content_type = "text/html"),
        (status = 409, description = "Another address is to claim it, or too many codes were mailed: the \
            form; or it was claimed already: a page."),
        FormAnswers,
    ))]
async fn mail_claim_code(mut page: PageCall) -> Answer {
    let form = page.form(LimitClass::AgentRegistration, &[TOKEN, "email"]).await?;
    let token = form.text(TOKEN);
    let filled = Filled::default().with(TOKEN, token.clone()).with("email", form.text("email"));
    match start(&page, form).await {
        Ok(()) => {
            let code_span = span(page.engine().options().agent_registration.code);
            page.show("claim_mailed.html", context! { code_span })
        }
        Err(refusal) if OF_THE_FORM.contains(&refusal.code) => match look(&page, token).await? {
            Ok(view) => page.again(FORM, filled, refusal, context_of(&page, &view)),
            Err(error) => dead(&page, Refusal::of(error)),
        },
        Err(refusal) => dead(&page, refusal),
    }
}

async fn start(page: &PageCall, mut form: FormBody) -> Result<(), Refusal> {
    let input = ClaimInput { token: form.filled_secret(TOKEN), email: form.filled("email") };
    let start = page.engine().check_start_claim_by_view(input).map_err(Refusal::of)?;
    let started = page.call.hop(move |engine, origin| engine.start_claim_by_view(&start, origin));
    started.await?.map(drop).map_err(refused)
}

/// The refusal in words for a person; those of the engine are for the agent.
fn refused(error: ClaimError) -> Refusal {
    match error {
        ClaimError::EmailMismatch => {
            let mut refusal = Refusal::of(error);
            let mut fields = FieldErrors::default();
            fields.add("email", "must be the one that the agent named");
            refusal.fields = Some(fields);
            refusal
        }
        ClaimError::CodesExhausted => {
            let mut refusal = Refusal::of(error);
            "We mail no more codes for this agent. Ask it to sign up again."
                .clone_into(&mut refusal.message);
            refusal
        }
        error => Refusal::of(error),
    }
}
