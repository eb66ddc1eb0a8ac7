//! How pages look: to people who need contrast or a screen reader, on small windows, in the dark.

use portcullis_testkit_browser::{Browser, Page, Scheme, Window};
use serde_json::json;

use super::{
    Person,
    stranger::Stranger,
    tour::{self, Look},
};
use crate::harness::{Account, Home, Request};

/// 320 pixels is what is left on a screen of 1280 at four times the size (WCAG 2.2, 1.4.10).
const NARROW: Window = Window { width: 320, ..Window::PHONE };

/// What must hold for every page in every state.
fn judge(name: &str, page: &mut Page) {
    let console = page.console();
    // Chromium tells of a page that came with an error status as of a file that did not come.
    let is_page = |line: &&String| line.contains("status of 4") && !line.contains("/assets/");
    let said: Vec<_> = console.iter().filter(|line| !is_page(line)).collect();
    assert!(said.is_empty(), "{name}: {said:?}");
    assert_nothing_is_foreign(name, page);
    assert_everybody_can_read(name, page);
    // What axe-core says when it cannot talk to a frame that runs no scripts.
    drop(page.console());
}

fn assert_everybody_can_read(name: &str, page: &mut Page) {
    for window in [NARROW, Window::PHONE, Window::DESKTOP] {
        page.set_window(window);
        let width = page.content_size().0;
        assert_eq!(width, u64::from(window.width), "{name} is too wide");
    }
    let light = page.axe();
    page.set_window(Window::PHONE);
    page.set_scheme(Scheme::Dark);
    let dark = page.axe();
    page.set_window(Window::DESKTOP);
    page.set_scheme(Scheme::Light);
    assert!(light.is_empty() && dark.is_empty(), "{name}: {light:#?} {dark:#?}");
}

/// Nothing is fetched from elsewhere, and no script, style or token stands in the page.
fn assert_nothing_is_foreign(name: &str, page: &Page) {
    let url = page.url();
    let origin = url.split_inclusive('/').take(3).collect::<String>();
    for (css, attribute) in [("[src]", "src"), ("link", "href"), ("form", "action")] {
        for element in page.find_all(css) {
            let to = element.attribute(attribute).unwrap_or_default();
            assert!(to.starts_with('/') || to.starts_with(&origin), "{name}: {to}");
        }
    }
    assert!(!page.has("script, style, [style], [onclick]"), "{name}");
    for (_, token) in ["?token=", "?invitation="].iter().filter_map(|name| url.split_once(name)) {
        assert!(!page.text("body").contains(token), "{name}");
    }
}

fn judge_all(tour: fn(&Browser, Look<'_>)) {
    let Some(browser) = Browser::for_tests() else { return };
    tour(&browser, &mut judge);
}

#[test]
fn w2_w9_what_strangers_see() {
    judge_all(tour::doors);
}

#[test]
fn w2_w9_what_is_mailed() {
    judge_all(tour::letters);
}

#[test]
fn w2_w9_the_mailed_deletion() {
    judge_all(tour::mailed_deletion);
}

#[test]
fn w2_w9_an_account() {
    judge_all(tour::rooms);
}

#[test]
fn w2_w9_a_changing_address() {
    judge_all(tour::addresses);
}

#[test]
fn w2_w9_the_agents_of_a_person() {
    judge_all(tour::agents);
}

#[test]
fn w2_w9_the_claim_of_an_agent() {
    judge_all(tour::claims);
}

#[test]
fn w2_w9_refusals_by_rule() {
    judge_all(tour::rules);
}

/// Served by another server: in the inbox it may run no script, axe-core's included.
#[test]
fn w9_the_html_of_mails_can_be_read_by_everybody() {
    let Some(browser) = Browser::for_tests() else { return };
    let home = Home::on_sqlite();
    let server = home.start();
    let (mut client, account) = (server.client(), Account::new());
    let tokens = account.register(&mut client);
    let change = json!({ "email": "new@example.com", "password": account.password });
    let change = Request::post("/v1/users/me/email", &change).bearer(&tokens.access);
    client.ask(&change).with_status(202);
    let mut person = Person::new(&browser, &server);
    for (to, subject) in [
        (account.email.as_str(), "Confirm your email address"),
        ("new@example.com", "Confirm your new email address"),
    ] {
        person.open_mail(to, subject);
        let html = person.page.find("iframe").attribute("src").unwrap();
        let html = client.get(&html).with_status(200).text();
        person.page.goto(&Stranger::start("", &html).url("127.0.0.1"));
        assert_everybody_can_read(subject, &mut person.page);
    }
}

/// For people's eyes: `PORTCULLIS_SCREENSHOTS=directory cargo test -p portcullis --test process --
/// --ignored screenshots`.
#[test]
#[ignore = "makes pictures for people"]
#[expect(clippy::disallowed_methods, reason = "where the pictures go is the caller's to say")]
fn screenshots() {
    let directory = std::env::var_os("PORTCULLIS_SCREENSHOTS").expect("PORTCULLIS_SCREENSHOTS");
    let directory = std::path::PathBuf::from(directory);
    std::fs::create_dir_all(&directory).unwrap();
    let Some(browser) = Browser::for_tests() else { return };
    let mut shoot = |name: &str, page: &mut Page| {
        for window in [Window::PHONE, Window::DESKTOP] {
            for (scheme, colours) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
                page.set_window(window);
                // Frames are drawn only where the window reaches.
                let height = u32::try_from(page.content_size().1).unwrap();
                page.set_window(Window { height, ..window });
                page.set_scheme(scheme);
                let file = format!("{name}-{}-{colours}.png", window.width);
                page.save_screenshot(directory.join(file));
            }
        }
    };
    for tour in [
        tour::doors,
        tour::letters,
        tour::mailed_deletion,
        tour::rooms,
        tour::addresses,
        tour::agents,
        tour::claims,
        tour::rules,
    ] {
        tour(&browser, &mut shoot);
    }
}
