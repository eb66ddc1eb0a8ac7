use portcullis_testkit::{
    app::{AppOptions, PASSWORD, Reply, TestApp},
    on_every_storage,
};
use time::Duration;

use super::browser::{Browser, form, forms, read};

const PATH: &str = "/reset-password";
const CONFIRM: &str = "/reset-password/confirm";
const NEW: &str = "another horse battery";

fn link(token: &str) -> String {
    format!("{PATH}?token={token}")
}

/// Says that the link is dead, and offers another.
#[track_caller]
fn assert_dead(reply: &Reply) {
    assert_eq!(reply.status, 401, "{}", reply.text());
    assert!(reply.text().contains("<h1>This link no longer works</h1>"));
    assert_eq!(form(reply, PATH).buttons, ["Send the link"]);
}

on_every_storage!(v6_a_password_is_set_by_the_link_that_was_mailed_and_once, |app| {
    let jane = app.verified("jane@example.com").await;
    let before = Browser::signed_in(&app, "jane@example.com").await;
    let browser = Browser::new(&app);
    browser.fill(PATH, PATH, &[("email", "jane@example.com")]).await.expect(200);
    let token = app.mailed("reset_password");
    for method in ["GET", "HEAD", "GET"] {
        browser.request(method, &link(&token)).await.expect(200);
    }
    let page = browser.open(&link(&token)).await.expect(200);
    let first = &forms(&page)[0];
    assert_eq!((first.action.as_str(), first.buttons[0].as_str()), (CONFIRM, "Set the password"));
    assert_eq!(first.inputs[0], ("token".to_owned(), token.clone()));
    assert!(!read(&page).contains(&token) && page.text().matches(&token).count() == 1, "W2");

    for bad in ["short", "password123", "jane@example.com", ""] {
        let again = browser.submit(&page, CONFIRM, &[("password", bad)]).await.expect(400);
        assert_eq!(form(&again, CONFIRM).inputs[0], ("token".to_owned(), token.clone()));
        assert!(again.text().contains("password-error"), "{bad}");
        assert!(bad.is_empty() || bad.contains('@') || !again.text().contains(bad), "{bad}");
    }
    let done = browser.submit(&page, CONFIRM, &[("password", NEW)]).await.expect(200);
    assert!(done.text().contains("<h1>Your new password is set</h1>"));

    assert!(!before.is_signed_in().await, "every session ends");
    app.client().me(&jane.access).await.expect(401);
    app.client().try_sign_in("jane@example.com", PASSWORD).await.expect(401);
    app.client().try_sign_in("jane@example.com", NEW).await.expect(200);
    assert_dead(&browser.open(&link(&token)).await);
    assert_dead(&browser.submit(&page, CONFIRM, &[("password", PASSWORD)]).await);
    assert_eq!(app.told(), [("jane@example.com".to_owned(), "password_changed")]);
});

on_every_storage!(v10_a_reset_takes_a_planted_account_from_whoever_opened_it, |app| {
    let thief = app.client().register("jane@example.com").await;
    let in_browser = Browser::signed_in(&app, "jane@example.com").await;
    app.mails();
    let jane = Browser::new(&app);
    jane.fill(PATH, PATH, &[("email", "jane@example.com")]).await.expect(200);
    let page = jane.open(&link(&app.mailed("reset_password"))).await.expect(200);
    jane.submit(&page, CONFIRM, &[("password", NEW)]).await.expect(200);
    assert!(!in_browser.is_signed_in().await);
    app.client().me(&thief.access).await.expect(401);
    app.client().refresh(&thief.refresh).await.expect(401);
    app.client().try_sign_in("jane@example.com", PASSWORD).await.expect(401);
    assert!(app.read(|uow| uow.users().find(thief.user_id())).unwrap().is_verified());
});

