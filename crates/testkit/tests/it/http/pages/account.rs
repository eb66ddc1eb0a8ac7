use portcullis_testkit::{
    app::{PASSWORD, Reply, TestApp},
    on_every_storage,
};

use super::browser::{Browser, FORM, encoded, form, forms, read};

const NEW: &str = "another horse battery";

on_every_storage!(the_name_is_shown_changed_and_cleared, |app| {
    app.client().register("jane@example.com").await;
    let browser = Browser::signed_in(&app, "jane@example.com").await;
    let (page, action) = (browser.open("/account").await.expect(200), "/account/profile");
    assert_eq!(form(&page, action).inputs[1], ("display_name".into(), "Jane Smith".into()));
    for (typed, greeting) in [("Jane <b>Doe</b>", "Hello, Jane <b>Doe</b>"), ("", "Your account")] {
        let saved = browser.submit(&page, action, &[("display_name", typed)]).await.expect(303);
        assert_eq!(saved.header("location"), Some("/account?done=profile"));
        let page = browser.follow(&saved).await.expect(200);
        assert!(!page.text().contains("<b>"), "W3");
        assert!(read(&page).contains(greeting) && read(&page).contains("Your name is saved."));
    }
    let long = "x".repeat(81);
    let again = browser.submit(&page, action, &[("display_name", &long)]).await.expect(400);
    assert_eq!(form(&again, action).inputs[1].1, long, "what was typed stays");
    assert!(read(&again).contains("Your name must be at most 80 characters."));
});

on_every_storage!(p10_a_changed_password_ends_the_other_sessions, |app| {
    let jane = app.verified("jane@example.com").await;
    let other = Browser::signed_in(&app, "jane@example.com").await;
    let browser = Browser::signed_in(&app, "jane@example.com").await;
    let path = "/account/password";
    let page = browser.open(path).await.expect(200);
    for (current, new, status, told) in [
        ("wrong-Passw0rd", NEW, 401, "The password is incorrect."),
        (PASSWORD, "short", 400, "New password must be at least 8 characters."),
        (PASSWORD, "jane@example.com", 400, "New password must not be your email address or name."),
    ] {
        let typed = [("current_password", current), ("new_password", new)];
        let again = browser.submit(&page, path, &typed).await.expect(status);
        assert!(read(&again).contains(told), "{}", read(&again));
        assert!(!again.text().contains(PASSWORD) && !again.text().contains("wrong-Passw0rd"));
    }
    let typed = [("current_password", PASSWORD), ("new_password", NEW)];
    let changed = browser.submit(&page, path, &typed).await.expect(303);
    assert_eq!(changed.header("location"), Some("/account/password?done=password"));
    assert!(read(&browser.follow(&changed).await).contains("Your password is changed"));
    assert!(!other.is_signed_in().await);
    app.client().me(&jane.access).await.expect(401);
    app.client().try_sign_in("jane@example.com", NEW).await.expect(200);
    assert_eq!(app.told(), [("jane@example.com".to_owned(), "password_changed")]);
});

on_every_storage!(an_address_is_changed_by_the_code_that_went_to_it, |app| {
    app.verified("jane@example.com").await;
    let browser = Browser::signed_in(&app, "jane@example.com").await;
    let (path, confirm) = ("/account/email", "/account/email/confirm");
    let page = browser.open(path).await.expect(200);
    assert!(read(&page).contains("Confirmed") && forms(&page).len() == 2, "nothing to resend");
    let wrong = [("email", "new@example.com"), ("password", "wrong-Passw0rd")];
    let again = browser.submit(&page, path, &wrong).await.expect(401);
    assert_eq!(form(&again, path).inputs[1].1, "new@example.com");
    for (email, told) in [
        ("jane", "New email address must be a valid email address."),
        ("Jane@example.com", "New email address is the address of this account already."),
    ] {
        let typed = [("email", email), ("password", PASSWORD)];
        let again = browser.submit(&page, path, &typed).await.expect(400);
        assert!(read(&again).contains(told), "{}", read(&again));
    }
    let typed = [("email", "New@example.com"), ("password", PASSWORD)];
    let asked = browser.submit(&page, path, &typed).await.expect(303);
    assert_eq!(asked.header("location"), Some("/account/email/confirm?done=code"));
    let code_page = browser.follow(&asked).await.expect(200);
    assert!(read(&code_page).contains("It works for 15 minutes"));
    let code = app.mailed("confirm_new_email");
    let other = if code == "000000" { "000001" } else { "000000" };
    for (typed, status) in [(other, 401), ("12345", 401), ("", 400)] {
        let again = browser.submit(&code_page, confirm, &[("code", typed)]).await.expect(status);
        assert_eq!(form(&again, confirm).inputs[1].1, "", "a code is not shown again");
    }
    // Another session of the account cannot use it (O6).
    let elsewhere = Browser::signed_in(&app, "jane@example.com").await;
    elsewhere.fill(confirm, confirm, &[("code", &code)]).await.expect(401);
    let changed = browser.submit(&code_page, confirm, &[("code", &code)]).await.expect(303);
    assert_eq!(changed.header("location"), Some("/account/email?done=email"));
    let page = read(&browser.follow(&changed).await);
    assert!(page.contains("new@example.com") && !page.contains("New@example.com"));
    app.client().try_sign_in("new@example.com", PASSWORD).await.expect(200);
    app.client().try_sign_in("jane@example.com", PASSWORD).await.expect(401);
});

