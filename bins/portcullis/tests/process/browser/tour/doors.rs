use portcullis_testkit_browser::Browser;

use super::{Look, PASSWORD, Tour, jane};
use crate::harness::Home;

/// What somebody sees who is not signed in.
pub(crate) fn doors(browser: &Browser, look: Look<'_>) {
    let mut home = Home::on_sqlite();
    home.without_limits();
    let server = home.start();
    jane(&server);
    let mut tour = Tour::start(browser, &server, look);
    tour.stop_at("index", "/", "Portcullis");
    tour.stop_at("sign-in", "/account", "Sign in");
    tour.send(&[("email", "jane@example"), ("password", PASSWORD)], "Sign in");
    tour.stop("sign-in-malformed", "Sign in");
    tour.send(&[("email", "jane@example.com"), ("password", "wrong")], "Sign in");
    tour.stop("sign-in-wrong", "Sign in");

    tour.stop_at("register", "/account/register", "Create an account");
    let fields =
        [("email", "jane@example"), ("display_name", &*"x".repeat(81)), ("password", "password1")];
    tour.send(&fields, "Create the account");
    tour.stop("register-malformed", "Create an account");
    let fields = [("email", "jane@example.com"), ("display_name", "Jane"), ("password", PASSWORD)];
    tour.send(&fields, "Create the account");
    tour.stop("register-taken", "Create an account");

    tour.stop_at("reset-ask", "/reset-password", "Set a new password");
    tour.send(&[("email", "jane@example")], "Send the link");
    tour.stop("reset-ask-malformed", "Set a new password");
    tour.send(&[("email", "jane@example.com")], "Send the link");
    tour.stop("reset-asked", "Check your mailbox");
    tour.stop_at("verify-ask", "/verify-email", "Confirm your email address");
    tour.send(&[("email", "jane@example")], "Send another mail");
    tour.stop("verify-ask-malformed", "Confirm your email address");
    tour.send(&[("email", "jane@example.com")], "Send another mail");
    tour.stop("verify-asked", "Check your mailbox");

    tour.stop_at("not-found", "/account/nowhere", "There is no such page");
    tour.stop_at("wrong-method", "/account/sign-in", "This page cannot be opened like that");
    tour.open("/account");
    tour.page.delete_cookie("portcullis-form");
    tour.send(&[("email", "jane@example.com"), ("password", PASSWORD)], "Sign in");
    tour.stop("sign-in-too-old", "Sign in");
}
