use portcullis_testkit_browser::Browser;

use super::{super::claim::Signed, LONG_ADDRESS, Look, Tour};
use crate::harness::Home;

const ASKS: &str = "An agent asks to be yours";

/// What a person sees of agents that ask to be theirs.
pub(crate) fn claims(browser: &Browser, look: Look<'_>) {
    let mut home = Home::on_sqlite();
    home.without_limits();
    let server = home.start();
    let mut client = server.client();
    let mut tour = Tour::start(browser, &server, look);
    tour.stop_at("claim-unknown", "/claim?token=cvt_x", "This link does not work");
    let denied = Signed::up(&mut client);
    tour.page.goto(&denied.url);
    tour.stop("claim", ASKS);
    tour.send(&[("email", "jane@example")], "Mail me a code");
    tour.stop("claim-malformed", ASKS);
    tour.press("Deny and report");
    tour.stop("claim-denied", "The agent is denied");
    tour.page.goto(&denied.url);
    tour.stop("claim-was-denied", "This agent was denied");

    let named = Signed::up_for(&mut client, LONG_ADDRESS);
    tour.page.goto(&named.url);
    tour.stop("claim-for-an-address", ASKS);
    tour.send(&[("email", "joe@example.com")], "Mail me a code");
    tour.stop("claim-of-another", ASKS);

    let agent = Signed::up(&mut client);
    tour.page.goto(&agent.url);
    tour.send(&[("email", "jane@example.com")], "Mail me a code");
    tour.stop("claim-mailed", "Check your mailbox");
    tour.page.goto(&agent.url);
    tour.stop("claim-with-a-code", ASKS);
    tour.open_mail("jane@example.com", "A code to claim an agent");
    let code = tour.mailed_code();
    agent.complete(&mut client, &code);
    tour.page.goto(&agent.url);
    tour.stop("claim-made", "This agent has its person");
    tour.follow_mail("jane@example.com", "An agent at Portcullis is yours now");
    let link = tour.page.url();
    tour.stop("claim-undo", "Undo the claim?");
    tour.press("Undo the claim");
    tour.stop("claim-undone", "The claim is undone");
    tour.page.goto(&link);
    tour.stop("claim-undo-dead", "This link no longer works");
}
