use lettre::message::Mailbox;

use crate::{SetupError, address::one_mailbox};

/// Whom mails come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The address.
    pub address: String,
    /// The name before it, as people know it.
    pub name: Option<String>,
}

impl Sender {
    /// Reads `no-reply@example.com` or `Portcullis <no-reply@example.com>`.
    ///
    /// # Errors
    /// [`SetupError::Sender`].
    pub fn parse(raw: &str) -> Result<Self, SetupError> {
        let raw = raw.trim();
        let (name, address) = match raw.strip_suffix('>') {
            Some(open) => open.split_once('<').ok_or(SetupError::Sender)?,
            None => ("", raw),
        };
        let name = name.trim();
        let name = name.strip_prefix('"').and_then(|n| n.strip_suffix('"')).unwrap_or(name);
        let name = (!name.is_empty()).then(|| name.to_owned());
        let sender = Self { address: address.trim().to_owned(), name };
        sender.mailbox().map(|_| sender)
    }

    /// The mailbox, its domain in ASCII.
    pub(crate) fn mailbox(&self) -> Result<Mailbox, SetupError> {
        let (local, domain) = self.address.rsplit_once('@').ok_or(SetupError::Sender)?;
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| SetupError::Sender)?;
        let address = one_mailbox(&format!("{local}@{domain}")).ok_or(SetupError::Sender)?;
        let unfit = |c: char| c.is_control() || "<>\"@".contains(c);
        if !local.is_ascii() || self.name.as_ref().is_some_and(|name| name.contains(unfit)) {
            return Err(SetupError::Sender);
        }
        Ok(Mailbox::new(self.name.clone(), address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        for (raw, name, address) in [
            ("no-reply@example.com", None, "no-reply@example.com"),
            ("Portcullis <no-reply@example.com>", Some("Portcullis"), "no-reply@example.com"),
            ("  \"Söhne, Inc.\"  <a@example.com> ", Some("Söhne, Inc."), "a@example.com"),
            ("<a@example.com>", None, "a@example.com"),
        ] {
            let sender = Sender::parse(raw).unwrap();
            assert_eq!((sender.name.as_deref(), sender.address.as_str()), (name, address));
        }
    }

    #[test]
    fn m3_a_sender_is_one_mailbox_and_one_line() {
        for raw in [
            "",
            "Portcullis",
            "<>",
            "a@example.com, b@example.com",
            "a@example.com <b@example.com>",
            "a\r\nBcc: b@example.com <a@example.com>",
            "A <a@example.com> <b@example.com>",
            "A <a@example.com",
            "é@example.com",
        ] {
            assert!(Sender::parse(raw).is_err(), "{raw:?}");
        }
    }

    #[test]
    fn a_domain_is_sent_in_ascii() {
        let mailbox = Sender::parse("a@bücher.example").unwrap().mailbox().unwrap();
        assert_eq!(mailbox.email.to_string(), "a@xn--bcher-kva.example");
    }
}
