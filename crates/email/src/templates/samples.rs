//! Letters to try templates with: every kind, and every way that a kind can go.

use std::net::{IpAddr, Ipv4Addr};

use portcullis_kernel::{Instant, SecretString};
use time::{Duration, macros::datetime};

use crate::{Asked, Carried, Content, Letter};

const ASKED_AT: Instant = datetime!(2026-11-21 18:41:19 UTC);
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 77));

/// Every letter as a request asks for it, and as the command line does.
pub(super) fn letters() -> Vec<Letter> {
    let asked_by = |client| Asked { at: ASKED_AT, client, request_id: None };
    let mut letters = Vec::new();
    for client in [Some(CLIENT), None] {
        letters.extend(contents().into_iter().map(|content| Letter {
            to: "jane@example.com".to_owned(),
            asked: asked_by(client),
            content,
        }));
    }
    letters
}

fn contents() -> Vec<Content> {
    let opened_at = ASKED_AT - Duration::days(3);
    let after = |life: Duration| ASKED_AT + life;
    let reclaimed = |opened_from: Option<&str>, token: Option<Carried>| Content::AccountReclaimed {
        opened_at,
        opened_from: opened_from.map(str::to_owned),
        token,
    };
    vec![
        Content::VerifyEmail { token: token("uvt_"), expires_at: after(Duration::hours(24)) },
        Content::ResetPassword { token: token("rst_"), expires_at: after(Duration::HOUR) },
        Content::ConfirmDeletion { token: token("udt_"), expires_at: after(Duration::HOUR) },
        Content::ConfirmNewEmail {
            code: SecretString::from("508142").into(),
            expires_at: after(Duration::minutes(15)),
        },
        Content::NewEmailTaken {},
        Content::EmailChangeAsked {},
        Content::EmailChanged {},
        Content::PasswordChanged {},
        reclaimed(Some("198.51.100.0/24"), Some(token("rst_"))),
        reclaimed(None, Some(token("rst_"))),
        reclaimed(Some("198.51.100.0/24"), None),
        reclaimed(None, None),
        Content::NewSignIn {},
        Content::RefreshReplayed { everywhere: true },
        Content::RefreshReplayed { everywhere: false },
        Content::AccountDeleted {},
        Content::Invitation { token: token("inv_"), expires_at: after(Duration::days(7)) },
        Content::Test {},
    ]
}

fn token(prefix: &str) -> Carried {
    SecretString::from(format!("{prefix}0123456789ABCDEFGHJKMNPQRS")).into()
}
