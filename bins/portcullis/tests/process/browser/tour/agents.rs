use portcullis_testkit_browser::Browser;

use super::{Look, Tour, jane};
use crate::harness::{Agent, Home};

/// As long as a name can be.
const LONG_NAME: &str = "Wolfeschlegelsteinhausenbergerdorff-Featherstoneha";

/// What one person sees of their agents.
pub(crate) fn agents(browser: &Browser, look: Look<'_>) {
    let mut home = Home::on_sqlite();
    home.without_limits();
    let server = home.start();
    let jane = jane(&server);
    let mut tour = Tour::start(browser, &server, look);
    tour.sign_in(&jane);
    tour.stop_at("agents-none", "/account/agents", "My agents");
    let agent = Agent::owned_by(&home, &jane.email, "weather-bot");
    let suspended = Agent::owned_by(&home, &jane.email, LONG_NAME);
    let mut client = server.client();
    suspended.make_key(&mut client);
    home.run(&["agents", "suspend", &suspended.id]).succeeded();
    tour.stop_at("agents", "/account/agents", "My agents");
    tour.stop_at("agent-suspended", &format!("/account/agents/{}", suspended.id), "Agent");

    let path = format!("/account/agents/{}", agent.id);
    tour.stop_at("agent-without-keys", &path, "Agent");
    tour.send(&[("name", &"x".repeat(101))], "Make the key");
    tour.stop("agent-key-malformed", "Agent");
    tour.send(&[("name", &"x".repeat(100))], "Make the key");
    tour.stop("agent-key", "The new key");
    tour.follow("I have copied it");
    tour.stop("agent-long-key", "Agent");
    let [rotated, revoked] = [(); 2].map(|()| agent.make_key(&mut client));
    let overlap = serde_json::json!({ "overlap_seconds": 3600 });
    let rotation = format!("/api/agents/{}/keys/{}/rotate", agent.id, rotated.id);
    let rotation = crate::harness::Request::post(&rotation, &overlap);
    client.ask(&rotation.basic(&agent.id, &agent.recovery_key)).with_status(201);
    client.ask(&agent.revocation(&revoked)).with_status(200);
    tour.stop_at("agent", &path, "Agent");
    tour.page.find("form[action$='/keys/revoke'] button").follow();
    tour.stop("agent-key-revoked", "Agent");
    tour.follow("Give it up");
    tour.stop("agent-give-up", "Give the agent up?");
    tour.press("Give it up");
    tour.stop("agent-given-up", "My agents");
}
