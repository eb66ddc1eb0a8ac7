//! Requests of browsers: who is signed in, forms and where they come from, pages and redirects.

use std::future::Ready;

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::{
        StatusCode,
        header::{HeaderValue, LOCATION},
    },
};
use minijinja::{Value, context};
use portcullis_flows::{Engine, LimitClass, people::Caller};
use portcullis_kernel::{ExposeSecret, Field, SecretString, codes, crockford};

use super::{
    Answer, Call, FormBody, HTML, Refusal,
    body::MediaType,
    cookies::{Cookies, Kept},
    filled::Filled,
    sender::is_foreign,
};

/// The field with which a form shows that this server gave it to this browser.
pub(crate) const CSRF: &str = "csrf";

/// Where a browser finds its account, or the form to sign in.
pub(crate) const ACCOUNT: &str = "/account";

/// One request of a browser.
pub(crate) struct PageCall {
    /// What it shares with every request.
    pub(crate) call: Call,
    cookies: Cookies,
}

/// Who is signed in in a browser.
pub(crate) struct Owner {
    pub(crate) caller: Caller,
    /// What this browser's forms carry.
    pub(crate) csrf: String,
}

impl FromRequest for PageCall {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let call = Call::from_request(request, payload).into_inner();
        std::future::ready(call.map(|call| Self { cookies: Cookies::new(call.state.https), call }))
    }
}

impl PageCall {
    pub(crate) fn engine(&self) -> &Engine {
        self.call.engine()
    }

    /// Counts the request, and says who is signed in.
    pub(crate) async fn owner(&self) -> Result<Option<Owner>, Refusal> {
        let Some(cookie) = self.kept(Kept::Session) else {
            self.call.limit(LimitClass::Anonymous).await?;
            return Ok(None);
        };
        let Some(client) = self.call.context.origin.client else {
            return Err(Refusal::internal("a request without a client address"));
        };
        let held = Some(SecretString::from(cookie.as_str()));
        let admitted = self.call.hop(move |engine, origin| engine.admit_page(held, client, origin));
        let admitted = admitted.await?.map_err(|error| self.call.limited(error))?;
        self.call.show(admitted.standing);
        let csrf = self.engine().form_token(&cookie);
        Ok(admitted.caller.map(|caller| Owner { caller, csrf }))
    }

