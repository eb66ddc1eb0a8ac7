//! The pictures in the guides.

use portcullis_testkit_browser::{Browser, Page, Scheme, Window};

use super::{Person, claim::Signed};
use crate::harness::{Account, Agent, Arrivals as _, Home, Request};

/// `PORTCULLIS_SCREENSHOTS=$PWD/docs/images cargo test --workspace --test process -- --ignored
/// pictures_of_the_guides`; each is then reduced to 200 colours, as by `pngquant`, which keeps it small.
#[test]
#[ignore = "makes pictures for people"]
#[expect(clippy::disallowed_methods, reason = "where the pictures go is the caller's to say")]
fn pictures_of_the_guides() {
    let directory = std::env::var_os("PORTCULLIS_SCREENSHOTS").expect("PORTCULLIS_SCREENSHOTS");
    let directory = std::path::PathBuf::from(directory);
    std::fs::create_dir_all(&directory).unwrap();
    let Some(browser) = Browser::for_tests() else { return };
    let mut home = Home::on_sqlite();
    let mails = home.with_mail();
    let server = home.start();
    let mut client = server.client();
    let jane =
        Account { email: "jane@example.com".into(), password: "three words together".into() };
    jane.register(&mut client);
    let token = serde_json::json!({ "token": mails.wait_for_token(&jane.email, "uvt_") });
    client.ask(&Request::post("/v1/auth/verify-email", &token)).with_status(200);
    let mut person = Person::new(&browser, &server);
    let shoot = |name: &str, page: &mut Page| {
        let window = Window { width: 640, ..Window::DESKTOP };
        page.set_scheme(Scheme::Light);
        page.set_window(window);
        let height = u32::try_from(page.content_size().1).unwrap();
        page.set_window(Window { height, ..window });
        page.save_screenshot(directory.join(format!("{name}.png")));
    };
    person.open("/account");
    shoot("sign-in", &mut person.page);

    let denied = Signed::up(&mut client);
    person.page.goto(&denied.url);
    person.press("Deny and report");
    shoot("claim-denied", &mut person.page);
    let agent = Signed::up(&mut client);
    person.page.goto(&agent.url);
    shoot("claim", &mut person.page);
    person.fill(&[("email", &jane.email)]);
    person.press("Mail me a code");
    shoot("claim-mailed", &mut person.page);
    agent.complete(&mut client, &mails.wait_for_code(&jane.email));

    Agent::owned_by(&home, &jane.email, "weather-bot").make_key(&mut client);
    person.sign_in(&jane);
    person.open("/account/agents");
    shoot("my-agents", &mut person.page);
    person.page.find("a[href^='/account/agents/agt_']").follow();
    shoot("my-agent", &mut person.page);
    person.follow("Give it up");
    shoot("give-up", &mut person.page);
}
