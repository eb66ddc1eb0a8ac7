use minijinja::{Value, context};
use portcullis_flows::{
    LimitClass,
    people::{PageSignedIn, SignIn},
};

use super::done::notice;
use crate::kit::{ACCOUNT, Answer, Filled, FormAnswers, FormBody, PageCall, Refusal, Routes, go};

const FORM: &str = "sign_in.html";

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_sign_in_browser, sign_in_browser);
    routes.add(__path_sign_out_browser, sign_out_browser);
}

/// The form to sign in.
pub(super) fn show(page: &PageCall) -> Answer {
    page.show(FORM, context! { form => Filled::default(), ..view(page)? })
}

/// Signs in. Counts like a sign-in. Fields: `email`, `password`, `csrf`.
#[utoipa::path(post, path = "/account/sign-in", tag = "pages",
    responses(
        (status = 303, description = "Done: to `/account`, with a cookie."),
        (status = 401, description = "Address and password do not belong together: the form."),
        FormAnswers,
    ))]
async fn sign_in_browser(mut page: PageCall) -> Answer {
    let form = page.form(LimitClass::SignIn, &["email", "password", "csrf"]).await?;
    let filled = Filled::default().with("email", form.text("email"));
    match judge(&page, form).await {
        Ok(signed_in) => {
            page.keep_session(&signed_in.token);
            Ok(go(ACCOUNT))
        }
        Err(refusal) => page.again(FORM, filled, refusal, view(&page)?),
    }
}

async fn judge(page: &PageCall, mut form: FormBody) -> Result<PageSignedIn, Refusal> {
    page.check_form_token(&form)?;
    let input = SignIn { email: form.filled("email"), password: form.secret("password") };
    let attempt = page.engine().check_sign_in(input).map_err(Refusal::of)?;
    let signed_in = page.call.hashing(move |engine, origin| {
        let signed_in = engine.sign_in_page(attempt, origin);
        signed_in.map_err(|error| Refusal::of_limited(error, engine.now()))
    });
    signed_in.await
}

/// Ends the session of this browser. Field: `csrf`.
#[utoipa::path(post, path = "/account/sign-out", tag = "pages",
    responses(
        (status = 303, description = "Done, or nobody was signed in: to `/account`."),
        FormAnswers,
    ))]
async fn sign_out_browser(mut page: PageCall) -> Answer {
    if let Some((owner, _)) = page.owners_form(&[]).await? {
        let ended =
            page.call.hop(move |engine, origin| engine.sign_out_page(&owner.caller, origin));
        ended.await?.map_err(Refusal::of)?;
    }
    page.forget_session();
    Ok(go("/account?done=signed-out"))
}

fn view(page: &PageCall) -> Result<Value, Refusal> {
    Ok(context! {
        csrf => page.form_token()?,
        done => notice(page),
        may_register => page.engine().check_registration_is_open().is_ok(),
    })
}
