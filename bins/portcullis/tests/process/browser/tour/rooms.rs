use portcullis_testkit_browser::Browser;

use super::{LONG_ADDRESS, LONG_NAME, Look, PASSWORD, Tour, jane};
use crate::harness::{Account, Home};

/// What one person sees of their account.
pub(crate) fn rooms(browser: &Browser, look: Look<'_>) {
    let mut home = Home::on_sqlite();
    home.without_limits();
    let server = home.start();
    let mut tour = Tour::start(browser, &server, look);
    tour.open("/account/register");
    let fields = [("email", "jane@example.com"), ("display_name", "Jane"), ("password", PASSWORD)];
    tour.send(&fields, "Create the account");
    tour.stop("account-new", "Hello, Jane");
    tour.stop_at("devices-one", "/account/sessions", "Devices");
    let jane = Account { email: "jane@example.com".into(), password: PASSWORD.into() };
    for agent in [&*"x".repeat(300), "Mozilla/5.0 (X11; Linux) Firefox/140.0", "curl/8.5.0"] {
        let sign_in = jane.sign_in().header("User-Agent", agent);
        server.client().ask(&sign_in).with_status(200);
    }
    tour.stop_at("devices-many", "/account/sessions", "Devices");
    tour.press("Sign out all others");
    tour.stop("devices-ended", "Devices");

    tour.stop_at("password", "/account/password", "Password");
    let change = "Change the password";
    let wrong = [("current_password", "wrong"), ("new_password", "another three words")];
    tour.send(&wrong, change);
    tour.stop("password-wrong", "Password");
    let common = [("current_password", PASSWORD), ("new_password", "password1")];
    tour.send(&common, change);
    tour.stop("password-common", "Password");
    let right = [("current_password", PASSWORD), ("new_password", "another three words")];
    tour.send(&right, change);
    tour.stop("password-changed", "Password");

    tour.stop_at("delete", "/account/delete", "Delete the account");
    tour.send(&[("password", "wrong")], "Delete my account");
    tour.stop("delete-wrong", "Delete the account");
    tour.press("Sign out");
    tour.stop("signed-out", "Sign in");
    tour.sign_in(&Account { password: "another three words".into(), ..jane });
    tour.open("/account/delete");
    tour.send(&[("password", "another three words")], "Delete my account");
    tour.stop("deleted", "Sign in");
}

/// An address that is changed, and a name.
pub(crate) fn addresses(browser: &Browser, look: Look<'_>) {
    let mut home = Home::on_sqlite();
    home.without_limits();
    let server = home.start();
    let jane = jane(&server);
    let mut tour = Tour::start(browser, &server, look);
    tour.sign_in(&jane);
    tour.stop("account-unnamed", "Your account");
    tour.stop_at("email-unconfirmed", "/account/email", "Email address");
    tour.press("Send the mail again");
    tour.stop("email-mailed", "Email address");
    tour.send(&[("email", "jane@example"), ("password", PASSWORD)], "Send the code");
    tour.stop("email-malformed", "Email address");
    tour.send(&[("email", LONG_ADDRESS), ("password", PASSWORD)], "Send the code");
    tour.stop("email-code", "Enter the code");
    tour.send(&[("code", "000000")], "Change the address");
    tour.stop("email-code-wrong", "Enter the code");
    tour.open_mail(LONG_ADDRESS, "Confirm your new email address");
    tour.stop("mail-code", "Confirm your new email address for Portcullis");
    let code = tour.mailed_code();
    tour.open("/account/email/confirm");
    tour.send(&[("code", &code)], "Change the address");
    tour.stop("email-changed", "Email address");

    tour.open("/account");
    tour.send(&[("display_name", LONG_NAME)], "Save");
    tour.stop("account-long", &format!("Hello, {LONG_NAME}"));
    tour.send(&[("display_name", &"x".repeat(81))], "Save");
    tour.stop("account-malformed", &format!("Hello, {LONG_NAME}"));
    tour.stop_at("delete-long", "/account/delete", "Delete the account");
}
