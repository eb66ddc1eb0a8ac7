//! What the letters about agents owe to a reader who knows none.

use portcullis_kernel::SecretString;
use time::macros::datetime;

use super::*;
use crate::{Asked, Content, RecoverableAgent};

const AGENT: &str = "agt_9c1e84d2a07b4f6389e5c2d1b0a7f346";
const OTHER: &str = "agt_2f60b3a99d814c07ae5f1d72c8e4b095";

/// Every letter about agents, with this as their name.
fn called(name: &str) -> Vec<Content> {
    let (name, agent) = (|| name.to_owned(), || AGENT.to_owned());
    let expires_at = datetime!(2026-11-21 18:56 UTC);
    let agents = vec![recoverable(&name(), AGENT, "508142")];
    let token = SecretString::from("evt_0").into();
    vec![
        Content::AgentVerifyEmail { name: name(), agent: agent(), token, expires_at },
        Content::AgentRecoveryCodes { agents, expires_at },
        Content::AgentRecovered { name: name(), agent: agent(), keys_revoked: true },
        Content::AgentEmailChangeAsked { name: name(), agent: agent() },
        Content::AgentEmailChanged { name: name(), agent: agent() },
        Content::AgentDeleted { name: name(), agent: agent() },
    ]
}

fn recoverable(name: &str, agent: &str, code: &str) -> RecoverableAgent {
    let code = SecretString::from(code).into();
    RecoverableAgent { name: name.to_owned(), agent: agent.to_owned(), code }
}

fn told(content: Content) -> Message {
    let asked = Asked { at: datetime!(2026-11-21 18:41 UTC), client: None, request_id: None };
    templates().render(&Letter { to: "ops@example.com".to_owned(), asked, content }).unwrap()
}

#[test]
fn every_letter_names_the_agent_and_says_who_chose_the_name() {
    for content in called("build-bot") {
        let kind = content.kind();
        assert!(kind.starts_with("agent_"), "{kind}");
        let Message { subject, text, html, .. } = told(content);
        for part in [&text, &html] {
            assert!(part.contains(AGENT), "{kind}");
            let marked = ["The name it gave itself: build-bot", "which calls itself build-bot"];
            assert!(marked.iter().any(|marked| part.contains(marked)), "{kind}: {part}");
            assert_eq!(part.matches("build-bot").count(), 1, "{kind}");
        }
        assert!(!subject.contains("build-bot"), "{kind}");
    }
}

#[test]
fn a_name_can_be_taken_neither_for_a_code_nor_for_a_paragraph() {
    for content in called("402771") {
        let kind = content.kind();
        let Message { text, html, .. } = told(content);
        for line in text.lines().chain(html.lines()) {
            assert_ne!(line.trim(), "402771", "{kind}");
        }
        assert!(!html.contains(">402771"), "{kind}");
    }
}

#[test]
fn the_longest_name_fits_its_line() {
    for content in called(&"x".repeat(50)) {
        let kind = content.kind();
        let Message { text, .. } = told(content);
        assert!(text.lines().all(|line| line.chars().count() < 78), "{kind}: {text}");
    }
}

#[test]
fn m6_a_name_is_escaped_all_the_same() {
    for content in called("<b>\"&'</b>") {
        let kind = content.kind();
        let Message { html, .. } = told(content);
        assert!(html.contains("&lt;b&gt;&quot;&amp;&#39;&lt;/b&gt;"), "{kind}");
        assert!(!html.contains("<b>"), "{kind}");
    }
}

#[test]
fn each_code_follows_the_agent_that_it_recovers() {
    let agents = vec![
        recoverable("night-watch", OTHER, "886203"),
        recoverable("build-bot", AGENT, "034719"),
    ];
    let expires_at = datetime!(2026-11-21 18:56 UTC);
    let Message { text, html, .. } = told(Content::AgentRecoveryCodes { agents, expires_at });
    for part in [text, html] {
        let order = [OTHER, "night-watch", "\n886203\n", AGENT, "build-bot", "\n034719\n"];
        let places: Vec<usize> = order.iter().map(|told| part.find(told).unwrap()).collect();
        assert!(places.is_sorted(), "{part}");
        assert!(part.contains("15 minutes, until 21 November 2026, 18:56 UTC"), "{part}");
    }
}

#[test]
fn a_recovery_says_what_became_of_the_keys() {
    let told = |keys_revoked| {
        let (name, agent) = ("build-bot".to_owned(), AGENT.to_owned());
        told(Content::AgentRecovered { name, agent, keys_revoked }).html
    };
    let (revoked, alive) = ("Its API keys were revoked, too", "Its API keys and tokens still work");
    assert!(told(true).contains(revoked) && !told(true).contains(alive));
    assert!(told(false).contains(alive) && !told(false).contains(revoked));
}

#[test]
fn m9_a_code_to_claim_an_agent_says_who_asks_from_where_and_for_what() {
    let code = |asked_from: Option<&str>| {
        let content = Content::ClaimCode {
            agent: AGENT.to_owned(),
            asked_from: asked_from.map(str::to_owned),
            scopes: "api.read api.write".to_owned(),
            code: SecretString::from("508142").into(),
            expires_at: datetime!(2026-11-21 18:51 UTC),
        };
        told(content)
    };
    let from = "signed itself up from the network 198.51.100.0/24";
    for (message, known) in [(code(Some("198.51.100.0/24")), true), (code(None), false)] {
        assert!(!message.subject.contains("508142"));
        for part in [message.text, message.html] {
            let part = part.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(part.contains(from), known, "{part}");
            for fact in [AGENT, "api.read api.write", "10 minutes", "without the code, nothing"] {
                assert!(part.contains(fact), "{fact}: {part}");
            }
            assert!(!part.contains("http"), "no link that claims by itself: {part}");
        }
    }
}

#[test]
fn a_letter_about_a_claim_has_the_link_that_undoes_it_and_says_what_that_does() {
    let message = told(Content::AgentClaimed {
        agent: AGENT.to_owned(),
        scopes: "api.read api.write".to_owned(),
        token: SecretString::from("crt_0").into(),
        expires_at: datetime!(2026-12-21 18:41 UTC),
    });
    let link = "https://auth.example.com/claim/undo?token=crt_0";
    for part in [message.text, message.html] {
        assert!(part.contains(link), "{part}");
        assert_eq!(part.find("http"), part.find(link), "it is the first one");
        for fact in [AGENT, "api.read api.write", "loses every key", "21 December 2026"] {
            assert!(part.contains(fact), "{fact}: {part}");
        }
    }
}
