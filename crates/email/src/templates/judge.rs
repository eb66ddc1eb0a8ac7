//! Whether a rendered mail may leave.

use super::{TemplateError, engine::escaped, facts::Carries};
use crate::Message;

/// The longest subject, in characters. Header fields have lines of at most 998 bytes (RFC 5322
/// §2.1.1), and a reader sees fewer.
const LONGEST_SUBJECT: usize = 200;

/// A subject is one plain line that tells no secret, and the mail has what it is for.
pub(super) fn check(message: &Message, kind: &str, carries: &Carries) -> Result<(), TemplateError> {
    let flaw = |suffix: &str, cause: &str| TemplateError {
        template: format!("{kind}.{suffix}"),
        cause: cause.to_owned(),
    };
    let subject = &message.subject;
    if subject.is_empty() {
        return Err(flaw("txt", "its subject is empty"));
    }
    if subject.chars().any(char::is_control) {
        return Err(flaw("txt", "its subject is more than a plain line"));
    }
    if subject.chars().count() > LONGEST_SUBJECT {
        return Err(flaw("txt", "its subject is longer than 200 characters"));
    }
    if carries.secrets().iter().any(|secret| subject.contains(secret)) {
        return Err(flaw("txt", "its subject tells the token or code, which previews would show"));
    }
    match carries {
        Carries::Nothing => Ok(()),
        Carries::Token { link, .. } => {
            if !message.text.contains(link) {
                return Err(flaw("txt", "it lacks the link, {{ link }}"));
            }
            if !message.html.contains(&escaped(link)) {
                return Err(flaw("html", "it lacks the link, {{ link }}"));
            }
            Ok(())
        }
        Carries::Codes(codes) => {
            let alone = |part: &str, code: &str| part.lines().any(|line| line.trim() == code);
            for code in codes {
                if !alone(&message.text, code) {
                    return Err(flaw("txt", "it lacks a code alone on a line"));
                }
                if !alone(&message.html, &escaped(code)) {
                    return Err(flaw("html", "it lacks a code alone on a line"));
                }
            }
            Ok(())
        }
    }
}
