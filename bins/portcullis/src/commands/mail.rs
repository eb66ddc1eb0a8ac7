use std::sync::Arc;

use anyhow::{Result, anyhow};
use portcullis_email::{Asked, Content, Letter, Templates};
use portcullis_identity::{EmailAddress, EmailRules};
use portcullis_kernel::{Clock, MailId, Origin};
use portcullis_system::SystemClock;

use super::Needs;
use crate::{
    cli::{self, Mail},
    mail::Post,
    output,
    settings::{Loaded, MailTransport, Problem, Problems},
    wiring,
};

pub(super) fn run(command: Mail) -> Result<()> {
    match command {
        Mail::Test { settings, address } => test(&settings, &address),
        Mail::Templates { name } => templates(name.as_deref()),
    }
}

fn test(settings: &cli::Settings, address: &str) -> Result<()> {
    let loaded = Loaded::read(&settings.place())?;
    loaded.check_mail()?;
    let rules = EmailRules { unicode_local: loaded.settings.email.unicode_local };
    let to = EmailAddress::parse(address, rules)
        .map_err(|error| Problems::one(Problem::of("ADDRESS", error.to_string())))?;
    let engine = || super::engine_of(&loaded, &Needs::MasterKey).map(Arc::new);
    let Some(post) = Post::new(&loaded, engine)? else {
        let text = "is none, so nothing is sent; set smtp or directory (or inbox, with --dev)";
        return Err(Problems::one(Problem::of("mail.transport", text)).into());
    };
    let now = SystemClock.now();
    let letter = Letter {
        to: to.delivery().to_owned(),
        asked: Asked::by(&Origin::local(), now),
        content: Content::Test {},
    };
    let id = MailId::generate(wiring::entropy().as_ref())?;
    let message = post.write(&letter)?;
    let sent = post.transport().send(id, now, &message);
    sent.map_err(|error| anyhow!("{} did not take the mail: {error}", place(&loaded)))?;
    output::print(&format!("{} took the mail {id} for {address}", place(&loaded)))
}

/// Who takes mails, for a person.
fn place(loaded: &Loaded) -> String {
    let mail = &loaded.settings.mail;
    match mail.transport {
        MailTransport::Smtp => {
            let port = mail.smtp.port.map_or_else(String::new, |port| format!(":{port}"));
            mail.smtp.host.clone().unwrap_or_default() + &port
        }
        MailTransport::Directory => {
            mail.directory.as_ref().map_or_else(String::new, |path| path.display().to_string())
        }
        MailTransport::Inbox | MailTransport::None => "the inbox".to_owned(),
    }
}

fn templates(name: Option<&str>) -> Result<()> {
    let all = Templates::built_in();
    let Some(name) = name else {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        return output::print(&names.join("\n"));
    };
    let found = all.iter().find(|(known, _)| *known == name);
    let (_, text) = found.ok_or_else(|| {
        anyhow!("there is no template {name}; `portcullis mail templates` shows the names")
    })?;
    output::print(text)
}
