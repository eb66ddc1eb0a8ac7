//! The inbox of development: whatever the server mailed, for whoever sits at the machine.

mod guard;
mod text;

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{CONTENT_SECURITY_POLICY, HeaderValue},
    },
};
use minijinja::{context, value::Serde};
use portcullis_email::InboxMessage;
use portcullis_flows::LimitClass;
use portcullis_kernel::{MailId, words::readable};
use serde::Serialize;

use self::{guard::is_for_us, text::linked};
use crate::kit::{
    Answer, FormAnswers, HTML, PageCall, Refusal, Routes, UnlimitedReads, go, seconds,
};

/// The page of a mail frames its HTML part.
const FRAMES: &str = "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// The HTML part does nothing by itself; its links open outside of the frame.
const FRAMED: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; \
                      base-uri 'none'; frame-ancestors 'self'; \
                      sandbox allow-popups allow-popups-to-escape-sandbox";

pub(super) fn mount(routes: &mut Routes) {
    routes.add_behind(is_for_us, __path_show_inbox, show_inbox);
    routes.add_behind(is_for_us, __path_clear_inbox, clear_inbox);
    routes.add_behind(is_for_us, __path_show_mail, show_mail);
    routes.add_behind(is_for_us, __path_show_mail_html, show_mail_html);
}

/// A mail in the list.
#[derive(Serialize)]
struct Shown {
    id: String,
    to: String,
    subject: String,
    readable: String,
    at: String,
}

impl From<&InboxMessage> for Shown {
    fn from(mail: &InboxMessage) -> Self {
        Self {
            id: mail.id.to_string(),
            to: mail.message.to.clone(),
            subject: mail.message.subject.clone(),
            readable: readable(mail.received_at),
            at: seconds(mail.received_at),
        }
    }
}

/// The mails that this server sent, newest first.
#[utoipa::path(get, path = "/dev/inbox", tag = "development",
    responses((status = 200, description = "A page.", content_type = "text/html"), UnlimitedReads))]
async fn show_inbox(page: PageCall) -> Answer {
    let mails = page.call.hop(|engine, _| engine.list_inbox()).await?.map_err(Refusal::of)?;
    let mails: Vec<Shown> = mails.iter().map(Shown::from).collect();
    page.show("dev_inbox.html", context! { mails => Serde(mails) })
}

/// Empties the inbox.
#[utoipa::path(post, path = "/dev/inbox/clear", tag = "development",
    responses((status = 303, description = "Done: to `/dev/inbox`."), FormAnswers))]
async fn clear_inbox(mut page: PageCall) -> Answer {
    page.form(LimitClass::Anonymous, &[]).await?;
    page.call.hop(|engine, _| engine.clear_inbox()).await?.map_err(Refusal::of)?;
    Ok(go("/dev/inbox"))
}

/// One mail.
#[utoipa::path(get, path = "/dev/inbox/{id}", tag = "development",
    params(("id" = String, Path, description = "The mail's id.")),
    responses(
        (status = 200, description = "A page.", content_type = "text/html"),
        (status = 404, description = "There is no such mail."),
        UnlimitedReads,
    ))]
async fn show_mail(page: PageCall) -> Answer {
    let mail = find(&page).await?;
    let context = context! {
        mail => Serde(Shown::from(&mail)),
        parts => Serde(linked(&mail.message.text)),
    };
    let mut answer = page.show("dev_mail.html", context)?;
    let policy = HeaderValue::from_static(FRAMES);
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    Ok(answer)
}

/// The HTML part of one mail.
#[utoipa::path(get, path = "/dev/inbox/{id}/html", tag = "development",
    params(("id" = String, Path, description = "The mail's id.")),
    responses(
        (status = 200, description = "What the mail says.", content_type = "text/html"),
        (status = 404, description = "There is no such mail."),
        UnlimitedReads,
    ))]
async fn show_mail_html(page: PageCall) -> Answer {
    let mail = find(&page).await?;
    let body = mail.message.html.replacen("<head>", "<head><base target=\"_blank\">", 1);
    Ok(HttpResponse::Ok()
        .content_type(HTML)
        .insert_header((CONTENT_SECURITY_POLICY, FRAMED))
        .body(body))
}

async fn find(page: &PageCall) -> Result<InboxMessage, Refusal> {
    let not_found = || Refusal::from_status(StatusCode::NOT_FOUND);
    let id: MailId = page.call.segment("id").parse().map_err(|_| not_found())?;
    let found = page.call.hop(move |engine, _| engine.find_in_inbox(id)).await?;
    found.map_err(Refusal::of)?.ok_or_else(not_found)
}
