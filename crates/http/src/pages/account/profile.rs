use minijinja::context;
use portcullis_flows::people::UpdateProfile;
use portcullis_kernel::Field;

use super::{sign_in, view};
use crate::kit::{ACCOUNT, Answer, Filled, FormAnswers, PageCall, Reads, Refusal, Routes, go};

const NAME: &str = "display_name";

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_show_account, show_account);
    routes.add(__path_save_profile, save_profile);
}

/// The account of whoever is signed in; else the form to sign in.
#[utoipa::path(get, path = "/account", tag = "pages",
    params(("done" = Option<String>, Query, description = "What was done just before: a word.")),
    responses(
        (status = 200, description = "A page.", content_type = "text/html"),
        Reads,
    ))]
async fn show_account(page: PageCall) -> Answer {
    let Some(owner) = page.owner().await? else { return sign_in::show(&page) };
    let name = owner.caller.user.display_name.as_ref().map(|name| name.as_str().to_owned());
    let form = Filled::default().with(NAME, name.map_or(Field::Absent, Field::Given));
    page.show("account.html", context! { form, ..view::of(&page, &owner) })
}

/// Saves the name; an empty one clears it. Field: `display_name`.
#[utoipa::path(post, path = "/account/profile", tag = "pages",
    responses(
        (status = 303, description = "Done, or nobody is signed in: to `/account`."),
        FormAnswers,
    ))]
async fn save_profile(mut page: PageCall) -> Answer {
    let Some((owner, form)) = page.owners_form(&[NAME]).await? else { return Ok(go(ACCOUNT)) };
    let context = view::of(&page, &owner);
    let filled = Filled::default().with(NAME, form.text(NAME));
    let input = UpdateProfile { display_name: Some(form.filled(NAME)) };
    let caller = owner.caller;
    let saved =
        page.call.hop(move |engine, origin| engine.update_profile(caller, input, origin)).await?;
    match saved {
        Ok(_) => Ok(go("/account?done=profile")),
        Err(error) => page.again("account.html", filled, Refusal::of(error), context),
    }
}
