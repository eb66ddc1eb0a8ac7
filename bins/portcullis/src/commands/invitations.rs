use anyhow::Result;
use portcullis_audit::Actor;
use portcullis_flows::admin::{Invite, InviteError, Invited};
use portcullis_identity::{EmailAddress, Invitation};
use portcullis_kernel::{Cursor, ExposeSecret, Field, InvitationId, Origin, Page, PageRequest};
use serde_json::{Value, json};

use super::{Needs, keys::when};
use crate::{
    cli, output,
    settings::{Loaded, MailTransport, Problem, Problems},
};

pub(super) fn invite(settings: &cli::Settings, email: Option<String>, json: bool) -> Result<()> {
    let loaded = Loaded::read(&settings.place())?;
    let Some(public_url) = &loaded.settings.public_url else {
        let text = "is not set, so there is no link to give";
        return Err(Problems::one(Problem::of("public_url", text)).into());
    };
    // The mail is sealed; an invitation without one is not.
    let needs = if email.is_some() { Needs::MasterKey } else { Needs::Rows };
    let engine = super::engine_of(&loaded, &needs)?;
    let input = Invite { email: email.map_or(Field::Absent, Field::Given) };
    let invited = match engine.invite(input, Actor::Operator, &Origin::local()) {
        Err(InviteError::Invalid(invalid)) => return Err(Problems::from(invalid).into()),
        Err(InviteError::Closed) => {
            let text = "is closed, so an invitation lets nobody in; set it to invite";
            return Err(Problems::one(Problem::of("people.registration", text)).into());
        }
        invited => invited?,
    };
    let secret = invited.secret.expose_secret();
    // A secret is letters, digits and an underscore.
    let link = format!("{public_url}/account/register?invitation={secret}");
    if json {
        return output::print_json(&invited_json(&invited, &link));
    }
    let Invitation { id, email, expires_at, .. } = &invited.invitation;
    let until = when(*expires_at);
    let mailed = match loaded.settings.mail.transport {
        MailTransport::None => "; mail.transport is none, so it is not mailed",
        _ => "; a running server mails it",
    };
    let whom = match email {
        Some(email) => format!("{email}{mailed}"),
        None => "whoever has it".to_owned(),
    };
    output::print(&format!("made {id} for {whom}; good once, until {until}\n{secret}\n{link}"))
}

pub(super) fn list(settings: &cli::Settings, page: &PageRequest, json: bool) -> Result<()> {
    let page = super::engine(settings, &Needs::Rows)?.list_invitations(page)?;
    if json { output::print_json(&page_json(&page)) } else { print_page(&page) }
}

pub(super) fn withdraw(settings: &cli::Settings, id: InvitationId) -> Result<()> {
    let engine = super::engine(settings, &Needs::Rows)?;
    engine.withdraw_invitation(id, Actor::Operator, &Origin::local())?;
    output::print(&format!("{id} is withdrawn"))
}

fn print_page(page: &Page<Invitation>) -> Result<()> {
    if page.items.is_empty() {
        return output::print("no invitations that can still be used");
    }
    let rows: Vec<[String; 4]> = page
        .items
        .iter()
        .map(|invitation| {
            [
                invitation.id.to_string(),
                invitation.email.as_ref().map_or("-", EmailAddress::as_str).to_owned(),
                when(invitation.created_at),
                when(invitation.expires_at),
            ]
        })
        .collect();
    output::table(["ID", "FOR", "MADE", "GOOD UNTIL"], &rows)?;
    match &page.next {
        Some(next) => output::print(&format!("more: --after {}", next.encode())),
        None => Ok(()),
    }
}

fn page_json(page: &Page<Invitation>) -> Value {
    let invitations: Vec<_> = page.items.iter().map(to_json).collect();
    json!({ "invitations": invitations, "next": page.next.as_ref().map(Cursor::encode) })
}

fn to_json(invitation: &Invitation) -> Value {
    json!({
        "id": invitation.id.to_string(),
        "email": invitation.email.as_ref().map(EmailAddress::as_str),
        "created_at": when(invitation.created_at),
        "expires_at": when(invitation.expires_at),
    })
}

fn invited_json(invited: &Invited, link: &str) -> Value {
    let mut value = to_json(&invited.invitation);
    if let Value::Object(members) = &mut value {
        members.insert("invite_token".to_owned(), invited.secret.expose_secret().into());
        members.insert("link".to_owned(), link.into());
    }
    value
}
