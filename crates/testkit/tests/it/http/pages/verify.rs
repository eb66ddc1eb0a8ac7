use portcullis_audit::Actor;
use portcullis_kernel::Origin;
use portcullis_testkit::{
    app::{Person, Reply, TestApp},
    on_every_storage,
};
use time::Duration;

use super::browser::{Browser, form, forms, read};

const PATH: &str = "/verify-email";
const NOT_ME: &str = "/verify-email/not-me";
const RESEND: &str = "/verify-email/resend";

fn link(token: &str) -> String {
    format!("{PATH}?token={token}")
}

fn is_verified(app: &TestApp, person: &Person) -> bool {
    app.read(|uow| uow.users().find(person.user_id())).unwrap().is_verified()
}

/// Says that the link is dead, and offers another.
#[track_caller]
fn assert_dead(reply: &Reply) {
    assert_eq!(reply.status, 401, "{}", reply.text());
    assert!(reply.text().contains("<h1>This link no longer works</h1>"));
    assert_eq!(form(reply, RESEND).buttons, ["Send another mail"]);
}

on_every_storage!(v8_v9_looking_at_a_link_changes_nothing_and_its_button_confirms_once, |app| {
    let jane = app.client().register("jane@example.com").await;
    let token = app.mailed("verify_email");
    let link = link(&token);
    let scanner = Browser::new(&app);
    for method in ["GET", "HEAD", "GET", "HEAD"] {
        scanner.request(method, &link).await.expect(200);
    }
    scanner.request("OPTIONS", &link).await.expect(405);
    assert!(!is_verified(&app, &jane));

    let browser = Browser::new(&app);
    let page = browser.open(&link).await.expect(200);
    let first = &forms(&page)[0];
    assert_eq!((first.action.as_str(), first.buttons[0].as_str()), (PATH, "Confirm"));
    assert_eq!(first.inputs, [("token".to_owned(), token.clone())]);
    let done = browser.submit(&page, PATH, &[]).await.expect(200);
    assert!(read(&done).contains("jane@example.com is the address of your account"));
    assert!(is_verified(&app, &jane));
    assert_eq!(browser.cookie("portcullis"), None, "nobody is signed in by a link");

    assert_dead(&browser.open(&link).await);
    assert_dead(&browser.submit(&page, PATH, &[]).await);
    assert_dead(&browser.submit(&page, NOT_ME, &[]).await);
    assert!(is_verified(&app, &jane), "a used token deletes nothing");
});

on_every_storage!(not_me_deletes_an_account_that_was_never_confirmed, |app| {
    let planted = app.client().register("jane@example.com").await;
    let token = app.mailed("verify_email");
    let browser = Browser::new(&app);
    let page = browser.open(&link(&token)).await.expect(200);
    let not_me = form(&page, NOT_ME);
    assert_eq!(not_me.buttons, ["This was not me"]);
    assert_eq!(not_me.inputs, [("token".to_owned(), token.clone())]);
    let done = browser.submit(&page, NOT_ME, &[]).await.expect(200);
    assert!(done.text().contains("<h1>The account is deleted</h1>"));

    assert!(app.read(|uow| uow.users().find(planted.user_id())).is_none());
    app.client().me(&planted.access).await.expect(401);
    assert_dead(&browser.submit(&page, NOT_ME, &[]).await);
    assert_dead(&browser.submit(&page, PATH, &[]).await);
    app.client().register("jane@example.com").await;
});

on_every_storage!(asking_again_is_answered_alike_for_every_address, |app| {
    app.client().register("open@example.com").await;
    app.verified("done@example.com").await;
    app.mails();
    let mut pages = Vec::new();
    for email in ["open@example.com", "done@example.com", "nobody@example.com"] {
        let browser = Browser::new(&app);
        let page = browser.fill(PATH, RESEND, &[("email", email)]).await.expect(200);
        pages.push((page.text().to_owned(), page.header_names()));
    }
    assert!(pages.iter().all(|page| *page == pages[0]), "E3");
    assert_eq!(app.told(), [("open@example.com".to_owned(), "verify_email")]);
});