    /// Reads a form that anybody may send, with the fields of interest `known`.
    pub(crate) async fn form(
        &mut self,
        class: LimitClass,
        known: &[&'static str],
    ) -> Result<FormBody, Refusal> {
        self.call.limit(class).await?;
        let bytes = self.call.bytes(MediaType::Form).await?;
        self.refuse_foreign()?;
        Ok(FormBody::parse(&bytes, known))
    }

    /// Reads a form of somebody who is signed in; nothing when nobody is, as nothing can then happen.
    pub(crate) async fn owners_form(
        &mut self,
        known: &[&'static str],
    ) -> Result<Option<(Owner, FormBody)>, Refusal> {
        let bytes =
            self.call.bytes_before_credential(MediaType::Form, LimitClass::Anonymous).await?;
        let owner = self.owner().await?;
        self.refuse_foreign()?;
        let (Some(owner), Some(cookie)) = (owner, self.kept(Kept::Session)) else {
            return Ok(None);
        };
        let form = FormBody::parse(&bytes, &[known, &[CSRF]].concat());
        if !self.carries_token(&cookie, &form) {
            let message =
                "The form was not of this sign-in. Go back to your account and try again.";
            return Err(forbidden(message));
        }
        Ok(Some((owner, form)))
    }

    /// The same of a form that gives the password once more: whoever may not try one is refused first.
    pub(crate) async fn owners_password_form(
        &mut self,
        known: &[&'static str],
    ) -> Result<Option<(Owner, FormBody)>, Refusal> {
        self.call.refuse_exhausted(LimitClass::SignIn)?;
        self.owners_form(known).await
    }

    /// The token for a form of somebody who is not signed in yet. Nobody else's browser may be made
    /// to send it, so it is tied to a cookie, which is made where there is none.
    pub(crate) fn form_token(&self) -> Result<String, Refusal> {
        let kept = self.kept(Kept::Form).filter(|value| is_form_cookie(value));
        let cookie = if let Some(kept) = kept {
            kept
        } else {
            let mut random = [0; FORM_COOKIE_CHARS];
            let filled = self.call.state.entropy.fill(&mut random);
            filled.map_err(|error| Refusal::internal(error.to_string()))?;
            let made = crockford(&random);
            self.answer_with_cookie(self.cookies.keep(Kept::Form, &made));
            made
        };
        Ok(self.engine().form_token(&cookie))
    }

    /// Refuses a form that carries no such token.
    pub(crate) fn check_form_token(&self, form: &FormBody) -> Result<(), Refusal> {
        let kept = self.kept(Kept::Form).filter(|value| is_form_cookie(value));
        if kept.is_some_and(|cookie| self.carries_token(&cookie, form)) {
            return Ok(());
        }
        Err(forbidden("The form was too old, or your browser keeps no cookies. Please try again."))
    }

    /// Has the browser keep the secret of a sign-in that was just made.
    pub(crate) fn keep_session(&self, token: &impl ExposeSecret<str>) {
        self.answer_with_cookie(self.cookies.keep(Kept::Session, token.expose_secret()));
    }

    /// Has the browser forget it.
    pub(crate) fn forget_session(&self) {
        self.answer_with_cookie(self.cookies.forget(Kept::Session));
    }

    /// A page.
    pub(crate) fn show(&self, template: &str, context: Value) -> Answer {
        let page = self.call.state.html.render(template, context)?;
        Ok(HttpResponse::Ok().content_type(HTML).body(page))
    }

    /// The page of a form once more, under the status of the refusal and with what was wrong.
    pub(crate) fn again(
        &self,
        template: &str,
        filled: Filled,
        mut refusal: Refusal,
        context: Value,
    ) -> Answer {
        if refusal.code == codes::UNAUTHORIZED {
            // The sign-in ended while the form was judged.
            return Ok(go(ACCOUNT));
        }
        if !refusal.status.is_server_error() {
            let form = filled.refused(&refusal);
            let context = context! { form, ..context };
            refusal.page = Some(self.call.state.html.render(template, context)?.into());
        }
        Err(refusal)
    }

    /// A page that tells of a refusal, under its status.
    pub(crate) fn refuse(&self, template: &str, mut refusal: Refusal, context: Value) -> Answer {
        if !refusal.status.is_server_error() {
            refusal.page = Some(self.call.state.html.render(template, context)?.into());
        }
        Err(refusal)
    }

    fn kept(&self, kept: Kept) -> Option<String> {
        self.cookies.read(self.call.request.headers(), kept)
    }

    fn answer_with_cookie(&self, cookie: Option<HeaderValue>) {
        self.call.context.cookies.borrow_mut().extend(cookie);
    }

    fn carries_token(&self, cookie: &str, form: &FormBody) -> bool {
        let token = match form.text(CSRF) {
            Field::Given(token) => token,
            Field::Absent | Field::Invalid(_) => return false,
        };
        self.engine().is_own_form(cookie, &token)
    }

    fn refuse_foreign(&self) -> Result<(), Refusal> {
        if is_foreign(self.call.request.headers(), &self.call.state.origin) {
            let ours = &self.call.state.origin;
            let message = format!(
                "This form was sent by another site. Open {ours}{ACCOUNT} and try again there."
            );
            return Err(forbidden(message));
        }
        Ok(())
    }
}

/// Sends a browser on (RFC 9110 §15.4.4), never to a place that a request chose.
pub(crate) fn go(to: &'static str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, to)).finish()
}

/// 130 bits.
const FORM_COOKIE_CHARS: usize = 26;

fn is_form_cookie(value: &str) -> bool {
    value.len() == FORM_COOKIE_CHARS && value.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn forbidden(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, codes::FORBIDDEN, message)
}
