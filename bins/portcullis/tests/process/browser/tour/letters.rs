use portcullis_testkit_browser::Browser;

use super::{LONG_ADDRESS, Look, PASSWORD, Tour, jane};
use crate::harness::{Account, Home, database};

const VERIFY: &str = "Confirm your email address";

/// The inbox, and what is behind links that were mailed.
pub(crate) fn letters(browser: &Browser, look: Look<'_>) {
    let mut home = Home::on_sqlite();
    home.without_limits();
    let server = home.start();
    let mut tour = Tour::start(browser, &server, look);
    tour.stop_at("inbox-empty", "/dev/inbox", "Development inbox");
    let long = Account { email: LONG_ADDRESS.into(), password: PASSWORD.into() };
    long.register(&mut server.client());
    tour.follow_mail(LONG_ADDRESS, VERIFY);
    tour.stop("verify-disown", VERIFY);
    tour.press("This was not me");
    tour.stop("verify-disowned", "The account is deleted");

    let jane = jane(&server);
    tour.follow_mail(&jane.email, VERIFY);
    let link = tour.page.url();
    tour.stop("verify", VERIFY);
    tour.press("Confirm");
    tour.stop("verify-done", "Your address is confirmed");
    tour.page.goto(&link);
    tour.stop("verify-dead", "This link no longer works");

    tour.open("/reset-password");
    tour.send(&[("email", &jane.email)], "Send the link");
    tour.open_mail(&jane.email, "Set a new password");
    tour.stop("mail", "Set a new password for Portcullis");
    tour.stop_at("inbox", "/dev/inbox", "Development inbox");
    tour.follow_mail(&jane.email, "Set a new password");
    let link = tour.page.url();
    tour.stop("reset", "Choose a new password");
    tour.send(&[("password", "password1")], "Set the password");
    tour.stop("reset-refused", "Choose a new password");
    tour.send(&[("password", "another three words")], "Set the password");
    tour.stop("reset-done", "Your new password is set");
    tour.page.goto(&link);
    tour.stop("reset-dead", "This link no longer works");
}

/// The deletion of an account that has no password: the server makes none yet whose owner could be
/// signed in.
pub(crate) fn mailed_deletion(browser: &Browser, look: Look<'_>) {
    let mut home = Home::on_sqlite();
    home.without_limits();
    let server = home.start();
    let jane = jane(&server);
    let mut tour = Tour::start(browser, &server, look);
    tour.sign_in(&jane);
    database::execute(home.database_url(), "DELETE FROM passwords");
    tour.stop_at("delete-by-mail", "/account/delete", "Delete the account");
    tour.press("Mail me the link");
    tour.stop("delete-mailed", "Delete the account");
    tour.follow_mail(&jane.email, "Confirm that your Portcullis account is to be deleted");
    let link = tour.page.url();
    tour.stop("delete-link", "Delete the account?");
    tour.press("Delete my account");
    tour.stop("delete-done", "The account is deleted");
    tour.page.goto(&link);
    tour.stop("delete-dead", "This link no longer works");
}
