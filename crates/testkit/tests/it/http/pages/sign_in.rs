use portcullis_audit::Actor;
use portcullis_kernel::Origin;
use portcullis_testkit::{
    app::{AppOptions, PASSWORD, Reply, TestApp},
    on_every_storage,
};
use time::Duration;

use super::browser::{Browser, form, read};
use crate::http::headers::BEARER;

const PATH: &str = "/account/sign-in";
const WRONG: &str = "a-wrong-Passw0rd";

async fn https() -> TestApp {
    let options = AppOptions { public_url: "https://auth.example.com", ..AppOptions::default() };
    TestApp::memory_with(options).await
}

on_every_storage!(the_right_password_signs_a_browser_in_until_it_signs_out, |app| {
    let jane = app.client().register("jane@example.com").await;
    let browser = Browser::new(&app);
    let signed_in = browser.sign_in("JANE@example.com ", PASSWORD).await.expect(303);
    assert_eq!(signed_in.header("location"), Some("/account"));
    let secret = browser.cookie("portcullis").unwrap();
    assert!(secret.starts_with("pst_") && secret.len() == 53, "{secret}");
    let account = browser.follow(&signed_in).await.expect(200);
    assert!(read(&account).contains("Hello, Jane Smith"));
    assert!(!account.text().contains(&secret));

    let out = browser.submit(&account, "/account/sign-out", &[]).await.expect(303);
    assert_eq!(browser.cookie("portcullis"), None, "the browser forgets it");
    assert!(read(&browser.follow(&out).await).contains("You are signed out."));
    browser.set_cookie("portcullis", &secret);
    assert!(!browser.is_signed_in().await, "R6: and so does the server");
    // Another session of the account lives on.
    app.client().me(&jane.access).await.expect(200);
    // Once more changes nothing.
    let again = browser.send("/account/sign-out", &[]).await.expect(303);
    assert_eq!(again.header("location"), Some("/account?done=signed-out"));
});

on_every_storage!(e1_a_wrong_password_and_an_unknown_address_are_the_same_page, |app| {
    app.client().register("jane@example.com").await;
    let mut pages = Vec::new();
    for email in ["jane@example.com", "nina@example.com"] {
        for password in [WRONG, "", &"x".repeat(5000)] {
            let browser = Browser::new(&app);
            let page = browser.sign_in(email, password).await.expect(401);
            assert_eq!(page.header("www-authenticate"), Some(BEARER));
            assert!(read(&page).contains("The email or password is incorrect."));
            let form = form(&page, PATH);
            assert_eq!(form.inputs[1], ("email".to_owned(), email.to_owned()), "it stays");
            assert_eq!(form.inputs[2], ("password".to_owned(), String::new()), "it does not");
            let text = page.text().replace(&form.inputs[0].1, "").replace(email, "");
            pages.push((text, page.header_names()));
            assert_eq!(browser.cookie("portcullis"), None);
        }
    }
    assert!(pages.iter().all(|page| *page == pages[0]), "{pages:#?}");
});

on_every_storage!(a_suspended_account_is_told_so_by_its_right_password_only, |app| {
    let jane = app.client().register("jane@example.com").await;
    let before = Browser::signed_in(&app, "jane@example.com").await;
    app.engine().suspend_user(jane.user_id(), Actor::Operator, &Origin::local()).unwrap();
    assert!(!before.is_signed_in().await, "R9");
    let browser = Browser::new(&app);
    browser.sign_in("jane@example.com", WRONG).await.expect(401);
    let shut = browser.sign_in("jane@example.com", PASSWORD).await.expect(403);
    assert!(read(&shut).contains("This account is suspended."));
});

on_every_storage!(r7_a_sign_in_never_takes_over_what_the_browser_brought, |app| {
    app.client().register("jane@example.com").await;
    app.client().register("mallory@example.com").await;
    let mallory = Browser::signed_in(&app, "mallory@example.com").await;
    let planted = mallory.cookie("portcullis").unwrap();
    let jane = Browser::new(&app);
    let page = jane.open("/account").await;
    for value in [planted.as_str(), "chosen-by-mallory", "pst_", ""] {
        jane.set_cookie("portcullis", value);
        let typed = [("email", "jane@example.com"), ("password", PASSWORD)];
        let at = jane.moved_to(app.client());
        at.submit(&page, PATH, &typed).await.expect(303);
        assert_ne!(at.cookie("portcullis").as_deref(), Some(value));
        assert!(read(&at.open("/account").await).contains("jane@example.com"));
    }
    assert!(read(&mallory.open("/account").await).contains("mallory@example.com"));
});

