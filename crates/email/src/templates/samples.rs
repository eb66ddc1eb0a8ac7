//! Letters to try templates with: every kind, and every way that a kind can go.

use std::net::{IpAddr, Ipv4Addr};

use portcullis_kernel::{Instant, SecretString};
use time::{Duration, macros::datetime};

use crate::{Asked, Carried, Content, Letter, RecoverableAgent};

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
    let mut contents = of_people();
    contents.extend(of_agents());
    contents.push(Content::Test {});
    contents
}

fn of_people() -> Vec<Content> {
    let opened_at = ASKED_AT - Duration::days(3);
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
    ]
}

fn of_agents() -> Vec<Content> {
    let name = || "build-bot".to_owned();
    let agent = || "agt_9c1e84d2a07b4f6389e5c2d1b0a7f346".to_owned();
    let recoverable = |name, agent, code: &str| {
        let code = SecretString::from(code).into();
        RecoverableAgent { name, agent, code }
    };
    let build_bot = || recoverable(name(), agent(), "034719");
    let other = "agt_2f60b3a99d814c07ae5f1d72c8e4b095".to_owned();
    let night_watch = recoverable("Night-Watch-7".to_owned(), other, "886203");
    let codes =
        |agents| Content::AgentRecoveryCodes { agents, expires_at: after(Duration::minutes(15)) };
    let recovered =
        |keys_revoked| Content::AgentRecovered { name: name(), agent: agent(), keys_revoked };
    let verification = token("evt_");
    let claim = |asked_from: Option<&str>| Content::ClaimCode {
        agent: agent(),
        asked_from: asked_from.map(str::to_owned),
        scopes: "api.read api.write".to_owned(),
        code: SecretString::from("271864").into(),
        expires_at: after(Duration::minutes(10)),
    };
    vec![
        Content::AgentVerifyEmail {
            name: name(),
            agent: agent(),
            token: verification,
            expires_at: after(Duration::HOUR),
        },
        claim(Some("198.51.100.0/24")),
        claim(None),
        Content::AgentClaimed {
            agent: agent(),
            scopes: "api.read api.write".to_owned(),
            token: token("crt_"),
            expires_at: after(Duration::days(30)),
        },
        codes(vec![night_watch, build_bot()]),
        codes(vec![build_bot()]),
        recovered(false),
        recovered(true),
        Content::AgentEmailChangeAsked { name: name(), agent: agent() },
        Content::AgentEmailChanged { name: name(), agent: agent() },
        Content::AgentDeleted { name: name(), agent: agent() },
    ]
}

fn after(life: Duration) -> Instant {
    ASKED_AT + life
}

fn token(prefix: &str) -> Carried {
    SecretString::from(format!("{prefix}0123456789ABCDEFGHJKMNPQRS")).into()
}
