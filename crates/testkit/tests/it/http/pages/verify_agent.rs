use portcullis_testkit::{
    app::{Bot, Reply, TestApp},
    on_every_storage,
};
use serde_json::json;
use time::Duration;

use super::browser::{Browser, form, forms, read};
use crate::http::api::routes::unknown_token;

const LINKED: &str = "/verify-email";
const PATH: &str = "/verify-email/agent";
const RESEND: &str = "/verify-email/agent/resend";
const EMAIL: &str = "bot@example.com";

fn link(token: &str) -> String {
    format!("{LINKED}?token={token}")
}

/// The id of an agent whose address is still to be proven, and the token that proves it.
async fn waiting(app: &TestApp) -> (String, String) {
    let reply = app.client().register_agent("weather-bot", Some(EMAIL)).await.expect(201);
    (reply.string("/agent_id"), app.mailed("agent_verify_email"))
}

fn is_verified(app: &TestApp, id: &str) -> bool {
    let id = id.parse().unwrap();
    app.read(|uow| uow.agents().find(id)).unwrap().is_recovered_by(EMAIL)
}

/// Says that the link is dead, and offers another to agents.
#[track_caller]
fn assert_dead(reply: &Reply) {
    assert_eq!(reply.status, 401, "{}", reply.text());
    assert!(reply.text().contains("<h1>This link no longer works</h1>"));
    assert_eq!(form(reply, RESEND).buttons, ["Send another mail"]);
}

on_every_storage!(v8_v9_looking_at_a_link_changes_nothing_and_its_button_confirms_once, |app| {
    let (id, token) = waiting(&app).await;
    let link = link(&token);
    let scanner = Browser::new(&app);
    for method in ["GET", "HEAD", "GET", "HEAD"] {
        scanner.request(method, &link).await.expect(200);
    }
    scanner.request("OPTIONS", &link).await.expect(405);
    assert!(!is_verified(&app, &id));

    let browser = Browser::new(&app);
    let page = browser.open(&link).await.expect(200);
    assert_eq!(forms(&page).len(), 1);
    let confirm = form(&page, PATH);
    assert_eq!(confirm.buttons, ["Confirm"]);
    assert_eq!(confirm.inputs, [("token".to_owned(), token.clone())]);
    let done = browser.submit(&page, PATH, &[]).await.expect(200);
    assert!(done.text().contains("<h1>The address is confirmed</h1>"));
    assert!(read(&done).contains(&id) && !done.text().contains(&token));
    assert!(is_verified(&app, &id));
    assert_eq!(browser.cookie("portcullis"), None, "nobody is signed in by a link");

    for used in [browser.open(&link).await, browser.submit(&page, PATH, &[]).await] {
        let used = used.expect(200);
        assert!(used.text().contains("<h1>Already confirmed</h1>"));
        for told in [&id, "weather-bot", EMAIL, &token] {
            assert!(!used.text().contains(told), "{told}");
        }
    }
    app.clock().advance(Duration::HOUR);
    assert_dead(&browser.open(&link).await);
    assert_dead(&browser.submit(&page, PATH, &[]).await);
});

on_every_storage!(asking_again_is_answered_alike_for_every_address, |app| {
    waiting(&app).await;
    app.proven_bot("done-bot", "done@example.com").await;
    app.client().register("jane@example.com").await;
    app.mails();
    let mut pages = Vec::new();
    for email in [EMAIL, "done@example.com", "jane@example.com", "nobody@example.com"] {
        let browser = Browser::new(&app);
        let page = browser.fill(PATH, RESEND, &[("email", email)]).await.expect(200);
        pages.push((page.text().to_owned(), page.header_names()));
    }
    assert!(pages.iter().all(|page| *page == pages[0]), "E3");
    assert_eq!(app.told(), [(EMAIL.to_owned(), "agent_verify_email")]);
});

#[actix_web::test]
async fn m9_the_page_tells_which_agent_and_that_nobody_checked_its_name() {
    let app = TestApp::memory().await;
    let (id, token) = waiting(&app).await;
    let page = Browser::new(&app).open(&link(&token)).await.expect(200);
    let text = read(&page);
    let name = "weather-bot (not checked by anybody)";
    for fact in [EMAIL, &id, name, "4 March 2026, 05:06 UTC"] {
        assert!(text.contains(fact), "{fact}: {text}");
    }
    assert!(!text.contains(&token), "W2");
    assert_eq!(page.text().matches(&token).count(), 1, "for the form");
}

#[actix_web::test]
async fn the_page_for_people_leads_to_the_one_for_agents() {
    let app = TestApp::memory().await;
    let browser = Browser::new(&app);
    let people = browser.open(LINKED).await.expect(200);
    assert!(people.text().contains(&format!("href=\"{PATH}\"")));
    let agents = browser.open(PATH).await.expect(200);
    assert!(agents.text().contains("<h1>Confirm an agent's email address</h1>"));
    form(&agents, RESEND);
    for (path, offered) in [
        ("/verify-email?token=uvt_x", "/verify-email/resend"),
        ("/verify-email?token=evt_x", RESEND),
    ] {
        let dead = browser.open(path).await.expect(401);
        assert_eq!(forms(&dead)[0].action, offered, "{path}");
    }
}