on_every_storage!(a_sign_in_lasts_twelve_hours, |app| {
    app.client().register("jane@example.com").await;
    let browser = Browser::signed_in(&app, "jane@example.com").await;
    app.clock().advance(Duration::hours(12) - Duration::SECOND);
    assert!(browser.is_signed_in().await);
    app.clock().advance(Duration::SECOND);
    assert!(!browser.is_signed_in().await);
});

on_every_storage!(l1_sign_ins_on_the_page_and_over_the_api_are_counted_together, |app| {
    app.client().register("jane@example.com").await;
    let client = app.client();
    let browser = Browser::at(client);
    let page = browser.open("/account").await;
    let typed = [("email", "jane@example.com"), ("password", WRONG)];
    for left in [4, 2] {
        let reply = browser.submit(&page, PATH, &typed).await.expect(401);
        assert_eq!((reply.number("x-ratelimit-limit"), reply.remaining()), (5, left));
        let reply = client.try_sign_in("jane@example.com", WRONG).await.expect(401);
        assert_eq!(reply.remaining(), left - 1);
    }
    // A form without a token counts like any other.
    browser.send(PATH, &typed).await.expect(403);
    let over = browser.submit(&page, PATH, &typed).await.expect(429);
    assert!(read(&over).contains("You can try again in 15 minutes"), "{}", read(&over));
    client.try_sign_in("jane@example.com", PASSWORD).await.expect_error(429, "rate_limited");
});

on_every_storage!(l8_failures_at_one_account_are_counted_over_all_addresses, |app| {
    app.client_at([203, 0, 113, 7]).register("jane@example.com").await;
    for _ in 0..15 {
        Browser::new(&app).sign_in("jane@example.com", WRONG).await.expect(401);
        app.client().try_sign_in("jane@example.com", WRONG).await.expect(401);
    }
    let over = Browser::new(&app).sign_in("jane@example.com", PASSWORD).await.expect(429);
    assert!(read(&over).contains("Too many failed sign-ins for this email."));
    assert!(read(&over).contains("You can try again in 1"), "{}", read(&over));
    assert_eq!(over.number("x-ratelimit-limit"), 30);
    form(&over, PATH);
    // The owner is not shut out where they signed in before.
    let known = Browser::at(app.client_at([203, 0, 113, 7]));
    known.sign_in("jane@example.com", PASSWORD).await.expect(303);
});

#[actix_web::test]
async fn w5_nobody_can_be_made_to_sign_in_as_somebody_else() {
    let app = TestApp::memory().await;
    app.client().register("mallory@example.com").await;
    let typed = [("email", "mallory@example.com"), ("password", PASSWORD)];
    let refused = |reply: &Reply| {
        assert_eq!(reply.status, 403, "{}", reply.text());
        assert!(read(reply).contains("Please try again."));
        assert!(!reply.cookies().iter().any(|cookie| cookie.starts_with("portcullis=")));
        form(reply, PATH);
    };
    // Without the cookie that the form came with, as a form of another site would be sent.
    let page = Browser::new(&app).open("/account").await;
    let jane = Browser::new(&app);
    let again = jane.submit(&page, PATH, &typed).await;
    refused(&again);
    assert_eq!(form(&again, PATH).inputs[1].1, "mallory@example.com");
    // With the form of another browser.
    let jane = Browser::new(&app);
    jane.open("/account").await;
    refused(&jane.submit(&page, PATH, &typed).await);
    // With the token of a session, or half of one.
    let own = jane.open("/account").await;
    let token = form(&own, PATH).inputs[0].1.clone();
    for bad in ["", "x", &token[..31], &token.to_lowercase()] {
        let jane = jane.moved_to(app.client());
        refused(&jane.send(PATH, &[&typed[..], &[("csrf", bad)]].concat()).await);
    }
    let twice = [&typed[..], &[("csrf", &token), ("csrf", &token)]].concat();
    refused(&jane.moved_to(app.client()).send(PATH, &twice).await);
    // What is offered then works.
    let jane = jane.moved_to(app.client());
    let again = jane.send(PATH, &typed).await;
    jane.submit(&again, PATH, &typed).await.expect(303);
}

