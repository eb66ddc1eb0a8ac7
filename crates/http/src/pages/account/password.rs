use minijinja::context;
use portcullis_flows::people::ChangePassword;

use super::view;
use crate::kit::{
    ACCOUNT, Answer, Filled, FormAnswers, FormBody, Owner, PageCall, Reads, Refusal, Routes, go,
};

const FORM: &str = "password.html";

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_show_password, show_password);
    routes.add(__path_save_password, save_password);
}

/// Where the password is changed.
#[utoipa::path(get, path = "/account/password", tag = "pages",
    params(("done" = Option<String>, Query, description = "What was done just before: a word.")),
    responses(
        (status = 200, description = "A page.", content_type = "text/html"),
        (status = 303, description = "Nobody is signed in: to `/account`."),
        Reads,
    ))]
async fn show_password(page: PageCall) -> Answer {
    let Some(owner) = page.owner().await? else { return Ok(go(ACCOUNT)) };
    page.show(FORM, context! { form => Filled::default(), ..view::of(&page, &owner) })
}

/// Changes the password; every other session ends. Counts like a sign-in. Fields: `current_password`,
/// `new_password`, `csrf`.
#[utoipa::path(post, path = "/account/password", tag = "pages",
    responses(
        (status = 303, description = "Done: to `/account/password`."),
        (status = 401, description = "The present password is wrong: the form."),
        FormAnswers,
    ))]
async fn save_password(mut page: PageCall) -> Answer {
    let fields = &["current_password", "new_password"];
    let Some((owner, form)) = page.owners_password_form(fields).await? else {
        return Ok(go(ACCOUNT));
    };
    let context = view::of(&page, &owner);
    match change_password(&page, owner, form).await {
        Ok(()) => Ok(go("/account/password?done=password")),
        Err(refusal) => page.again(FORM, Filled::default(), refusal, context),
    }
}

async fn change_password(page: &PageCall, owner: Owner, mut form: FormBody) -> Result<(), Refusal> {
    let caller = owner.caller;
    let input = ChangePassword {
        current: form.secret("current_password"),
        new: form.secret("new_password"),
    };
    let change = page.engine().check_password_change(&caller, input).map_err(Refusal::of)?;
    let changed = page
        .call
        .checking_password(move |engine, origin| engine.change_password(&caller, change, origin));
    changed.await
}
