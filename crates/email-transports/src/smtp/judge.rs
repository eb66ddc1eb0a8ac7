//! What a failure means, and what may be said of it.

use std::{fmt, io};

use lettre::transport::smtp::response::{Code, Severity};
use portcullis_email::{Message, ports::SendError};

use super::connection::Failure;

/// The longest account of a failure, in characters.
const LONGEST: usize = 200;
/// The shortest run of characters that could be a secret: a code.
const SHORTEST_SECRET: usize = 6;

/// How far the conversation had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Connect,
    SignIn,
    Sender,
    Recipient,
    Content,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::SignIn => "signing in",
            Self::Sender => "at the sender",
            Self::Recipient => "at the recipient",
            Self::Content => "at the content",
        })
    }
}

/// Whether a failure at this step is worth another try.
pub(super) fn judge(step: Step, failure: &Failure) -> SendError {
    let answer = match failure {
        Failure::No(answer) => answer,
        Failure::Connection(error) if error.kind() == io::ErrorKind::TimedOut => {
            return SendError::Temporary(format!("{step}: no answer in time"));
        }
        Failure::Connection(error) => return SendError::Temporary(format!("{step}: {error}")),
        Failure::Nonsense(why) | Failure::Lacks(why) => {
            return SendError::Temporary(format!("{step}: {why}"));
        }
    };
    let code = answer.code();
    if step == Step::SignIn {
        // An answer to a password could hold it.
        return SendError::Temporary(format!("{step}: refused with {code}"));
    }
    let reply = answer.message().collect::<Vec<_>>().join(" ");
    let told = format!("{step}: {code} {reply}");
    let for_good = code.severity == Severity::PermanentNegativeCompletion;
    if for_good && is_about_the_mail(step, code.into(), &reply) {
        SendError::Refused(told)
    } else if is_of_this_mail_alone(step, code.into()) {
        SendError::Deferred(told)
    } else {
        SendError::Temporary(told)
    }
}

/// Whether other mails may fare better than one that is not taken now. 421 ends the service (RFC 5321
/// §3.8), and the others are about us.
fn is_of_this_mail_alone(step: Step, code: u16) -> bool {
    matches!(step, Step::Recipient | Step::Content)
        && !matches!(code, 421 | 500..=504 | 530 | 534 | 535 | 538)
}

/// An answer that is no refusal and not the one that was due.
pub(super) fn unexpected(step: Step, code: Code) -> SendError {
    SendError::Temporary(format!("{step}: an answer out of turn, {code}"))
}

/// An account of a failure for a log: printable, short, without what is in the mail.
pub(super) fn told(error: SendError, message: Option<&Message>) -> SendError {
    let clean = |text: String| {
        let text = match message {
            Some(message) => without_content(&text, message),
            None => text,
        };
        let printable = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
        text.chars().map(printable).take(LONGEST).collect()
    };
    match error {
        SendError::Temporary(text) => SendError::Temporary(clean(text)),
        SendError::Deferred(text) => SendError::Deferred(clean(text)),
        SendError::Refused(text) => SendError::Refused(clean(text)),
        other => other,
    }
}

/// Whether a refusal for good is about this mail or its recipient, and not about us: a sender, address
/// or password that the server does not take is the operator's to mend, and mail waits for that.
fn is_about_the_mail(step: Step, code: u16, reply: &str) -> bool {
    match step {
        Step::Connect | Step::SignIn | Step::Sender => false,
        // RFC 5321 §4.3.2, RFC 7504 §5; X.7.* is policy (RFC 3463 §3.8), as `Relay access denied` is,
        // which some servers say without that code.
        Step::Recipient => {
            matches!(code, 550..=553 | 556)
                && !reply.starts_with("5.7.")
                && !reply.to_ascii_lowercase().contains("relay")
        }
        // Not the codes of a broken conversation, nor those of RFC 4954 §6; and not policy, which is what
        // a domain without its SPF or DKIM records meets.
        Step::Content => {
            !matches!(code, 500..=504 | 521 | 530 | 534 | 535 | 538 | 555)
                && !reply.starts_with("5.7.")
        }
    }
}

