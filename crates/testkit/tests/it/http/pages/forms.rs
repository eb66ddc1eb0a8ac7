//! What every form of the pages has in common.

use portcullis_testkit::app::{PASSWORD, TestApp};

use super::browser::{Browser, FORM, encoded, filled, form, forms, read};

/// What is typed into a form.
type Typed = &'static [(&'static str, &'static str)];

/// The forms of somebody who is signed in: on which page, where to, with what typed.
const OWN: [(&str, &str, Typed); 9] = [
    ("/account", "/account/profile", &[("display_name", "Mallory")]),
    ("/account", "/account/sign-out", &[]),
    ("/account/email", "/account/email/resend", &[]),
    ("/account/email", "/account/email", &[("email", "m@example.com"), ("password", PASSWORD)]),
    ("/account/email/confirm", "/account/email/confirm", &[("code", "000000")]),
    (
        "/account/password",
        "/account/password",
        &[("current_password", PASSWORD), ("new_password", "another horse battery")],
    ),
    ("/account/sessions", "/account/sessions/end", &[]),
    ("/account/sessions", "/account/sessions/end-others", &[]),
    ("/account/delete", "/account/delete", &[("password", PASSWORD)]),
];

/// The forms that anybody may send.
const OPEN: [(&str, Typed); 8] = [
    ("/verify-email", &[("token", "uvt_x")]),
    ("/verify-email/not-me", &[("token", "uvt_x")]),
    ("/verify-email/resend", &[("email", "jane@example.com")]),
    ("/reset-password", &[("email", "jane@example.com")]),
    ("/reset-password/confirm", &[("token", "rst_x"), ("password", "another horse battery")]),
    ("/account/delete/confirm", &[("token", "udt_x")]),
    ("/account/sign-in", &[("email", "jane@example.com"), ("password", PASSWORD)]),
    ("/account/register", &[("email", "john@example.com"), ("password", PASSWORD)]),
];

fn actions() -> impl Iterator<Item = &'static str> {
    OWN.into_iter().map(|(_, action, _)| action).chain(OPEN.into_iter().map(|(action, _)| action))
}

/// A signed-in browser whose account has a second session, which makes every form appear.
async fn jane(app: &TestApp) -> Browser<'_> {
    app.client().register("jane@example.com").await;
    app.mails();
    Browser::signed_in(app, "jane@example.com").await
}

#[actix_web::test]
async fn w5_no_form_of_an_account_works_without_the_token_of_its_browser() {
    let app = TestApp::memory().await;
    let browser = jane(&app).await;
    app.client().register("mallory@example.com").await;
    let mallory = Browser::signed_in(&app, "mallory@example.com").await;
    app.mails();
    let theirs = form(&mallory.open("/account").await, "/account/profile").inputs[0].1.clone();
    for (page, action, typed) in OWN {
        let shown = form(&browser.open(page).await.expect(200), action);
        assert_eq!(shown.inputs[0].0, "csrf", "{action}");
        let good = filled(&shown, typed);
        let without: Vec<_> = good.iter().copied().filter(|(name, _)| *name != "csrf").collect();
        for token in [None, Some(""), Some("x"), Some(theirs.as_str())] {
            let token = token.map(|token| ("csrf", token));
            let fields: Vec<_> = without.iter().copied().chain(token).collect();
            let at = browser.moved_to(app.client());
            let refused = at.send(action, &fields).await.expect(403);
            assert!(read(&refused).contains("The form was not of this sign-in."), "{action}");
        }
        // Standing twice it is none.
        let twice: Vec<_> = good.iter().copied().chain([good[0]]).collect();
        browser.moved_to(app.client()).send(action, &twice).await.expect(403);
    }
    let account = browser.open("/account").await.expect(200);
    assert!(read(&account).contains("Hello, Jane Smith"));
    assert!(app.told().is_empty(), "nothing came of it");
    app.client().sign_in("jane@example.com").await;
}