#[actix_web::test]
async fn a_form_stays_good_in_a_second_tab() {
    let app = TestApp::memory().await;
    app.client().register("jane@example.com").await;
    let browser = Browser::new(&app);
    let first = browser.open("/account").await;
    let cookie = browser.cookie("portcullis-form").unwrap();
    assert_eq!((cookie.len(), first.cookies().len()), (26, 1));
    let second = browser.open("/account/register").await;
    assert!(second.cookies().is_empty(), "the cookie is made once");
    let typed = [("email", "jane@example.com"), ("password", PASSWORD)];
    browser.submit(&first, PATH, &typed).await.expect(303);
    // One that was not made here is replaced.
    for bad in ["", "x", "<script>", &"a".repeat(27)] {
        let browser = Browser::new(&app);
        browser.set_cookie("portcullis-form", bad);
        browser.sign_in("jane@example.com", PASSWORD).await.expect(303);
        assert_ne!(browser.cookie("portcullis-form").as_deref(), Some(bad));
    }
}

#[actix_web::test]
async fn cookies_are_bound_to_the_host_over_https() {
    let app = https().await;
    app.client().register("jane@example.com").await;
    let browser = Browser::new(&app);
    let page = browser.open("/account").await.expect(200);
    // The flags of each are judged with every answer.
    assert!(page.cookies()[0].starts_with("__Host-portcullis-form="));
    let signed_in = browser.sign_in("jane@example.com", PASSWORD).await.expect(303);
    let [cookie] = signed_in.cookies()[..] else { panic!("{signed_in:?}") };
    assert!(cookie.starts_with("__Host-portcullis=pst_") && cookie.ends_with("; Secure"));
    assert!(browser.is_signed_in().await);
    // A cookie that any page of the domain could set is not looked at.
    let secret = browser.cookie("__Host-portcullis").unwrap();
    let other = Browser::new(&app);
    other.set_cookie("portcullis", &secret);
    assert!(!other.is_signed_in().await);
}

#[actix_web::test]
async fn whatever_else_is_in_the_cookie_signs_nobody_in() {
    let app = TestApp::memory().await;
    let jane = app.client().register("jane@example.com").await;
    let good = Browser::signed_in(&app, "jane@example.com").await;
    let secret = good.cookie("portcullis").unwrap();
    let (front, back) = secret.split_at(20);
    for bad in [
        "x".to_owned(),
        jane.access,
        jane.refresh,
        secret.to_uppercase(),
        format!("{front} {back}"),
        format!("{front}%00{back}"),
        format!("{secret}x"),
        format!("\"{secret}\""),
        "x".repeat(3000),
    ] {
        let browser = Browser::new(&app);
        browser.set_cookie("portcullis", &bad);
        assert!(!browser.is_signed_in().await, "{bad}");
    }
    // Nor does it in any other place (I16).
    let browser = Browser::new(&app);
    let bearer = browser.request("GET", "/account").bearer(&secret).await.expect(200);
    form(&bearer, PATH);
    let query = browser.open(&format!("/account?portcullis={secret}")).await.expect(200);
    form(&query, PATH);
    app.client().me(&secret).await.expect(401);
}

#[actix_web::test]
async fn p2_a_password_is_taken_from_the_form_exactly_as_typed() {
    let app = TestApp::memory().await;
    for (n, password) in [
        " leading and trailing ",
        "%41%20+plus&amp;=equals",
        "Пароль и 🦀 и \u{fffd}",
        "<script>alert(1)</script>",
        "nul \0 within it",
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("p{n}@example.com");
        let body = serde_json::json!({ "email": email, "password": password });
        app.client().post("/v1/auth/register").json(&body).await.expect(201);
        let browser = Browser::new(&app);
        browser.sign_in(&email, password).await.expect(303);
        Browser::new(&app)
            .sign_in(&email, password.trim_end())
            .await
            .expect(if password.trim_end() == password { 303 } else { 401 });
    }
}