on_every_storage!(an_address_that_waits_is_confirmed_from_the_account, |app| {
    app.client().register("jane@example.com").await;
    app.mails();
    let browser = Browser::signed_in(&app, "jane@example.com").await;
    let page = browser.open("/account/email").await.expect(200);
    assert!(read(&page).contains("Not confirmed"));
    let asked = browser.submit(&page, "/account/email/resend", &[]).await.expect(303);
    assert!(read(&browser.follow(&asked).await).contains("a mail is on its way."));
    let link = format!("/verify-email?token={}", app.mailed("verify_email"));
    Browser::new(&app).fill(&link, "/verify-email", &[]).await.expect(200);
    let page = browser.open("/account/email").await.expect(200);
    assert!(!page.text().contains("/account/email/resend") && !read(&page).contains("Not conf"));
});

on_every_storage!(pages_show_the_canonical_address, |app| {
    app.client().register("Jane.Smith@Example.com").await;
    let browser = Browser::signed_in(&app, "jane.smith@example.com").await;
    let shown = |page: &Reply| {
        let text = page.text();
        assert!(text.contains("jane.smith@example.com") && !text.contains("Jane.Smith"), "{text}");
    };
    for path in ["/account", "/account/email", "/account/password", "/account/delete"] {
        shown(&browser.open(path).await.expect(200));
    }
    let page = browser.open(&format!("/verify-email?token={}", app.mailed("verify_email"))).await;
    shown(&page);
    shown(&browser.submit(&page, "/verify-email", &[]).await.expect(200));
    let path = "/reset-password";
    browser.fill(path, path, &[("email", "Jane.Smith@example.com")]).await.expect(200);
    shown(&browser.open(&format!("{path}?token={}", app.mailed("reset_password"))).await);
});

on_every_storage!(sessions_are_listed_and_ended_one_by_one_and_all_at_once, |app| {
    let jane = app.client().register("jane@example.com").await;
    let list = "/account/sessions";
    let phone = Browser::new(&app);
    let page = phone.open("/account").await;
    let agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Safari/604.1";
    let token = form(&page, "/account/sign-in").inputs[0].1.clone();
    let fields = [("email", "jane@example.com"), ("password", PASSWORD), ("csrf", &token)];
    let body = encoded(&fields);
    let request = phone.request("POST", "/account/sign-in").header("user-agent", agent);
    let signed_in = request.body(FORM, body).await.expect(303);
    let cookie = signed_in.cookies()[0].split(';').next().unwrap().to_owned();
    phone.set_cookie("portcullis", cookie.split_once('=').unwrap().1);

    let browser = Browser::signed_in(&app, "jane@example.com").await;
    let page = browser.open(list).await.expect(200);
    let text = read(&page);
    assert!(text.contains("Safari on iPhone") && text.contains("Unknown device"), "{text}");
    assert_eq!(text.matches("This device").count(), 1);
    assert!(text.contains("Signed in 4 March 2026, 05:06 UTC from 10.0."), "{text}");
    let ends: Vec<_> = forms(&page).into_iter().filter(|f| f.action.ends_with("/end")).collect();
    assert_eq!(ends.len(), 2, "not the one that asks");
    assert!(ends.iter().all(|form| form.buttons == ["Sign out"]));

    let phone_id = app
        .read(|uow| uow.sessions().list_live(jane.user_id(), app.engine().now()))
        .into_iter()
        .find(|session| session.user_agent.is_some())
        .unwrap()
        .id
        .to_string();
    let end = format!("{list}/end");
    let ended = browser.submit(&page, &end, &[("session", &phone_id)]).await.expect(303);
    assert!(read(&browser.follow(&ended).await).contains("That device is signed out."));
    assert!(!phone.is_signed_in().await);
    app.client().me(&jane.access).await.expect(200);

    let others = format!("{list}/end-others");
    let ended = browser.submit(&page, &others, &[]).await.expect(303);
    let page = browser.follow(&ended).await.expect(200);
    assert_eq!(forms(&page).len(), 1, "only to sign out: no other device is left");
    app.client().me(&jane.access).await.expect(401);
    assert!(browser.is_signed_in().await);
});

