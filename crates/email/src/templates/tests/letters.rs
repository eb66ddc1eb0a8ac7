//! What the built-in templates say.

use std::{fmt::Write as _, net::IpAddr};

use portcullis_kernel::SecretString;
use time::{Duration, macros::datetime};

use super::*;
use crate::{Asked, Carried, Content, RecoverableAgent};

/// The letters that a request asks for, with what they carry and how they read.
fn told() -> Vec<(Letter, Facts, Message)> {
    let templates = templates();
    let letters = samples::letters().into_iter();
    letters
        .map(|letter| {
            let (facts, message) = (Facts::of(&letter, &branding()), templates.render(&letter));
            (letter, facts, message.unwrap())
        })
        .collect()
}

/// Where links of a mail lead, in the order in which a reader meets them.
fn links(part: &str) -> Vec<String> {
    let starts = part.match_indices("http").filter_map(|(start, _)| part.get(start..));
    let ended = |c: char| c.is_whitespace() || "\"'<>".contains(c);
    starts.filter_map(|rest| rest.split(ended).next()).map(str::to_owned).collect()
}

/// The words of an HTML part, without its head.
fn words(html: &str) -> String {
    let (_, body) = html.split_once("<body").unwrap();
    let texts = body.split('<').filter_map(|piece| piece.split_once('>'));
    texts.flat_map(|(_, text)| text.split_whitespace()).collect::<Vec<_>>().join(" ")
}

/// Runs of exactly six digits that a reader could take for a code.
fn six_digits(part: &str) -> Vec<String> {
    let runs = part.split(|c: char| !c.is_ascii_digit()).filter(|run| run.len() == 6);
    runs.map(str::to_owned).collect()
}

#[test]
fn every_kind_has_its_files_and_a_sample() {
    let names: Vec<&str> = Templates::built_in().iter().map(|(name, _)| *name).collect();
    let sampled: Vec<&str> = samples::letters().iter().map(|l| l.content.kind()).collect();
    for kind in built_in::KINDS {
        assert!(sampled.contains(&kind), "{kind}");
        for suffix in ["txt", "html"] {
            assert!(names.contains(&format!("{kind}.{suffix}").as_str()), "{kind}.{suffix}");
        }
    }
    assert!(sampled.iter().all(|kind| built_in::KINDS.contains(kind)));
}

#[test]
fn every_letter_reads_as_agreed() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut kinds = BTreeMap::<&str, String>::new();
    let told = told();
    for (letter, _, message) in told.iter().filter(|(letter, ..)| letter.asked.client.is_some()) {
        let Message { subject, text, html, .. } = message;
        let (_, card) = html.split_once("class=\"card\"").unwrap();
        let (_, body) = card.split_once('\n').unwrap();
        let (body, _) = body
            .split_once("<p class=\"quiet\" style=\"color: #5a6573; font-size: 14px;\">When")
            .unwrap();
        let read = kinds.entry(letter.content.kind()).or_default();
        let between = "-".repeat(72);
        writeln!(read, "Subject: {subject}\n\n{text}\n{between}\n{body}").unwrap();
    }
    settings.bind(|| {
        for (kind, read) in kinds {
            insta::assert_snapshot!(kind, read);
        }
        insta::assert_snapshot!("whole", told[0].2.html);
    });
}

#[test]
fn both_parts_say_the_same() {
    for (letter, facts, message) in told() {
        let kind = letter.content.kind();
        let read = words(&message.html);
        for paragraph in message.text.split("\n\n") {
            let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(read.contains(&line), "{kind}: {line}");
        }
        assert_eq!(six_digits(&message.text), six_digits(&message.html), "{kind}");
        assert!(facts.carries.secrets().iter().all(|secret| message.html.contains(secret)));
    }
}

#[test]
fn the_first_link_is_the_action() {
    let first = |content: Content| {
        let asked = Asked { at: datetime!(2026-11-21 18:41 UTC), client: None, request_id: None };
        let letter = Letter { to: "jane@example.com".to_owned(), asked, content };
        let message = templates().render(&letter).unwrap();
        let (text, html) = (links(&message.text), links(&message.html));
        assert_eq!(text.first(), html.first());
        text.first().map(|link| link.strip_prefix(PUBLIC_URL).unwrap().to_owned())
    };
    let token = || SecretString::from("xyz_0").into();
    let expires_at = datetime!(2026-11-21 19:41 UTC);
    let (name, agent) = (|| "build-bot".to_owned(), || "agt_0".to_owned());
    let reclaimed = |token| {
        let opened_at = datetime!(2026-11-20 18:41 UTC);
        Content::AccountReclaimed { opened_at, opened_from: None, token }
    };
    for (content, path) in [
        (Content::VerifyEmail { token: token(), expires_at }, "/verify-email?token=xyz_0"),
        (Content::ResetPassword { token: token(), expires_at }, "/reset-password?token=xyz_0"),
        (reclaimed(Some(token())), "/reset-password?token=xyz_0"),
        (reclaimed(None), "/reset-password"),
        (Content::ConfirmDeletion { token: token(), expires_at }, "/account/delete?token=xyz_0"),
        (Content::Invitation { token: token(), expires_at }, "/account/register?invitation=xyz_0"),
        (
            Content::AgentVerifyEmail { name: name(), agent: agent(), token: token(), expires_at },
            "/verify-email?token=xyz_0",
        ),
        (Content::PasswordChanged {}, "/reset-password"),
        (Content::EmailChangeAsked {}, "/reset-password"),
        (Content::EmailChanged {}, "/account"),
        (Content::NewEmailTaken {}, "/account"),
        (Content::NewSignIn {}, "/account"),
        (Content::RefreshReplayed { everywhere: true }, "/account"),
    ] {
        assert_eq!(first(content).as_deref(), Some(path));
    }
    let code: Carried = SecretString::from("402771").into();
    let recoverable = RecoverableAgent { name: name(), agent: agent(), code: code.clone() };
    for content in [
        Content::AccountDeleted {},
        Content::Test {},
        Content::ConfirmNewEmail { code, expires_at },
        Content::AgentRecoveryCodes { agents: vec![recoverable], expires_at },
        Content::AgentRecovered { name: name(), agent: agent(), keys_revoked: false },
        Content::AgentEmailChangeAsked { name: name(), agent: agent() },
        Content::AgentEmailChanged { name: name(), agent: agent() },
        Content::AgentDeleted { name: name(), agent: agent() },
    ] {
        assert_eq!(first(content), None);
    }
}