/// A reply may quote what it refuses. Every word of the mail that could be a token or code is cut.
fn without_content(text: &str, message: &Message) -> String {
    let content = format!("{}\n{}", message.text, message.html).to_ascii_lowercase();
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let mut kept = String::with_capacity(text.len());
    let mut word = String::new();
    for character in text.chars().chain([' ']) {
        if is_part(character) {
            word.push(character);
            continue;
        }
        let telling = word.chars().any(|c| c.is_ascii_digit() || c == '_');
        let long = word.chars().count() >= SHORTEST_SECRET;
        if long && telling && content.contains(&word.to_ascii_lowercase()) {
            kept.push_str("[cut]");
        } else {
            kept.push_str(&word);
        }
        word.clear();
        kept.push(character);
    }
    kept.truncate(kept.trim_end().len());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_the_mail_is_final() {
        for (step, code, reply, is) in [
            (Step::Connect, 554, "no service here", false),
            (Step::SignIn, 535, "5.7.8 wrong", false),
            (Step::Sender, 550, "5.1.8 unknown sender", false),
            (Step::Recipient, 550, "5.1.1 no such user", true),
            (Step::Recipient, 550, "no such user", true),
            (Step::Recipient, 552, "5.2.2 mailbox full", true),
            (Step::Recipient, 556, "5.1.10 takes no mail", true),
            (Step::Recipient, 554, "5.7.1 Relay access denied", false),
            (Step::Recipient, 550, "5.7.1 Client host blocked", false),
            (Step::Recipient, 550, "relay not permitted", false),
            (Step::Recipient, 530, "5.7.0 Authentication required", false),
            (Step::Recipient, 503, "5.5.1 Bad sequence", false),
            (Step::Content, 554, "5.7.26 not signed", false),
            (Step::Content, 554, "no thanks", true),
            (Step::Content, 552, "5.3.4 too big", true),
            (Step::Content, 503, "5.5.1 Bad sequence", false),
        ] {
            assert_eq!(is_about_the_mail(step, code, reply), is, "{step} {code} {reply}");
        }
    }

    #[test]
    fn f8_one_mail_that_is_not_taken_now_says_nothing_of_the_others() {
        for (step, code, alone) in [
            (Step::Recipient, 450, true),
            (Step::Recipient, 421, false),
            (Step::Recipient, 530, false),
            (Step::Content, 452, true),
            (Step::Content, 554, true),
            (Step::Sender, 451, false),
            (Step::Connect, 421, false),
        ] {
            assert_eq!(is_of_this_mail_alone(step, code), alone, "{step} {code}");
        }
    }

    #[test]
    fn g1_an_account_is_short_printable_and_tells_no_secret() {
        let message = Message {
            to: "jane@example.com".to_owned(),
            subject: "Hello".to_owned(),
            text: "https://auth.example.com/x?token=uvt_0AbCdEf123\n\n508142\n".to_owned(),
            html: String::new(),
        };
        let account = |text: &str| match told(SendError::Refused(text.to_owned()), Some(&message)) {
            SendError::Refused(text) => text,
            other => other.to_string(),
        };
        assert_eq!(
            account("550 5.1.1 <jane@example.com>: none"),
            "550 5.1.1 <jane@example.com>: none"
        );
        assert_eq!(
            account("554 bad URL https://auth.example.com/x?token=UVT_0abcdef123."),
            "554 bad URL https://auth.example.com/x?token=[cut]."
        );
        assert_eq!(account("554 found \"508142\" in it"), "554 found \"[cut]\" in it");
        assert_eq!(account("a\u{1b}[31m\r\nb\u{202e}é"), "a?[31m??b??");
        assert_eq!(account(&"x".repeat(5000)).len(), LONGEST);
    }
}
