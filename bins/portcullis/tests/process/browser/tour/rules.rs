use portcullis_testkit_browser::Browser;

use super::{Look, PASSWORD, Tour};
use crate::harness::Home;

/// What is seen where not everybody may register, and where somebody tried too often.
pub(crate) fn rules(browser: &Browser, look: Look<'_>) {
    by_invitation(browser, look);
    closed(browser, look);
}

fn by_invitation(browser: &Browser, look: Look<'_>) {
    let mut home = Home::on_sqlite();
    home.without_limits();
    home.set("people.registration", "invite");
    home.set("mail.transport", "inbox");
    let server = home.start();
    let mut tour = Tour::start(browser, &server, look);
    tour.stop_at("register-by-invitation", "/account/register", "Create an account");
    home.run(&["users", "invite", "--email", "jane@example.com"]).succeeded();
    tour.follow_mail("jane@example.com", "You are invited");
    tour.stop("register-invited", "Create an account");
    let link = tour.page.url();
    tour.send(&[("email", "jane@example.com"), ("password", PASSWORD)], "Create the account");
    tour.press("Sign out");
    tour.page.goto(&link);
    let other = [("email", "joe@example.com"), ("password", PASSWORD)];
    tour.send(&other, "Create the account");
    tour.stop("register-invitation-dead", "Create an account");
}

fn closed(browser: &Browser, look: Look<'_>) {
    let mut home = Home::on_sqlite();
    home.set("people.registration", "closed");
    let server = home.start();
    let mut tour = Tour::start(browser, &server, look);
    tour.stop_at("register-closed", "/account/register", "That is not possible");
    tour.stop_at("sign-in-closed", "/account", "Sign in");
    for _ in 0..5 {
        tour.send(&[("email", "jane@example.com"), ("password", "wrong")], "Sign in");
    }
    tour.send(&[("email", "jane@example.com"), ("password", "wrong")], "Sign in");
    tour.stop("too-many-tries", "Please wait a little");
    assert!(tour.reads().contains("You can try again in 15 minutes."), "{}", tour.reads());
}
