use minijinja::{Value, context};
use portcullis_credentials::MailedKind;
use portcullis_flows::{
    Engine, LimitClass,
    people::{DeleteAccount, Deletion},
};

use super::view;
use crate::{
    kit::{
        ACCOUNT, Answer, Filled, FormAnswers, FormBody, Owner, PageCall, Reads, Refusal, Routes, go,
    },
    pages::link::{Link, TOKEN, spend},
};

const FORM: &str = "delete.html";
const KIND: MailedKind = MailedKind::DeleteAccount;

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_show_deletion, show_deletion);
    routes.add(__path_delete_own_account, delete_own_account);
    routes.add(__path_delete_by_link, delete_by_link);
}

/// Where the account is deleted; with a token, the page behind the link that was mailed. Opening it
/// changes nothing.
#[utoipa::path(get, path = "/account/delete", tag = "pages",
    params(
        ("token" = Option<String>, Query, description = "`udt_…`, as it was mailed."),
        ("done" = Option<String>, Query, description = "What was done just before: a word."),
    ),
    responses(
        (status = 200, description = "A page.", content_type = "text/html"),
        (status = 303, description = "Nobody is signed in: to `/account`."),
        (status = 401, description = "The link no longer works: a page.", content_type = "text/html"),
        Reads,
    ))]
async fn show_deletion(page: PageCall) -> Answer {
    if let Some(link) = Link::opened(&page, KIND) {
        return show_link(&page, link).await;
    }
    let Some(owner) = page.owner().await? else { return Ok(go(ACCOUNT)) };
    let context = view(&page, &owner).await?;
    page.show(FORM, context! { form => Filled::default(), ..context })
}

async fn show_link(page: &PageCall, link: Link) -> Answer {
    page.call.limit(LimitClass::Anonymous).await?;
    match link.look(page, Engine::preview_deletion).await {
        Ok(user) => {
            let email = user.email.as_str();
            page.show("delete_link.html", context! { email, token => link.raw })
        }
        Err(refusal) => page.refuse("delete_dead.html", refusal, context! {}),
    }
}

/// Deletes the account, or mails a link to do so where it has no password. Counts like a sign-in.
/// Fields: `password`, `csrf`.
#[utoipa::path(post, path = "/account/delete", tag = "pages",
    responses(
        (status = 303, description = "Done: to `/account`; or mailed: to `/account/delete`."),
        (status = 401, description = "The password is wrong: the form."),
        FormAnswers,
    ))]
async fn delete_own_account(mut page: PageCall) -> Answer {
    let Some((owner, form)) = page.owners_password_form(&["password"]).await? else {
        return Ok(go(ACCOUNT));
    };
    let context = view(&page, &owner).await?;
    match delete_account(&page, owner, form).await {
        Ok(Deletion::Done) => {
            page.forget_session();
            Ok(go("/account?done=deleted"))
        }
        Ok(Deletion::Mailed) => Ok(go("/account/delete?done=deletion")),
        Err(refusal) => page.again(FORM, Filled::default(), refusal, context),
    }
}

async fn delete_account(
    page: &PageCall,
    owner: Owner,
    mut form: FormBody,
) -> Result<Deletion, Refusal> {
    let caller = owner.caller;
    let input = DeleteAccount { password: form.filled_secret("password") };
    let asking = caller.clone();
    let password = page.call.hop(move |engine, _| engine.check_deletion(&asking, input)).await?;
    let password = password.map_err(Refusal::of)?;
    if password.is_none() {
        let mailed =
            page.call.hop(move |engine, origin| engine.delete_account(&caller, None, origin));
        return mailed.await?.map_err(Refusal::of);
    }
    let deleted = page
        .call
        .checking_password(move |engine, origin| engine.delete_account(&caller, password, origin));
    deleted.await
}

/// Deletes the account that a mailed link is for. Field: `token`.
#[utoipa::path(post, path = "/account/delete/confirm", tag = "pages",
    responses(
        (status = 200, description = "Done: a page.", content_type = "text/html"),
        (status = 401, description = "The link no longer works: a page.", content_type = "text/html"),
        FormAnswers,
    ))]
async fn delete_by_link(mut page: PageCall) -> Answer {
    let form = page.form(LimitClass::Anonymous, &[TOKEN]).await?;
    match spend(&page, KIND, form, Engine::confirm_deletion).await {
        Ok(()) => page.show("delete_done.html", context! {}),
        Err(refusal) => page.refuse("delete_dead.html", refusal, context! {}),
    }
}

async fn view(page: &PageCall, owner: &Owner) -> Result<Value, Refusal> {
    let caller = owner.caller.clone();
    let has_password = page.call.hop(move |engine, _| engine.has_password(&caller)).await?;
    let has_password = has_password.map_err(Refusal::of)?;
    Ok(context! { has_password, ..view::of(page, owner) })
}