#[actix_web::test]
async fn w3_j4_a_link_that_is_none_leads_to_another_mail_and_is_not_repeated() {
    let app = TestApp::memory().await;
    let (id, token) = waiting(&app).await;
    app.client().register("jane@example.com").await;
    let persons = app.mailed("verify_email");
    let twisted = persons.replacen("uvt_", "evt_", 1);
    let browser = Browser::new(&app);
    for bad in
        ["evt_", "evt_x", "evt_%3Cscript%3Ealert(1)%3C/script%3E", &twisted, &unknown_token()]
    {
        let page = browser.open(&link(bad)).await;
        assert_dead(&page);
        assert!(!page.text().contains("alert") && !page.text().contains(&twisted));
    }
    for bad in ["<script>alert(1)</script>", "x", &persons, &twisted, &token.to_lowercase()] {
        let page = browser.send(PATH, &[("token", bad)]).await;
        assert_dead(&page);
        assert!(!page.text().contains("alert"));
    }
    for fields in [&[][..], &[("token", "")], &[("token", &token), ("token", &token)]] {
        browser.send(PATH, fields).await.expect(400);
    }
    // The form for people takes no token of agents, nor the other way round.
    for path in [LINKED, "/verify-email/not-me"] {
        browser.send(path, &[("token", &token)]).await.expect(401);
    }
    assert!(!is_verified(&app, &id));
    browser.open(&link(&token)).await.expect(200);
}

#[actix_web::test]
async fn w5_a_form_of_another_site_confirms_nothing() {
    let app = TestApp::memory().await;
    let (id, token) = waiting(&app).await;
    let body = super::browser::encoded(&[("token", &token)]);
    let form = super::browser::FORM;
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let request = app.client().post(PATH).body(form, body.clone()).header(name, value);
        request.await.expect(403);
    }
    let json = app.client().post(PATH).json(&json!({ "token": token })).await;
    json.expect(415);
    assert!(!is_verified(&app, &id));
    app.client().post(PATH).body(form, body).await.expect(200);
}

#[actix_web::test]
async fn a_broken_address_is_told_at_its_field() {
    let app = TestApp::memory().await;
    for email in ["", "nope", "<script>alert(1)</script>"] {
        let page = Browser::new(&app).fill(PATH, RESEND, &[("email", email)]).await.expect(400);
        assert!(page.text().contains("aria-describedby=\"email-error\" aria-invalid=\"true\""));
        assert!(page.text().contains("role=\"alert\"") && !page.text().contains("<script"));
    }
    assert!(app.told().is_empty(), "M3");
}

#[actix_web::test]
async fn l11_each_form_counts_as_the_route_of_its_use_case() {
    let app = TestApp::memory().await;
    let client = app.client();
    let browser = Browser::at(client);
    let limit = |reply: &Reply| (reply.number("x-ratelimit-limit"), reply.remaining());
    assert_eq!(limit(&browser.open(&link("evt_x")).await), (60, 59));
    assert_eq!(limit(&browser.open(PATH).await), (60, 58));
    assert_eq!(limit(&browser.send(PATH, &[("token", "x")]).await), (60, 57));
    let verify = client.post("/api/auth/verify-email").json(&json!({ "token": "x" })).await;
    assert_eq!(limit(&verify), (60, 56));
    assert_eq!(limit(&browser.send(RESEND, &[("email", EMAIL)]).await), (5, 4));
    let resend =
        client.post("/api/auth/verification/resend").json(&json!({ "email": EMAIL })).await;
    assert_eq!(limit(&resend), (5, 3));
    for _ in 0..3 {
        browser.send(RESEND, &[("email", EMAIL)]).await.expect(200);
    }
    browser.send(RESEND, &[("email", EMAIL)]).await.expect(429);
    // Links of people have their own.
    assert_eq!(limit(&browser.open("/verify-email?token=uvt_x").await), (30, 29));
}

on_every_storage!(a_new_address_is_confirmed_by_the_same_page, |app| {
    let bot: Bot = app.proven_bot("weather-bot", "old@example.com").await;
    let request = app.client().post(&bot.path("/email")).recovering(&bot);
    request.json(&json!({ "email": EMAIL })).await.expect(202);
    let token = app.mailed("agent_verify_email");
    let browser = Browser::new(&app);
    let page = browser.open(&link(&token)).await.expect(200);
    assert!(read(&page).contains(EMAIL) && !read(&page).contains("old@example.com"));
    let done = browser.submit(&page, PATH, &[]).await.expect(200);
    assert!(read(&done).contains(EMAIL));
    assert!(is_verified(&app, &bot.id));
});
