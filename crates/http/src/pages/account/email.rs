use minijinja::{Value, context};
use portcullis_flows::people::{ChangeEmail, ConfirmEmail};
use portcullis_kernel::words::span;

use super::view;
use crate::kit::{
    ACCOUNT, Answer, Filled, FormAnswers, FormBody, Owner, PageCall, Reads, Refusal, Routes, go,
};

const FORM: &str = "email.html";
const CODE_FORM: &str = "email_confirm.html";

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_show_address, show_address);
    routes.add(__path_begin_address_change, begin_address_change);
    routes.add(__path_resend_verification_mail, resend_verification_mail);
    routes.add(__path_show_address_code, show_address_code);
    routes.add(__path_finish_address_change, finish_address_change);
}

/// The account's address, and where it is changed.
#[utoipa::path(get, path = "/account/email", tag = "pages",
    params(("done" = Option<String>, Query, description = "What was done just before: a word.")),
    responses(
        (status = 200, description = "A page.", content_type = "text/html"),
        (status = 303, description = "Nobody is signed in: to `/account`."),
        Reads,
    ))]
async fn show_address(page: PageCall) -> Answer {
    let Some(owner) = page.owner().await? else { return Ok(go(ACCOUNT)) };
    page.show(FORM, context! { form => Filled::default(), ..view::of(&page, &owner) })
}

/// Mails a code to a new address. Counts like a sign-in. Fields: `email`, `password`, `csrf`.
#[utoipa::path(post, path = "/account/email", tag = "pages",
    responses(
        (status = 303, description = "Done: to `/account/email/confirm`."),
        (status = 401, description = "The password is wrong: the form."),
        FormAnswers,
    ))]
async fn begin_address_change(mut page: PageCall) -> Answer {
    let Some((owner, form)) = page.owners_password_form(&["email", "password"]).await? else {
        return Ok(go(ACCOUNT));
    };
    let context = view::of(&page, &owner);
    let filled = Filled::default().with("email", form.text("email"));
    match ask_for_code(&page, owner, form).await {
        Ok(()) => Ok(go("/account/email/confirm?done=code")),
        Err(refusal) => page.again(FORM, filled, refusal, context),
    }
}

async fn ask_for_code(page: &PageCall, owner: Owner, mut form: FormBody) -> Result<(), Refusal> {
    let caller = owner.caller;
    let input = ChangeEmail { email: form.filled("email"), password: form.secret("password") };
    let change = page.engine().check_email_change(&caller, input).map_err(Refusal::of)?;
    let asked = page
        .call
        .checking_password(move |engine, origin| engine.change_email(&caller, change, origin));
    asked.await
}

/// Mails another link to confirm the present address. Field: `csrf`.
#[utoipa::path(post, path = "/account/email/resend", tag = "pages",
    responses(
        (status = 303, description = "Done: to `/account/email`."),
        FormAnswers,
    ))]
async fn resend_verification_mail(mut page: PageCall) -> Answer {
    let Some((owner, _)) = page.owners_form(&[]).await? else { return Ok(go(ACCOUNT)) };
    let asked = page
        .call
        .hop(move |engine, origin| engine.ask_for_verification(&owner.caller, origin))
        .await?;
    asked.map_err(Refusal::of)?;
    Ok(go("/account/email?done=mail"))
}

/// Where the code for a new address is entered.
#[utoipa::path(get, path = "/account/email/confirm", tag = "pages",
    params(("done" = Option<String>, Query, description = "What was done just before: a word.")),
    responses(
        (status = 200, description = "A page.", content_type = "text/html"),
        (status = 303, description = "Nobody is signed in: to `/account`."),
        Reads,
    ))]
async fn show_address_code(page: PageCall) -> Answer {
    let Some(owner) = page.owner().await? else { return Ok(go(ACCOUNT)) };
    page.show(CODE_FORM, context! { form => Filled::default(), ..code_view(&page, &owner) })
}

/// Changes the address. Fields: `code`, `csrf`.
#[utoipa::path(post, path = "/account/email/confirm", tag = "pages",
    responses(
        (status = 303, description = "Done: to `/account/email`."),
        (status = 401, description = "The code is wrong, expired or was tried too often: the form."),
        (status = 409, description = "The address was taken in the meantime: the form."),
        FormAnswers,
    ))]
async fn finish_address_change(mut page: PageCall) -> Answer {
    let Some((owner, mut form)) = page.owners_form(&["code"]).await? else {
        return Ok(go(ACCOUNT));
    };
    let context = code_view(&page, &owner);
    let input = ConfirmEmail { code: form.filled_secret("code") };
    let changed = page
        .call
        .hop(move |engine, origin| engine.confirm_email(&owner.caller, input, origin))
        .await?;
    match changed {
        Ok(_) => Ok(go("/account/email?done=email")),
        Err(error) => page.again(CODE_FORM, Filled::default(), Refusal::of(error), context),
    }
}

fn code_view(page: &PageCall, owner: &Owner) -> Value {
    let code_span = span(page.engine().options().mailed.code);
    context! { code_span, ..view::of(page, owner) }
}