on_every_storage!(e3_asking_is_answered_alike_for_every_address, |app| {
    app.verified("jane@example.com").await;
    app.client().register("open@example.com").await;
    app.mails();
    let mut pages = Vec::new();
    for email in ["jane@example.com", "open@example.com", "nobody@example.com"] {
        let page = Browser::new(&app).fill(PATH, PATH, &[("email", email)]).await.expect(200);
        assert!(read(&page).contains("If an account has this address, a mail is on its way."));
        pages.push((page.text().to_owned(), page.header_names(), page.remaining()));
    }
    assert!(pages.iter().all(|page| *page == pages[0]));
    let told = |email: &str| (email.to_owned(), "reset_password");
    assert_eq!(app.told(), [told("jane@example.com"), told("open@example.com")]);
});

#[actix_web::test]
async fn w3_a_link_that_is_none_is_told_and_not_repeated() {
    let app = TestApp::memory().await;
    let browser = Browser::new(&app);
    for path in [
        PATH,
        "/reset-password?token=",
        "/reset-password?token=a&token=b",
        "/reset-password?token=%ff",
    ] {
        form(&browser.open(path).await.expect(200), PATH);
    }
    for bad in ["x", "%3Cscript%3Ealert(1)%3C/script%3E"] {
        let page = browser.open(&link(bad)).await;
        assert_dead(&page);
        assert!(!page.text().contains("alert"));
    }
    let script = "\"><script>alert(1)</script>";
    assert_dead(&browser.send(CONFIRM, &[("token", script), ("password", NEW)]).await);
    let again =
        browser.send(CONFIRM, &[("token", script), ("password", "short")]).await.expect(400);
    assert_eq!(form(&again, CONFIRM).inputs[0], ("token".to_owned(), script.to_owned()));
    for fields in [&[][..], &[("token", ""), ("password", NEW)], &[("password", NEW)]] {
        browser.send(CONFIRM, fields).await.expect(400);
    }
}

#[actix_web::test]
async fn a_link_dies_after_an_hour_and_by_a_newer_one() {
    let app = TestApp::memory().await;
    app.verified("jane@example.com").await;
    let browser = Browser::new(&app);
    let mut links = Vec::new();
    for _ in 0..2 {
        browser.fill(PATH, PATH, &[("email", "jane@example.com")]).await.expect(200);
        links.push(link(&app.mailed("reset_password")));
    }
    assert_dead(&browser.open(&links[0]).await);
    app.clock().advance(Duration::HOUR - Duration::SECOND);
    let page = browser.open(&links[1]).await.expect(200);
    app.clock().advance(Duration::SECOND);
    assert_dead(&browser.open(&links[1]).await);
    assert_dead(&browser.submit(&page, CONFIRM, &[("password", NEW)]).await);
}

on_every_storage!(l1_asking_counts_like_the_route_of_the_api, |app| {
    let client = app.client();
    let browser = Browser::at(client);
    let page = browser.open(PATH).await.expect(200);
    for left in (1..10).rev() {
        let typed = [("email", "jane@example.com")];
        assert_eq!(browser.submit(&page, PATH, &typed).await.expect(200).remaining(), left);
    }
    let body = serde_json::json!({ "email": "jane@example.com" });
    let reply = client.post("/v1/auth/password/reset").json(&body).await;
    assert_eq!(reply.expect(202).remaining(), 0);
    let over = browser.submit(&page, PATH, &[("email", "jane@example.com")]).await.expect(429);
    assert!(read(&over).contains("You can try again in 60 minutes"), "{}", read(&over));
    assert!((3540..=3720).contains(&over.number("retry-after")));
    browser.open(PATH).await.expect(200);
    assert_eq!(app.mails().len(), 0, "nobody has the address");
});

#[actix_web::test]
async fn the_shortest_password_is_told_before_it_is_typed() {
    let mut options = AppOptions::default();
    options.engine.password.min_chars = 15;
    let app = TestApp::memory_with(options).await;
    app.client().register("jane@example.com").await;
    let browser = Browser::new(&app);
    browser.fill(PATH, PATH, &[("email", "jane@example.com")]).await.expect(200);
    let page = browser.open(&link(&app.mailed("reset_password"))).await.expect(200);
    assert!(read(&page).contains("At least 15 characters"));
    assert!(page.text().contains("minlength=\"15\""));
    let again = browser.submit(&page, CONFIRM, &[("password", "14 characters!")]).await.expect(400);
    assert!(read(&again).contains("New password must be at least 15 characters."));
}