on_every_storage!(r7_nobody_ends_a_session_of_somebody_else, |app| {
    app.client().register("jane@example.com").await;
    let mallory = app.client().register("mallory@example.com").await;
    let jane = Browser::signed_in(&app, "jane@example.com").await;
    let theirs = app
        .read(|uow| uow.sessions().list_live(mallory.user_id(), app.engine().now()))
        .remove(0)
        .id
        .to_string();
    let page = jane.open("/account/sessions").await.expect(200);
    assert!(!page.text().contains(&theirs));
    for id in [theirs.as_str(), "ses_x", "", "../x", "<script>"] {
        let reply = jane.submit(&page, "/account/sessions/end", &[("session", id)]).await;
        // It is told alike, whether there is such a session or not.
        assert_eq!(reply.expect(303).header("location"), Some("/account/sessions?done=session"));
    }
    app.client().me(&mallory.access).await.expect(200);
});

on_every_storage!(an_account_is_deleted_with_its_password, |app| {
    let jane = app.verified("jane@example.com").await;
    let browser = Browser::signed_in(&app, "jane@example.com").await;
    let path = "/account/delete";
    let page = browser.open(path).await.expect(200);
    assert!(read(&page).contains("This cannot be undone."));
    browser.submit(&page, path, &[("password", "wrong-Passw0rd")]).await.expect(401);
    browser.submit(&page, path, &[("password", "")]).await.expect(400);
    let gone = browser.submit(&page, path, &[("password", PASSWORD)]).await.expect(303);
    assert_eq!(gone.header("location"), Some("/account?done=deleted"));
    assert_eq!(browser.cookie("portcullis"), None);
    assert!(read(&browser.follow(&gone).await).contains("Your account is deleted."));
    assert!(app.read(|uow| uow.users().find(jane.user_id())).is_none());
    app.client().me(&jane.access).await.expect(401);
    assert_eq!(app.told(), [("jane@example.com".to_owned(), "account_deleted")]);
});

on_every_storage!(an_account_without_a_password_is_deleted_by_a_link, |app| {
    let jane = app.verified("jane@example.com").await;
    let browser = Browser::signed_in(&app, "jane@example.com").await;
    let mut uow = app.engine().storage.begin(portcullis_storage::TxMode::Write).unwrap();
    assert!(uow.passwords().remove(jane.user_id()).unwrap());
    uow.commit().unwrap();
    let (path, confirm) = ("/account/delete", "/account/delete/confirm");
    let page = browser.open(path).await.expect(200);
    assert_eq!(form(&page, path).buttons, ["Mail me the link"]);
    let mailed = browser.submit(&page, path, &[]).await.expect(303);
    assert!(read(&browser.follow(&mailed).await).contains("A mail is on its way."));
    let token = app.mailed("confirm_deletion");

    let link = format!("{path}?token={token}");
    let reader = Browser::new(&app);
    for method in ["GET", "HEAD", "GET"] {
        reader.request(method, &link).await.expect(200);
    }
    // Also while somebody is signed in, the first form is what the link is for.
    for browser in [&reader, &browser] {
        let page = browser.open(&link).await.expect(200);
        assert_eq!(forms(&page)[0].action, confirm);
        assert!(!read(&page).contains(&token) && page.text().matches(&token).count() == 1, "W2");
    }
    let page = reader.open(&link).await.expect(200);
    assert!(read(&page).contains("jane@example.com"));
    reader.submit(&page, confirm, &[]).await.expect(200);
    assert!(app.read(|uow| uow.users().find(jane.user_id())).is_none());
    assert!(!browser.is_signed_in().await);
    for _ in 0..2 {
        assert!(read(&reader.open(&link).await.expect(401)).contains("no longer works"));
        reader.submit(&page, confirm, &[]).await.expect(401);
    }
    reader.send(confirm, &[]).await.expect(400);
    let bad = reader.open(&format!("{path}?token=%3Cscript%3E")).await.expect(401);
    assert!(!bad.text().contains("<script"));
});

#[actix_web::test]
async fn pages_of_an_account_want_somebody_who_is_signed_in() {
    let app = TestApp::memory().await;
    let browser = Browser::new(&app);
    for path in [
        "/account/email",
        "/account/email/confirm",
        "/account/password",
        "/account/sessions",
        "/account/agents",
        "/account/delete",
    ] {
        let reply = browser.open(path).await.expect(303);
        assert_eq!(reply.header("location"), Some("/account"), "{path}");
        assert_eq!(browser.request("HEAD", path).await.status, 303);
    }
    assert_eq!(form(&browser.open("/account").await, "/account/sign-in").buttons, ["Sign in"]);
}

#[actix_web::test]
async fn w3_what_was_done_is_told_by_known_words_alone() {
    let app = TestApp::memory().await;
    let browser = Browser::new(&app);
    let plain = read(&browser.open("/account").await);
    for word in ["x", "%3Cscript%3Ealert(1)%3C/script%3E", "deleted&done=deleted", "", "Deleted"] {
        let page = browser.open(&format!("/account?done={word}")).await.expect(200);
        assert_eq!(read(&page), plain, "{word}");
    }
    let page = browser.open("/account?done=deleted&next=//evil.example").await.expect(200);
    assert!(page.text().contains("role=\"status\"") && !page.text().contains("evil"));
}
