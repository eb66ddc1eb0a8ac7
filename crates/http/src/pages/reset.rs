use minijinja::{Value, context};
use portcullis_credentials::MailedKind;
use portcullis_email::RequestKind;
use portcullis_flows::{Engine, LimitClass, people::ResetPassword};
use portcullis_kernel::{Field, codes};

use super::{
    ask::Asking,
    link::{Link, TOKEN},
};
use crate::kit::{Answer, Filled, FormAnswers, FormBody, PageCall, Reads, Refusal, Routes};

const ASKING: Asking =
    Asking { kind: RequestKind::Reset, form: "reset_ask.html", asked: "reset_asked.html" };

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_show_reset, show_reset);
    routes.add(__path_ask_for_reset, ask_for_reset);
    routes.add(__path_reset_by_link, reset_by_link);
}

/// Where a mail to set a new password is asked for; with a token, where the password is chosen.
/// Opening it changes nothing.
#[utoipa::path(get, path = "/reset-password", tag = "pages",
    params(("token" = Option<String>, Query, description = "`rst_…`, as it was mailed.")),
    responses(
        (status = 200, description = "A page.", content_type = "text/html"),
        (status = 401, description = "The link no longer works: a page.", content_type = "text/html"),
        Reads,
    ))]
async fn show_reset(page: PageCall) -> Answer {
    page.call.limit(LimitClass::Anonymous).await?;
    let Some(link) = Link::opened(&page, MailedKind::ResetPassword) else {
        return ASKING.show(&page);
    };
    match link.look(&page, Engine::preview_reset).await {
        Ok(user) => {
            let form = Filled::default().with(TOKEN, Field::Given(link.raw));
            page.show("reset.html", context! { form, ..view(&page, user.email.as_str()) })
        }
        Err(refusal) => ASKING.dead(&page, refusal),
    }
}

/// Mails a link to set a new password. The answer is the same for every address. Field: `email`.
#[utoipa::path(post, path = "/reset-password", tag = "pages",
    responses(
        (status = 200, description = "A page.", content_type = "text/html"),
        FormAnswers,
    ))]
async fn ask_for_reset(mut page: PageCall) -> Answer {
    let form = page.form(LimitClass::PasswordReset, &["email"]).await?;
    ASKING.ask(&page, form).await
}

/// Sets the password; every session of the user ends. Fields: `token`, `password`.
#[utoipa::path(post, path = "/reset-password/confirm", tag = "pages",
    responses(
        (status = 200, description = "Done: a page.", content_type = "text/html"),
        (status = 401, description = "The link no longer works: a page.", content_type = "text/html"),
        FormAnswers,
    ))]
async fn reset_by_link(mut page: PageCall) -> Answer {
    let form = page.form(LimitClass::Anonymous, &[TOKEN, "password"]).await?;
    let filled = Filled::default().with(TOKEN, form.text(TOKEN));
    match set_password(&page, form).await {
        Ok(()) => page.show("reset_done.html", context! {}),
        Err(refusal) if refusal.code == codes::INVALID_TOKEN => ASKING.dead(&page, refusal),
        Err(refusal) => page.again("reset.html", filled, refusal, view(&page, "")),
    }
}

async fn set_password(page: &PageCall, mut form: FormBody) -> Result<(), Refusal> {
    let input =
        ResetPassword { token: form.filled_secret(TOKEN), password: form.secret("password") };
    let reset = page.engine().check_reset(input).map_err(Refusal::of)?;
    let done = page
        .call
        .hashing(move |engine, origin| engine.reset_password(reset, origin).map_err(Refusal::of));
    done.await
}

fn view(page: &PageCall, email: &str) -> Value {
    context! { email, min_chars => page.engine().options().password.min_chars }
}
