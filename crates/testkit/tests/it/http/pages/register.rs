use portcullis_audit::Actor;
use portcullis_flows::{RegistrationMode, admin::Invite};
use portcullis_kernel::Origin;
use portcullis_testkit::{
    app::{AppOptions, PASSWORD, TestApp},
    on_every_storage,
};

use super::browser::{Browser, form, forms, read};

const PATH: &str = "/account/register";

async fn with_mode(mode: RegistrationMode) -> TestApp {
    let mut options = AppOptions::default();
    options.engine.registration.mode = mode;
    TestApp::memory_with(options).await
}

on_every_storage!(m1_an_account_is_made_signed_in_and_mailed, |app| {
    let browser = Browser::new(&app);
    let typed = [("email", "Jane@Example.com"), ("password", PASSWORD), ("display_name", "Jane")];
    let made = browser.fill(PATH, PATH, &typed).await.expect(303);
    assert_eq!(made.header("location"), Some("/account?done=registered"));
    let account = browser.follow(&made).await.expect(200);
    let text = read(&account);
    for part in ["Hello, Jane", "Your account is ready.", "jane@example.com", "Not confirmed"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(app.told(), [("Jane@example.com".to_owned(), "verify_email")]);
    let back = browser.open(PATH).await.expect(303);
    assert_eq!(back.header("location"), Some("/account"), "one account is enough");

    let other = Browser::new(&app);
    let taken = other.fill(PATH, PATH, &typed).await.expect(409);
    assert!(read(&taken).contains("An account with this email already exists."));
    assert_eq!(form(&taken, PATH).inputs[1].1, "Jane@Example.com");
    assert!(!other.is_signed_in().await);
    // A name may be left out.
    let typed = [("email", "john@example.com"), ("password", PASSWORD)];
    other.fill(PATH, PATH, &typed).await.expect(303);
    assert!(read(&other.open("/account").await).contains("Your account"));
});

#[actix_web::test]
async fn every_broken_field_is_told_where_it_is() {
    let app = TestApp::memory().await;
    let browser = Browser::new(&app);
    let long = "n".repeat(81);
    let typed = [("email", "jane"), ("password", "seven77"), ("display_name", long.as_str())];
    let page = browser.fill(PATH, PATH, &typed).await.expect(400);
    assert!(page.text().contains("<title>Error: Create an account"));
    let text = read(&page);
    for part in [
        "Email address must be a valid email address.",
        "Password must be at least 8 characters.",
        "Your name must be at most 80 characters.",
    ] {
        assert_eq!(text.matches(part).count(), 2, "in the summary and at the field: {part}");
    }
    for name in ["email", "password", "display_name"] {
        assert!(page.text().contains(&format!("href=\"#{name}\"")), "{name}");
        assert!(page.text().contains(&format!("id=\"{name}-error\"")), "{name}");
    }
    let form = form(&page, PATH);
    let value = |name: &str| form.inputs.iter().find(|(n, _)| n == name).unwrap().1.clone();
    assert_eq!((value("email"), value("display_name")), ("jane".to_owned(), long.clone()));
    assert_eq!(value("password"), "", "a secret is never sent back");
    assert!(app.told().is_empty());
}

on_every_storage!(l1_registrations_on_the_page_and_over_the_api_are_counted_together, |app| {
    let client = app.client();
    let browser = Browser::at(client);
    let page = browser.open(PATH).await.expect(200);
    for n in 0..2 {
        let email = format!("p{n}@example.com");
        let typed = [("email", email.as_str()), ("password", PASSWORD)];
        assert_eq!(browser.submit(&page, PATH, &typed).await.expect(303).remaining(), 2 - n);
    }
    client.register("p2@example.com").await;
    let typed = [("email", "p3@example.com"), ("password", PASSWORD)];
    browser.submit(&page, PATH, &typed).await.expect(429);
});

#[actix_web::test]
async fn w5_nobody_can_be_made_to_register() {
    let app = TestApp::memory().await;
    let page = Browser::new(&app).open(PATH).await;
    let browser = Browser::new(&app);
    let typed = [("email", "jane@example.com"), ("password", PASSWORD)];
    let refused = browser.submit(&page, PATH, &typed).await.expect(403);
    assert!(read(&refused).contains("Please try again."));
    assert!(app.told().is_empty());
    browser.submit(&refused, PATH, &typed).await.expect(303);
}

#[actix_web::test]
async fn closed_registration_is_closed_here_too() {
    let app = with_mode(RegistrationMode::Closed).await;
    let browser = Browser::new(&app);
    let sign_in = browser.open("/account").await.expect(200);
    assert!(!sign_in.text().contains(PATH), "no link to it");
    let page = browser.open(PATH).await.expect(403);
    assert!(forms(&page).is_empty() && read(&page).contains("Registration is closed."));
    let token = form(&sign_in, "/account/sign-in").inputs[0].1.clone();
    let fields = [("email", "jane@example.com"), ("password", PASSWORD), ("csrf", &token)];
    browser.send(PATH, &fields).await.expect(403);
    assert!(app.told().is_empty());
}

#[actix_web::test]
async fn an_invitation_comes_from_the_link_and_is_good_once() {
    let app = with_mode(RegistrationMode::Invite).await;
    let invite = Invite { email: "jane@example.com".into() };
    app.engine().invite(invite, Actor::Operator, &Origin::local()).unwrap();
    let token = app.mailed("invitation");
    let browser = Browser::new(&app);
    let page = browser.open(&format!("{PATH}?invitation={token}")).await.expect(200);
    assert!(read(&page).contains("You were invited") && !read(&page).contains(&token), "W2");
    let hidden = &form(&page, PATH).inputs[1];
    assert_eq!(*hidden, ("invite_token".to_owned(), token.clone()));
    let typed = [("email", "jane@example.com"), ("password", PASSWORD)];
    browser.submit(&page, PATH, &typed).await.expect(303);
    let other = Browser::new(&app);
    let typed = [("email", "john@example.com"), ("password", PASSWORD)];
    let page = other.open(&format!("{PATH}?invitation={token}")).await.expect(200);
    let used = other.submit(&page, PATH, &typed).await.expect(401);
    assert!(read(&used).contains(
        "The invitation is invalid, expired, already used, or for another email address."
    ));
    assert!(!other.is_signed_in().await);
}

#[actix_web::test]
async fn w3_an_invitation_that_is_none_is_asked_for_and_never_markup() {
    let app = with_mode(RegistrationMode::Invite).await;
    let browser = Browser::new(&app);
    let page = browser.open(PATH).await.expect(200);
    assert!(read(&page).contains("You need one to register."));
    let typed = [("email", "jane@example.com"), ("password", PASSWORD)];
    let none = browser.submit(&page, PATH, &typed).await.expect(400);
    assert!(read(&none).contains("Invitation is required."));
    let script = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    let page = browser.open(&format!("{PATH}?invitation={script}")).await.expect(200);
    assert_eq!(form(&page, PATH).inputs[1].1, "\"><script>alert(1)</script>");
    browser.submit(&page, PATH, &typed).await.expect(401);
}