#[actix_web::test]
async fn m9_the_page_tells_when_and_from_where_the_account_was_opened() {
    let app = TestApp::memory().await;
    app.client_at([203, 0, 113, 77]).register("jane@example.com").await;
    let token = app.mailed("verify_email");
    let page = Browser::new(&app).open(&link(&token)).await.expect(200);
    let text = read(&page);
    for fact in ["jane@example.com", "4 March 2026, 05:06 UTC", "the network 203.0.113.0/24"] {
        assert!(text.contains(fact), "{fact}: {text}");
    }
    assert!(!text.contains("Jane Smith"), "a stranger may have written the name");
    assert!(!text.contains(&token), "W2");
    assert_eq!(page.text().matches(&token).count(), 2, "one for each form");
}

#[actix_web::test]
async fn w3_a_link_that_is_none_leads_to_another_mail_and_is_not_repeated() {
    let app = TestApp::memory().await;
    app.client().register("jane@example.com").await;
    let token = app.mailed("verify_email");
    let browser = Browser::new(&app);
    for path in [PATH, "/verify-email?", "/verify-email?token=", "/verify-email?token=a&token=b"] {
        let page = browser.open(path).await.expect(200);
        assert_eq!(forms(&page).len(), 1);
        form(&page, RESEND);
    }
    let reset = token.replace("uvt_", "rst_");
    for bad in ["x", "%3Cscript%3Ealert(1)%3C/script%3E", "%22%3E%3Cimg%20src=x%3E", "%00", &reset]
    {
        let page = browser.open(&link(bad)).await;
        assert_dead(&page);
        for part in ["alert", "<img", &reset] {
            assert!(!page.text().contains(part), "{bad}");
        }
    }
    for bad in ["<script>alert(1)</script>", "x", &reset, &token.to_lowercase()] {
        for path in [PATH, NOT_ME] {
            let page = browser.send(path, &[("token", bad)]).await;
            assert_dead(&page);
            assert!(!page.text().contains("alert"));
        }
    }
    for fields in [&[][..], &[("token", "")], &[("token", &token), ("token", &token)]] {
        for path in [PATH, NOT_ME] {
            browser.send(path, fields).await.expect(400);
        }
    }
    browser.open(&link(&token)).await.expect(200);
}

#[actix_web::test]
async fn a_link_dies_by_time_by_a_newer_one_and_with_the_account() {
    let app = TestApp::memory().await;
    let jane = app.client().register("jane@example.com").await;
    let first = app.mailed("verify_email");
    let browser = Browser::new(&app);
    browser.fill(PATH, RESEND, &[("email", "jane@example.com")]).await.expect(200);
    let second = app.mailed("verify_email");
    assert_dead(&browser.open(&link(&first)).await);
    browser.open(&link(&second)).await.expect(200);
    app.engine().suspend_user(jane.user_id(), Actor::Operator, &Origin::local()).unwrap();
    assert_dead(&browser.open(&link(&second)).await);
    assert_dead(&browser.send(PATH, &[("token", &second)]).await);
    app.engine().resume_user(jane.user_id(), Actor::Operator, &Origin::local()).unwrap();
    app.clock().advance(Duration::DAY - Duration::SECOND);
    browser.open(&link(&second)).await.expect(200);
    app.clock().advance(Duration::SECOND);
    assert_dead(&browser.open(&link(&second)).await);
    assert_dead(&browser.send(PATH, &[("token", &second)]).await);
}

#[actix_web::test]
async fn an_address_that_is_none_is_told_at_its_field() {
    let app = TestApp::memory().await;
    let browser = Browser::new(&app);
    for typed in ["", "jane", "jane@", "<script>@example.com", "a@example.com,b@example.com"] {
        let page = browser.fill(PATH, RESEND, &[("email", typed)]).await.expect(400);
        let email = &form(&page, RESEND).inputs[0];
        assert_eq!(*email, ("email".to_owned(), typed.to_owned()), "what was typed stays");
        assert!(page.text().contains("aria-describedby=\"email-error\" aria-invalid=\"true\""));
        assert!(page.text().contains("role=\"alert\"") && page.text().contains("href=\"#email\""));
    }
    assert!(app.told().is_empty(), "M3");
}
