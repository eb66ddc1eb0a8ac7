//! The mail settings. This version checks them and sends nothing.

use portcullis_identity::{EmailAddress, EmailRules};

use super::{
    loaded::Loaded,
    problem::Problem,
    sections::{Mail, MailTransport},
};

/// Whether mail could leave as these settings say.
pub(super) fn check(loaded: &Loaded) -> Vec<Problem> {
    let mail = &loaded.settings.mail;
    let mut problems = Vec::new();
    match mail.transport {
        MailTransport::Smtp => problems.extend(smtp(loaded, mail)),
        MailTransport::Directory => problems.extend(directory(loaded, mail)),
        MailTransport::Inbox | MailTransport::None if loaded.dev => {}
        MailTransport::Inbox | MailTransport::None => {
            let text = format!(
                "must be smtp or directory, not {}; the inbox exists with --dev only",
                mail.transport
            );
            problems.push(loaded.problem("mail.transport", text));
        }
    }
    if mail.from.as_deref().is_some_and(|from| !is_sender(from)) {
        let text = "must be one address, with or without a name before it, such as \
                    Portcullis <no-reply@example.com>";
        problems.push(loaded.problem("mail.from", text));
    }
    problems
}

fn smtp(loaded: &Loaded, mail: &Mail) -> Vec<Problem> {
    let mut problems = Vec::new();
    let smtp = &mail.smtp;
    if smtp.host.as_deref().is_none_or(|host| host.trim().is_empty()) {
        problems.push(Problem::of("mail.smtp.host", "is not set, but mail.transport is smtp"));
    }
    if mail.from.is_none() {
        problems.push(Problem::of("mail.from", "is not set, but mail.transport is smtp"));
    }
    let has_password = smtp.password.is_some() || smtp.password_file.is_some();
    if smtp.username.is_some() && !has_password {
        let text = "is not set, but mail.smtp.username is (mail.smtp.password_file will do)";
        problems.push(Problem::of("mail.smtp.password", text));
    }
    if has_password && smtp.username.is_none() {
        problems.push(Problem::of("mail.smtp.username", "is not set, but the password is"));
    }
    for (key, path) in
        [("mail.smtp.password_file", &smtp.password_file), ("mail.smtp.ca_file", &smtp.ca_file)]
    {
        let read = path.as_ref().map(|path| loaded.secret_file(key, path));
        problems.extend(read.and_then(Result::err));
    }
    problems
}

fn directory(loaded: &Loaded, mail: &Mail) -> Option<Problem> {
    let Some(directory) = &mail.directory else {
        let text = "is not set, but mail.transport is directory";
        return Some(Problem::of("mail.directory", text));
    };
    let is_something_else = directory.exists() && !directory.is_dir();
    is_something_else.then(|| {
        loaded.problem("mail.directory", format!("{} is not a directory", directory.display()))
    })
}

/// `address` or `name <address>`.
fn is_sender(from: &str) -> bool {
    let (name, address) = match from.strip_suffix('>').map(|open| open.rsplit_once('<')) {
        Some(Some((name, address))) => (name, address),
        Some(None) => return false,
        None => ("", from),
    };
    let plain = !name.chars().any(|c| c.is_control() || matches!(c, '<' | '>' | '@'));
    plain && EmailAddress::parse(address, EmailRules::default()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_one_address_with_or_without_a_name() {
        for from in ["no-reply@example.com", "Portcullis <no-reply@example.com>"] {
            assert!(is_sender(from), "{from}");
        }
        for from in ["", "Portcullis", "<>", "a@example.com, b@example.com", "a\n <a@example.com>"]
        {
            assert!(!is_sender(from), "{from}");
        }
    }
}
