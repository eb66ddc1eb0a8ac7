//! Whom a request of a browser is counted for.

use portcullis_testkit::{app::PASSWORD, on_every_storage};

use super::browser::{Browser, read};

const WRONG: &str = "a-wrong-Passw0rd";

on_every_storage!(l1_every_check_of_a_password_on_a_page_counts_as_a_sign_in, |app| {
    app.client().register("jane@example.com").await;
    let browser = Browser::signed_in(&app, "jane@example.com").await;
    let client = app.client();
    let browser = browser.moved_to(client);
    let change = [("current_password", WRONG), ("new_password", "another horse battery")];
    let address = [("email", "new@example.com"), ("password", WRONG)];
    let deletion = [("password", WRONG)];
    for (path, typed, left) in [
        ("/account/password", &change[..], 4),
        ("/account/email", &address, 3),
        ("/account/delete", &deletion, 2),
        ("/account/password", &change, 1),
        ("/account/email", &address, 0),
    ] {
        let refused = browser.fill(path, path, typed).await.expect(401);
        assert_eq!((refused.number("x-ratelimit-limit"), refused.remaining()), (5, left), "{path}");
    }
    for (path, typed) in [("/account/password", &change[..]), ("/account/delete", &deletion)] {
        let over = browser.fill(path, path, typed).await.expect(429);
        assert!(read(&over).contains("You can try again in 15 minutes"));
    }
    client.try_sign_in("jane@example.com", PASSWORD).await.expect_error(429, "rate_limited");
    // What is not checked is not counted.
    let elsewhere = browser.moved_to(app.client());
    let short = [("current_password", PASSWORD), ("new_password", "short")];
    for _ in 0..6 {
        let path = "/account/password";
        assert_eq!(
            elsewhere.fill(path, path, &short).await.expect(400).number("x-ratelimit-limit"),
            100
        );
    }
    // Nor is what nobody who is signed in sent: a stranger's page cannot spend it.
    let stranger = Browser::at(app.client());
    for _ in 0..6 {
        stranger.send("/account/password", &change).await.expect(303);
    }
    stranger.sign_in("jane@example.com", PASSWORD).await.expect(303);
});

on_every_storage!(l8_wrong_passwords_on_a_page_fill_the_bucket_of_the_account, |app| {
    app.client().register("jane@example.com").await;
    let browser = Browser::signed_in(&app, "jane@example.com").await;
    let path = "/account/delete";
    for _ in 0..30 {
        let at = browser.moved_to(app.client());
        at.fill(path, path, &[("password", WRONG)]).await.expect(401);
    }
    let at = browser.moved_to(app.client());
    let over = at.fill(path, path, &[("password", PASSWORD)]).await.expect(429);
    assert!(read(&over).contains("Too many failed sign-ins for this email."));
    assert_eq!(over.number("x-ratelimit-limit"), 30);
    app.client().try_sign_in("jane@example.com", PASSWORD).await.expect(429);
});

on_every_storage!(l11_pages_count_for_the_address_and_then_for_the_user, |app| {
    let jane = app.client().register("jane@example.com").await;
    let client = app.client();
    let stranger = Browser::at(client);
    for (n, path) in ["/account", "/verify-email", "/reset-password", "/account/register"]
        .into_iter()
        .cycle()
        .take(30)
        .enumerate()
    {
        let reply = stranger.open(path).await.expect(200);
        assert_eq!(reply.remaining(), 29 - i64::try_from(n).unwrap(), "{path}");
    }
    let over = stranger.open("/account").await.expect(429);
    assert!(read(&over).contains("Please wait a little"));
    client.refresh("x").await.expect_error(429, "rate_limited");
    client.get("/").await.expect(200);

    let browser = Browser::signed_in(&app, "jane@example.com").await;
    let first = browser.open("/account").await.expect(200);
    assert_eq!((first.number("x-ratelimit-limit"), first.remaining()), (100, 99));
    let api = app.client().me(&jane.access).await.expect(200);
    assert_eq!(api.remaining(), 98, "one bucket of the user");
    let saved = browser.submit(&first, "/account/profile", &[("display_name", "J")]).await;
    assert_eq!(saved.expect(303).remaining(), 97);
});
