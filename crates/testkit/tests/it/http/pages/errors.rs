//! Errors of pages are pages.

use std::sync::Arc;

use portcullis_storage::MemoryStorage;
use portcullis_testkit::{
    app::{AppOptions, PASSWORD, Stored, TestApp},
    faults::{Fault, FaultyStorage},
};

use super::browser::{Browser, form, forms, read};

#[actix_web::test]
async fn what_is_not_there_is_a_page_too() {
    let app = TestApp::memory().await;
    let browser = Browser::new(&app);
    for path in [
        "/account/nothing",
        "/account/",
        "/verify-email/x",
        "/reset-password/x/y",
        "/dev",
        "/dev/inbox",
        "/%61ccount/nothing",
        "/account/%3Cscript%3Ealert(1)%3C/script%3E",
    ] {
        for method in ["GET", "POST", "DELETE", "OPTIONS"] {
            let page = browser.request(method, path).await.expect(404);
            assert!(read(&page).contains("There is no such page"), "{path}");
            assert!(!page.text().contains("alert"), "W3");
            assert!(page.text().contains("href=\"/account\""), "a way on");
        }
    }
    // Elsewhere it is not.
    for path in ["/accounts", "/devs", "/verify-emails", "/assets/x.css", "/assets"] {
        browser.request("GET", path).await.expect_error(404, "not_found");
    }
    let wrong = browser.open("/account/sign-in").await.expect(405);
    assert_eq!(wrong.header("allow"), Some("POST"));
    assert!(forms(&wrong).is_empty() && wrong.text().contains("href=\"/account\""));
}

#[actix_web::test]
async fn g4_while_the_database_is_away_a_page_says_so_and_no_more() {
    let storage = FaultyStorage::over(Arc::new(MemoryStorage::default()));
    let app = TestApp::over(Stored::given(storage.clone())).await;
    app.client().register("jane@example.com").await;
    let browser = Browser::signed_in(&app, "jane@example.com").await;
    let stranger = Browser::new(&app);
    let sign_in = stranger.open("/account").await.expect(200);
    let account = browser.open("/account").await.expect(200);
    for (fault, status) in [(Fault::Unavailable, 503), (Fault::Failed, 500)] {
        storage.take_down(fault);
        for path in ["/account", "/account/sessions", "/verify-email?token=uvt_x"] {
            let request = browser.request("GET", path).tolerating_500();
            if path.contains("uvt_x") {
                continue;
            }
            let page = request.await.expect(status);
            let id = page.header("x-request-id").unwrap();
            assert!(read(&page).contains(id), "what to tell the operator");
            assert!(!page.text().contains("on purpose"));
        }
        let token = form(&account, "/account/profile").inputs[0].1.clone();
        let body = super::browser::encoded(&[("csrf", &token), ("display_name", "Jane")]);
        let request = browser.request("POST", "/account/profile").tolerating_500();
        request.body(super::browser::FORM, body).await.expect(status);
        let token = form(&sign_in, "/account/sign-in").inputs[0].1.clone();
        let fields = [("email", "jane@example.com"), ("password", PASSWORD), ("csrf", &token)];
        let body = super::browser::encoded(&fields);
        let request = stranger.moved_to(app.client()).request("POST", "/account/sign-in");
        request.tolerating_500().body(super::browser::FORM, body).await.expect(status);
        storage.heal();
    }
    assert!(browser.is_signed_in().await, "a good cookie is not thrown away");
}

#[actix_web::test]
async fn i14_no_redirect_leaves_the_site() {
    let app = TestApp::memory().await;
    app.client().register("jane@example.com").await;
    let browser = Browser::new(&app);
    for path in [
        "/account?next=//evil.example",
        "/account?done=//evil.example",
        "/account?redirect_uri=https://evil.example",
        "/account/sessions?next=https:evil.example",
        "/account//evil.example",
        "/account/%2f%2fevil.example",
        "/account/password?next=/%5cevil.example",
    ] {
        let request = browser.request("GET", path).header("host", "evil.example");
        let reply = request.header("x-forwarded-host", "evil.example").await;
        // That `Location` is a path of this site is judged with every answer.
        assert!(matches!(reply.status, 200 | 303 | 404), "{path}");
        assert!(!format!("{:?}", reply.headers).contains("evil") && !reply.text().contains("evil"));
    }
    let page = browser.open("/account?next=//evil.example").await;
    let extra = [("email", "jane@example.com"), ("password", PASSWORD), ("next", "//evil.example")];
    let signed_in = browser.submit(&page, "/account/sign-in", &extra).await.expect(303);
    assert_eq!(signed_in.header("location"), Some("/account"));
}

#[actix_web::test]
async fn w2_the_style_sheet_and_the_icon_are_files_of_ours_kept_for_ever() {
    let app = TestApp::memory().await;
    let client = app.client();
    let page = client.get("/").await.expect(200);
    let mut kinds = Vec::new();
    for path in page.text().split("href=\"").skip(1).map(|part| part.split('"').next().unwrap()) {
        if !path.starts_with("/assets/") {
            continue;
        }
        for method in ["GET", "HEAD"] {
            let file = client.request(method, path).await.expect(200);
            let caching = file.header("cache-control");
            assert_eq!(caching, Some("public, max-age=31536000, immutable"));
            assert_eq!(file.header("x-ratelimit-limit"), None);
            kinds.push(file.header("content-type").unwrap().to_owned());
            let foreign = file.text().replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
            for part in ["http", "//", "@import", "url(", "<script"] {
                assert!(!foreign.contains(part), "{path}: {part}");
            }
        }
    }
    assert_eq!(kinds.len(), 4, "{kinds:?}");
    for path in [
        "/assets/x.css",
        "/assets/",
        "/assets/..%2fCargo.toml",
        "/assets/a/b",
        "/assets/0123456789abcdef.js",
        "/assets/0123456789abcdef",
        "/assets/0123456789abcdeg.css",
        "/assets/0123456789abcdef0.css",
    ] {
        client.get(path).await.expect_error(404, "not_found");
    }
}

#[actix_web::test]
async fn a_page_of_another_build_gets_the_files_of_this_one_which_nobody_keeps() {
    let app = TestApp::memory().await;
    let client = app.client();
    for (name, kind) in [
        ("0123456789abcdef.css", "text/css; charset=utf-8"),
        ("0123456789abcdef.svg", "image/svg+xml"),
    ] {
        let file = client.get(&format!("/assets/{name}")).await.expect(200);
        assert_eq!(file.header("content-type"), Some(kind));
        assert_eq!(file.header("cache-control"), Some("no-store"));
    }
}

#[actix_web::test]
async fn w3_the_name_of_the_service_is_text() {
    let name = "A & B <script>alert(1)</script>";
    let app =
        TestApp::memory_with(AppOptions { service_name: name, ..AppOptions::default() }).await;
    let browser = Browser::new(&app);
    for path in ["/", "/account", "/account/register", "/verify-email", "/account/nothing"] {
        let page = browser.open(path).await;
        assert!(read(&page).contains(name) && !page.text().contains("<script"), "{path}");
    }
}