#[actix_web::test]
async fn w5_a_form_of_another_origin_is_refused() {
    let app = TestApp::memory().await;
    let browser = jane(&app).await;
    let own = "http://127.0.0.1:8080";
    let foreign = [
        ("origin", "https://evil.example"),
        ("origin", "http://127.0.0.1:8080.evil.example"),
        ("origin", "http://127.0.0.1"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ];
    let token = form(&browser.open("/account").await, "/account/profile").inputs[0].1.clone();
    for action in actions() {
        for (name, value) in foreign {
            let at = browser.moved_to(app.client());
            let request = at.request("POST", action).header(name, value);
            let fields = [("csrf", token.as_str()), ("display_name", "Mallory")];
            let refused = request.body(FORM, encoded(&fields)).await.expect(403);
            assert!(read(&refused).contains("This form was sent by another site."), "{action}");
        }
    }
    // As browsers send a form of a page without referrer, and as they would of one with it.
    for headers in [
        &[("origin", "null"), ("sec-fetch-site", "same-origin")][..],
        &[("origin", own), ("sec-fetch-site", "same-origin")],
        &[("origin", own)],
        &[("sec-fetch-site", "none")],
    ] {
        let request = headers
            .iter()
            .fold(browser.request("POST", "/account/profile"), |request, (name, value)| {
                request.header(name, value)
            });
        let fields = [("csrf", token.as_str()), ("display_name", "Jane")];
        request.body(FORM, encoded(&fields)).await.expect(303);
    }
}

#[actix_web::test]
async fn the_order_of_refusals_is_that_of_every_surface() {
    let app = TestApp::memory().await;
    let browser = jane(&app).await;
    let large = vec![b'x'; 64 * 1024 + 1];
    for action in actions() {
        let at = || browser.moved_to(app.client());
        let foreign = |method: &str, action: &str| {
            at().request(method, action).header("origin", "https://evil.example")
        };
        foreign("POST", &format!("{action}/x")).body("text/plain", large.clone()).await.expect(404);
        let wrong = foreign("PUT", action).body("text/plain", large.clone()).await.expect(405);
        assert_eq!(wrong.header("x-ratelimit-limit"), None);
        foreign("POST", action).body("text/plain", large.clone()).await.expect(413);
        for media_type in ["text/plain", "application/json", "multipart/form-data", ""] {
            foreign("POST", action).body(media_type, "x=1").await.expect(415);
        }
        let encoded = foreign("POST", action).body(FORM, "x=1").header("content-encoding", "gzip");
        encoded.await.expect(415);
        // Without a body there is no type to be wrong.
        foreign("POST", action).body("text/plain", "").await.expect(403);
        foreign("POST", action).body(FORM, "%ff").await.expect(403);
        let capital = "Application/X-WWW-Form-Urlencoded; charset=utf-8";
        foreign("POST", action).body(capital, "x=1").await.expect(403);
    }
}

#[actix_web::test]
async fn a_spent_address_is_refused_before_anything_is_read() {
    let app = TestApp::memory().await;
    let browser = jane(&app).await;
    for action in actions() {
        let client = app.client();
        let at = browser.moved_to(client);
        let stranger = Browser::at(client);
        // A form of nobody, and a password form by a bucket of its own.
        for _ in 0..31 {
            stranger.send(action, &[]).await;
            client.try_sign_in("x", "y").await;
        }
        let large = vec![b'x'; 64 * 1024 + 1];
        let over = at.request("POST", action).body("text/plain", large).await.expect(429);
        assert!(over.number("retry-after") >= 1 && read(&over).contains("Please wait a little"));
    }
}

#[actix_web::test]
async fn refusals_of_a_body_count_like_any_other() {
    let app = TestApp::memory().await;
    let browser = jane(&app).await;
    for action in actions() {
        let at = browser.moved_to(app.client());
        let first = at.request("POST", action).body("text/plain", "x").await.expect(415);
        let second = at.request("POST", action).body("text/plain", "x").await.expect(415);
        assert_eq!(first.remaining() - 1, second.remaining(), "{action}");
    }
}

#[actix_web::test]
async fn i5_i6_fields_that_stand_twice_are_refused_and_unknown_ones_ignored() {
    let app = TestApp::memory().await;
    let browser = jane(&app).await;
    let page = browser.open("/account").await.expect(200);
    let token = form(&page, "/account/profile").inputs[0].1.clone();
    let named = |first: &'static str, second: &'static str| {
        [("csrf", token.clone()), ("display_name", first.into()), ("display_name", second.into())]
    };
    for (first, second) in [("A", "B"), ("A", "A")] {
        let fields = named(first, second);
        let fields: Vec<_> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let again = browser.send("/account/profile", &fields).await.expect(400);
        assert!(read(&again).contains("Your name must be given only once."));
    }
    let body = format!("csrf={token}&display_name=%ff");
    browser.request("POST", "/account/profile").body(FORM, body).await.expect(403);
    let fields = [
        ("csrf", token.as_str()),
        ("display_name", "Jane"),
        ("role", "admin"),
        ("role", "admin"),
        ("email", "m@example.com"),
        ("email_verified", "true"),
    ];
    browser.send("/account/profile", &fields).await.expect(303);
    let text = read(&browser.open("/account").await);
    assert!(text.contains("jane@example.com") && text.contains("Not confirmed"));
}

#[actix_web::test]
async fn i10_head_works_where_get_does_and_has_no_effect() {
    let app = TestApp::memory().await;
    let browser = jane(&app).await;
    for path in [
        "/",
        "/verify-email",
        "/reset-password",
        "/account",
        "/account/register",
        "/account/email",
        "/account/email/confirm",
        "/account/password",
        "/account/agents",
        "/account/sessions",
        "/account/delete",
    ] {
        let get = browser.open(path).await;
        let head = browser.request("HEAD", path).await;
        assert_eq!(
            (head.status, head.header("content-type")),
            (get.status, get.header("content-type"))
        );
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
            let wrong = browser.request(method, path).await.expect(405);
            assert!(wrong.header("allow").unwrap().starts_with("GET, HEAD"), "{path}");
        }
    }
    for action in actions().filter(|action| *action != "/account/delete") {
        if browser.request("GET", action).await.status == 405 {
            assert_eq!(browser.request("HEAD", action).await.status, 405, "{action}");
        }
    }
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn w9_every_field_has_a_label_and_every_page_one_way_in() {
    let app = TestApp::memory().await;
    let browser = jane(&app).await;
    let stranger = Browser::new(&app);
    let mut pages = Vec::new();
    for path in ["/verify-email", "/reset-password", "/account", "/account/register"] {
        pages.push(stranger.open(path).await.expect(200));
    }
    for (path, ..) in OWN {
        pages.push(browser.open(path).await.expect(200));
    }
    for page in pages {
        let text = page.text();
        assert!(text.contains("<a class=\"skip\" href=\"#main\">") && text.contains("<footer"));
        let mut ids: Vec<&str> =
            text.split(" id=\"").skip(1).map(|p| p.split('"').next().unwrap()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "an id stands twice: {ids:?}");
        for input in text.split("<input ").skip(1).map(|part| part.split('>').next().unwrap()) {
            if input.contains("hidden") {
                continue;
            }
            let id = input.split("id=\"").nth(1).unwrap().split('"').next().unwrap();
            assert!(text.contains(&format!("<label for=\"{id}\">")), "{input}");
            assert!(input.contains("autocomplete=\""), "{input}");
        }
        for reference in
            text.split("aria-labelledby=\"").skip(1).map(|p| p.split('"').next().unwrap())
        {
            assert!(ids.contains(&reference), "{reference}");
        }
        assert!(forms(&page).iter().all(|form| form.buttons.len() == 1));
    }
}
