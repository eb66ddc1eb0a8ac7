//! The mail as it travels (RFC 5322, RFC 2046).

use std::time::SystemTime;

use lettre::{
    Address,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};
use portcullis_email::{Message, ports::SendError};
use portcullis_kernel::{Instant, MailId};

use crate::address::one_mailbox;

/// A mail ready to be handed over.
pub(crate) struct Mail {
    pub(crate) from: Address,
    pub(crate) to: Address,
    /// Lines end with CR LF and are at most 998 bytes long. ASCII, unless the address is not.
    pub(crate) text: String,
}

/// Writes a mail; the same text at every try.
pub(crate) fn write(
    from: &Mailbox,
    id: MailId,
    at: Instant,
    message: &Message,
) -> Result<Mail, SendError> {
    let refused = |why: &str| SendError::Refused(why.to_owned());
    let to = one_mailbox(&message.to).ok_or_else(|| refused("its address is not one mailbox"))?;
    if message.subject.contains(char::is_control) {
        return Err(refused("its subject is more than a plain line"));
    }
    let auto = HeaderName::new_from_ascii_str("Auto-Submitted");
    let parts = MultiPart::alternative()
        // An id is in no text, so it can part them.
        .boundary(id.to_string())
        .singlepart(SinglePart::plain(lines_only(&message.text)))
        .singlepart(SinglePart::html(lines_only(&message.html)));
    let written = lettre::Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(message.subject.as_str())
        // A time before 1970 has no form here.
        .date(SystemTime::from(at.max(Instant::UNIX_EPOCH)))
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        // RFC 3834 §5: nobody who is away shall answer.
        .raw_header(HeaderValue::new(auto, "auto-generated".to_owned()))
        .multipart(parts)
        .map_err(|error| refused(&format!("it cannot be written: {error}")))?;
    let text = String::from_utf8(written.formatted());
    let text = text.map_err(|_| refused("it is no text"))?;
    Ok(Mail { from: from.email.clone(), to, text })
}

/// A text whose only control characters end lines or are tabs: a bare carriage return is a line's end to
/// one server and none to the next.
fn lines_only(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::Sender;

    fn id() -> MailId {
        "eml_0123456789abcdef0123456789abcdef".parse().unwrap()
    }

    fn message() -> Message {
        Message {
            to: "jane@example.com".to_owned(),
            subject: "Hello".to_owned(),
            text: "Hello\n".to_owned(),
            html: "<p>Hello</p>\n".to_owned(),
        }
    }

    fn written(from: &str, at: Instant, message: &Message) -> Result<String, SendError> {
        let from = Sender::parse(from).unwrap().mailbox().unwrap();
        Ok(write(&from, id(), at, message)?.text)
    }

    #[test]
    fn a_mail_is_the_same_at_every_try() {
        let at = datetime!(2026-11-21 18:41:19.123456 UTC);
        let mail = written("Portcullis <no-reply@example.com>", at, &message()).unwrap();
        assert_eq!(mail, written("Portcullis <no-reply@example.com>", at, &message()).unwrap());
        assert_eq!(
            mail,
            "From: Portcullis <no-reply@example.com>\r\n\
             To: jane@example.com\r\n\
             Subject: Hello\r\n\
             Date: Sat, 21 Nov 2026 18:41:19 +0000\r\n\
             Message-ID: <eml_0123456789abcdef0123456789abcdef@example.com>\r\n\
             Auto-Submitted: auto-generated\r\n\
             MIME-Version: 1.0\r\n\
             Content-Type: multipart/alternative;\r\n \
             boundary=\"eml_0123456789abcdef0123456789abcdef\"\r\n\
             \r\n\
             --eml_0123456789abcdef0123456789abcdef\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: 7bit\r\n\
             \r\n\
             Hello\r\n\
             \r\n\
             --eml_0123456789abcdef0123456789abcdef\r\n\
             Content-Type: text/html; charset=utf-8\r\n\
             Content-Transfer-Encoding: 7bit\r\n\
             \r\n\
             <p>Hello</p>\r\n\
             \r\n\
             --eml_0123456789abcdef0123456789abcdef--\r\n"
        );
    }

    #[test]
    fn m3_nothing_in_a_mail_adds_a_header_or_a_recipient() {
        let at = datetime!(2026-11-21 18:41:19 UTC);
        let attack = "x\r\nBcc: eve@evil.example\r\n\r\n.\r\nRCPT TO:<eve@evil.example>\r\n";
        for message in [
            Message { to: format!("jane@example.com{attack}"), ..message() },
            Message { to: "jane@example.com, eve@evil.example".to_owned(), ..message() },
            Message { subject: attack.to_owned(), ..message() },
        ] {
            let refused = written("a@example.com", at, &message);
            assert!(matches!(refused, Err(SendError::Refused(_))), "{message:?}");
        }
        let message = Message { text: attack.to_owned(), html: attack.to_owned(), ..message() };
        let mail = written("a@example.com", at, &message).unwrap();
        let (head, _) = mail.split_once("\r\n\r\n").unwrap();
        assert!(!head.contains("evil") && head.matches("\r\nTo: ").count() == 1, "{head}");
    }

    #[test]
    fn every_line_is_short_ascii_and_whole() {
        let at = datetime!(2026-11-21 18:41:19 UTC);
        let long = "é ".repeat(700) + &"x".repeat(5000);
        for text in [long.clone(), "x".repeat(5000), "日本語".repeat(900), "\r\u{0}\n".to_owned()]
        {
            let message = Message {
                subject: text.chars().filter(|c| !c.is_control()).take(200).collect(),
                html: text.clone(),
                text,
                ..message()
            };
            let mail = written("Søren Ünï <a@example.com>", at, &message).unwrap();
            assert!(mail.is_ascii() && mail.ends_with("\r\n"));
            for line in mail.split("\r\n") {
                assert!(line.len() <= 998 && !line.contains(['\r', '\n']), "{line:?}");
            }
        }
    }

    #[test]
    fn no_time_is_too_early_or_too_late() {
        for at in [datetime!(0001-01-01 0:00 UTC), datetime!(9999-12-31 23:59:59 UTC)] {
            assert!(written("a@example.com", at, &message()).is_ok(), "{at}");
        }
    }
}