#[test]
fn m2_every_link_leads_to_the_public_url_and_nothing_is_fetched() {
    for (letter, _, message) in told() {
        let kind = letter.content.kind();
        for part in [&message.text, &message.html] {
            for link in links(part) {
                assert!(link.starts_with(&format!("{PUBLIC_URL}/")), "{kind}: {link}");
            }
            for fetched in ["src=", "url(", "@import", "<link", "<script", "<img", "//cdn"] {
                assert!(!part.contains(fetched), "{kind}: {fetched}");
            }
        }
    }
    let branding = Branding { public_url: "http://127.0.0.1:8080/".to_owned(), ..branding() };
    let templates = Templates::new(branding, BTreeMap::new()).unwrap();
    let message = templates.render(&samples::letters()[0]).unwrap();
    assert!(links(&message.text)[0].starts_with("http://127.0.0.1:8080/verify-email?token="));
}

#[test]
fn m6_names_are_escaped_in_html_and_plain_in_text() {
    let service = "<script>alert('1')</script> & \"Söhne\"".to_owned();
    let templates = Templates::new(Branding { service, ..branding() }, BTreeMap::new()).unwrap();
    for letter in samples::letters() {
        let message = templates.render(&letter).unwrap();
        assert!(!message.html.contains("<script"), "{}", message.html);
        assert!(
            message.html.contains(
                "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;Söhne&quot;"
            )
        );
        assert!(message.text.contains("<script>alert('1')</script> & \"Söhne\""));
    }
}

#[test]
fn m9_a_mail_says_when_and_from_where_and_what_to_do() {
    for (letter, _, message) in told() {
        let kind = letter.content.kind();
        assert!(message.text.contains("21 November 2026, 18:41 UTC"), "{kind}");
        let from = match letter.asked.client {
            Some(_) => "the network 203.0.113.0/24",
            None => "an operator of Portcullis",
        };
        assert!(message.text.contains(from), "{kind}");
        assert!(!message.text.contains("203.0.113.77"), "{kind}");
        let advice = ["it was not you", "do not know", "did not ask", "nothing to do"];
        assert!(advice.iter().any(|advice| words(&message.html).contains(advice)), "{kind}");
    }
}

#[test]
fn m9_no_subject_tells_a_secret_and_a_code_stands_alone() {
    for (letter, facts, message) in told() {
        let secrets = facts.carries.secrets();
        assert!(!secrets.iter().any(|secret| message.subject.contains(secret)), "{message:?}");
        let codes = match &letter.content {
            Content::ConfirmNewEmail { .. }
            | Content::AgentRecoveryCodes { .. }
            | Content::ClaimCode { .. } => secrets,
            _ => &[],
        };
        for part in [&message.text, &message.html] {
            assert_eq!(six_digits(part), codes, "{}", letter.content.kind());
            let alone: Vec<&str> =
                part.lines().filter(|line| codes.iter().any(|c| c == line)).collect();
            assert_eq!(alone, codes);
        }
    }
}

#[test]
fn lines_of_text_are_short_and_links_stand_alone() {
    for (letter, _, message) in told() {
        for line in message.text.lines() {
            let alone = line.starts_with(PUBLIC_URL) && !line.contains(' ');
            assert!(alone || line.chars().count() < 78, "{}: {line}", letter.content.kind());
            assert_eq!(alone, line.contains("http"), "{line}");
        }
        assert!(!message.text.contains("\n\n\n") && message.text.ends_with("Portcullis\n"));
    }
}

#[test]
fn a_v6_client_is_told_as_its_network() {
    let client: IpAddr = "2001:db8:1:2:3::4".parse().unwrap();
    let at = datetime!(2026-11-21 18:41 UTC) + Duration::SECOND;
    let asked = Asked { at, client: Some(client), request_id: None };
    let letter = Letter { to: "jane@example.com".to_owned(), asked, content: Content::Test {} };
    let message = templates().render(&letter).unwrap();
    assert!(message.text.contains("From:  the network 2001:db8:1::/48\n"), "{}", message.text);
}
