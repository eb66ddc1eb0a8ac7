use minijinja::{Value, context};
use portcullis_flows::{
    LimitClass, RegistrationMode,
    people::{PageSignedIn, Register},
};
use portcullis_kernel::{Field, codes};

use crate::kit::{
    ACCOUNT, Answer, Filled, FormAnswers, FormBody, PageCall, Reads, Refusal, Routes, go,
};

const FORM: &str = "register.html";
const FIELDS: [&str; 5] = ["email", "display_name", "password", "invite_token", "csrf"];

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_show_registration, show_registration);
    routes.add(__path_register_browser, register_browser);
}

/// Where an account is made.
#[utoipa::path(get, path = "/account/register", tag = "pages",
    params(("invitation" = Option<String>, Query, description = "`inv_…`, as it was mailed.")),
    responses(
        (status = 200, description = "A page.", content_type = "text/html"),
        (status = 303, description = "Somebody is signed in: to `/account`."),
        (status = 403, description = "Registration is closed: a page.", content_type = "text/html"),
        Reads,
    ))]
async fn show_registration(page: PageCall) -> Answer {
    if page.owner().await?.is_some() {
        return Ok(go(ACCOUNT));
    }
    page.engine().check_registration_is_open().map_err(Refusal::of)?;
    let invitation = page.call.query().take("invitation");
    let form = Filled::default().with("invite_token", invitation);
    page.show(FORM, context! { form, ..view(&page)? })
}

/// Makes an account and signs its owner in. Counts like a registration. Fields: `email`, `password`,
/// `display_name`, `invite_token`, `csrf`.
#[utoipa::path(post, path = "/account/register", tag = "pages",
    responses(
        (status = 303, description = "Done: to `/account`, with a cookie."),
        (status = 401, description = "The invitation no longer works: the form."),
        (status = 409, description = "An account has the address: the form."),
        FormAnswers,
    ))]
async fn register_browser(mut page: PageCall) -> Answer {
    let form = page.form(LimitClass::Register, &FIELDS).await?;
    let filled = ["email", "display_name", "invite_token"]
        .into_iter()
        .fold(Filled::default(), |filled, name| filled.with(name, form.text(name)));
    match judge(&page, form).await {
        Ok(signed_in) => {
            page.keep_session(&signed_in.token);
            Ok(go("/account?done=registered"))
        }
        // Hidden in the form once more, a dead invitation could never be replaced.
        Err(refusal) if refusal.code == codes::INVALID_TOKEN => {
            let filled = filled.with("invite_token", Field::Absent);
            page.again(FORM, filled, refusal, view(&page)?)
        }
        Err(refusal) => page.again(FORM, filled, refusal, view(&page)?),
    }
}

async fn judge(page: &PageCall, mut form: FormBody) -> Result<PageSignedIn, Refusal> {
    page.check_form_token(&form)?;
    let input = Register {
        email: form.filled("email"),
        password: form.secret("password"),
        display_name: form.filled("display_name"),
        invitation: form.filled_secret("invite_token"),
    };
    let registration = page.engine().check_registration(input).map_err(Refusal::of)?;
    let registered = page.call.hashing(move |engine, origin| {
        engine.register_page(registration, origin).map_err(Refusal::of)
    });
    registered.await
}

fn view(page: &PageCall) -> Result<Value, Refusal> {
    let options = page.engine().options();
    Ok(context! {
        csrf => page.form_token()?,
        needs_invitation => options.registration.mode == RegistrationMode::Invite,
        min_chars => options.password.min_chars,
    })
}
