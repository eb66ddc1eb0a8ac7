//! What a person sees of an agent that asks to be claimed: `/claim` and `/claim/undo`.

use portcullis_audit::Action;
use portcullis_kernel::{AgentId, Slice};
use portcullis_testkit::{
    app::{Reply, TestApp},
    on_every_storage,
};
use serde_json::{Value, json};
use time::Duration;

use super::browser::{Browser, form, forms, read};

const CLAIM: &str = "/claim";
const DENY: &str = "/claim/deny";
const UNDO: &str = "/claim/undo";

/// An agent that signed itself up.
struct Signed {
    id: String,
    /// Where its person is sent.
    link: String,
    claim_token: String,
    key: Option<String>,
}

impl Signed {
    fn token(&self) -> &str {
        self.link.split_once('=').unwrap().1
    }

    fn agent_id(&self) -> AgentId {
        self.id.parse().unwrap()
    }
}

async fn sign_up(app: &TestApp, body: Value) -> Signed {
    let reply = app.client().post("/v1/auth/agent").json(&body).await.expect(200);
    let told = reply.json();
    let link = reply.string("/claim_url");
    Signed {
        id: reply.string("/agent_id"),
        link: link.strip_prefix("http://127.0.0.1:8080").unwrap().to_owned(),
        claim_token: reply.string("/claim_token"),
        key: told["credential"].as_str().map(str::to_owned),
    }
}

async fn anonymous(app: &TestApp) -> Signed {
    sign_up(app, json!({ "type": "anonymous" })).await
}

async fn for_address(app: &TestApp, email: &str) -> Signed {
    let assertion = json!({
        "type": "identity_assertion", "assertion_type": "verified_email", "assertion": email,
    });
    sign_up(app, assertion).await
}

async fn complete(app: &TestApp, agent: &Signed, code: &str) -> Reply {
    let body = json!({ "claim_token": agent.claim_token, "code": code });
    app.client().post("/v1/auth/agent/claim/complete").json(&body).await
}

async fn start_by_api(app: &TestApp, agent: &Signed, email: &str) -> Reply {
    let body = json!({ "claim_token": agent.claim_token, "email": email });
    app.client().post("/v1/auth/agent/claim").json(&body).await
}

/// Whether a key works, as whoever takes it asks.
async fn works(app: &TestApp, id: &str, key: &str) -> bool {
    let reply = app.client().exchange(id, key).await;
    assert!(matches!(reply.status, 200 | 401));
    reply.status == 200
}

fn details(app: &TestApp, agent: &Signed, action: Action) -> Vec<Option<String>> {
    let events = app.read(|uow| uow.audit().list_for_agent(agent.agent_id(), &Slice::first(99)));
    let events = events.items.into_iter().filter(|event| event.action == action);
    events.map(|event| event.detail).collect()
}

/// An agent that was claimed by this address through the page; gives its new key.
async fn claimed(app: &TestApp, email: &str) -> (Signed, String) {
    let agent = anonymous(app).await;
    let browser = Browser::new(app);
    browser.fill(&agent.link, CLAIM, &[("email", email)]).await.expect(200);
    let done = complete(app, &agent, &app.mailed("claim_code")).await.expect(200);
    (agent, done.string("/credential"))
}

on_every_storage!(a_person_is_shown_who_asks_and_nothing_that_claims, |app| {
    let agent = anonymous(&app).await;
    let browser = Browser::new(&app);
    for method in ["GET", "HEAD", "GET"] {
        browser.request(method, &agent.link).await.expect(200);
    }
    let page = browser.open(&agent.link).await.expect(200);
    assert_eq!(page.header("cache-control"), Some("no-store"), "W1");
    let text = read(&page);
    for told in [
        agent.id.as_str(),
        "Signed up 4 March 2026, 05:06 UTC",
        "From the network 10.",
        "Asks until 5 March 2026, 05:06 UTC",
        "May now api.read",
        "May as yours api.read, api.write",
        "you answer for what it does",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert!(!text.contains(agent.token()), "W2");
    assert_eq!(page.text().matches(agent.token()).count(), 3, "once in each form");
    let key = agent.key.as_deref().unwrap();
    assert!(!page.text().contains(&agent.claim_token) && !page.text().contains(key));
    let actions: Vec<_> = forms(&page).into_iter().map(|form| form.action).collect();
    assert_eq!(actions, [CLAIM, DENY, DENY]);
    assert!(works(&app, &agent.id, key).await && app.mails().is_empty(), "V8");
});

on_every_storage!(an_agent_is_claimed_through_the_page_and_its_mail_takes_it_back, |app| {
    let agent = anonymous(&app).await;
    let browser = Browser::new(&app);
    let mailed = browser.fill(&agent.link, CLAIM, &[("email", "jane@example.com")]).await;
    let mailed = mailed.expect(200);
    assert!(read(&mailed).contains("If this address may claim the agent, a mail with a code"));
    assert!(!mailed.text().contains(agent.token()));
    let code = app.mailed("claim_code");
    let page = browser.open(&agent.link).await.expect(200);
    let text = read(&page);
    assert!(text.contains("If j…@example.com may claim it, a code was mailed there."), "{text}");
    assert!(!page.text().contains("jane@example.com") && !page.text().contains(&code));

    let done = complete(&app, &agent, &code).await.expect(200);
    let key = done.string("/credential");
    assert!(!works(&app, &agent.id, agent.key.as_deref().unwrap()).await, "K9");
    assert!(works(&app, &agent.id, &key).await);
    let dead = browser.open(&agent.link).await.expect(409);
    assert!(read(&dead).contains("This agent has its person"));
    assert!(!dead.text().contains("<form"), "nothing is left to do");
    for action in [CLAIM, DENY] {
        let fields = [("token", agent.token()), ("email", "joe@example.com")];
        browser.send(action, &fields).await.expect(409);
    }

    let link = format!("{UNDO}?token={}", app.mailed("agent_claimed"));
    let reader = Browser::new(&app);
    for method in ["GET", "HEAD", "GET"] {
        reader.request(method, &link).await.expect(200);
    }
    assert!(works(&app, &agent.id, &key).await, "V8");
    let page = reader.open(&link).await.expect(200);
    let token = link.split_once('=').unwrap().1;
    assert!(read(&page).contains(&agent.id) && !read(&page).contains(token), "W2");
    assert_eq!(page.text().matches(token).count(), 1);
    let undone = reader.submit(&page, UNDO, &[]).await.expect(200);
    assert!(read(&undone).contains("None of its keys works any more"));
    assert!(!works(&app, &agent.id, &key).await);
    let left = app.read(|uow| uow.agents().find(agent.agent_id())).unwrap();
    assert_eq!(left.owner, None);
    for _ in 0..2 {
        assert!(read(&reader.open(&link).await.expect(401)).contains("no longer works"), "V9");
        reader.submit(&page, UNDO, &[]).await.expect(401);
    }
    assert_eq!(details(&app, &agent, Action::ClaimUndone).len(), 1, "G3");
});

on_every_storage!(e5_a_code_is_asked_for_alike_for_every_address, |app| {
    app.client().register("jane@example.com").await;
    let shut = app.client().register("shut@example.com").await;
    let (operator, local) = (portcullis_audit::Actor::Operator, portcullis_kernel::Origin::local());
    app.engine().suspend_user(shut.user_id(), operator, &local).unwrap();
    let mut answers = Vec::new();
    for email in ["jane@example.com", "nobody@example.com", "shut@example.com", "JANE@Example.com"]
    {
        let agent = anonymous(&app).await;
        let page = Browser::new(&app).fill(&agent.link, CLAIM, &[("email", email)]).await;
        answers.push(page.expect(200).text().to_owned());
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
});

on_every_storage!(what_is_wrong_with_an_address_is_told_at_its_field, |app| {
    let agent = for_address(&app, "jane@example.com").await;
    let code = app.mailed("claim_code");
    let browser = Browser::new(&app);
    let page = browser.open(&agent.link).await.expect(200);
    let text = read(&page);
    assert!(text.contains("Only j…@example.com, which the agent named, can claim it."), "{text}");
    assert!(text.contains("May now nothing") && !page.text().contains("jane@example.com"));
    for (email, status, why) in [
        ("", 400, "is required"),
        ("jane@example", 400, "must be a valid email address"),
        ("<script>@example.com", 400, "must be a valid email address"),
        ("joe@example.com", 409, "must be the one that the agent named"),
    ] {
        let again = browser.submit(&page, CLAIM, &[("email", email)]).await.expect(status);
        let text = read(&again);
        assert!(text.contains(&format!("Error: Your email address {why}.")), "{email}: {text}");
        assert_eq!(form(&again, CLAIM).inputs[1].1, email, "what was typed stays");
        assert!(!again.text().contains("<script") && !again.text().contains("jane@example.com"));
        assert_eq!(form(&again, CLAIM).inputs[0].1, agent.token(), "and the link goes on");
    }
    assert!(app.mails().is_empty(), "nobody else is mailed");
    complete(&app, &agent, &code).await.expect(200);
});

on_every_storage!(o11_after_three_codes_the_page_says_what_to_do, |app| {
    let agent = anonymous(&app).await;
    let browser = Browser::new(&app);
    for n in 0..3 {
        let email = format!("p{n}@example.com");
        browser.fill(&agent.link, CLAIM, &[("email", &email)]).await.expect(200);
    }
    let over = browser.fill(&agent.link, CLAIM, &[("email", "p9@example.com")]).await.expect(409);
    assert!(read(&over).contains("We mail no more codes for this agent. Ask it to sign up again."));
    // For the address whose code lives the answer is the usual one.
    browser.fill(&agent.link, CLAIM, &[("email", "p2@example.com")]).await.expect(200);
});

on_every_storage!(an_agent_is_denied_and_reported, |app| {
    for report in [false, true] {
        let agent = anonymous(&app).await;
        start_by_api(&app, &agent, "jane@example.com").await.expect(200);
        let browser = Browser::new(&app);
        let page = browser.open(&agent.link).await.expect(200);
        let shown = forms(&page).into_iter().filter(|form| form.action == DENY);
        let shown: Vec<_> = shown.collect();
        let wanted = &shown[usize::from(report)];
        let fields: Vec<_> =
            wanted.inputs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        for wrong in ["no", "YES", "1"] {
            let fields = [("token", agent.token()), ("report", wrong)];
            browser.send(DENY, &fields).await.expect(400);
        }
        let done = browser.send(DENY, &fields).await.expect(200);
        assert!(read(&done).contains("Nobody can claim it any more."));
        assert_eq!(read(&done).contains("We told the operator"), report);
        let dead = browser.open(&agent.link).await.expect(403);
        assert!(read(&dead).contains("This agent was denied"));
        browser.send(DENY, &fields).await.expect(403);
        let fields = [("token", agent.token()), ("email", "jane@example.com")];
        browser.send(CLAIM, &fields).await.expect(403);
        start_by_api(&app, &agent, "jane@example.com").await.expect_error(403, "claim_denied");
        assert!(works(&app, &agent.id, agent.key.as_deref().unwrap()).await, "as narrow as before");
        let detail = report.then(|| "reported".to_owned());
        assert_eq!(details(&app, &agent, Action::ClaimDenied), [detail], "G3");
        app.mails();
    }
});

on_every_storage!(e7_links_that_are_none_lead_nowhere_and_are_not_repeated, |app| {
    let agent = anonymous(&app).await;
    let (browser, tag) = (Browser::new(&app), "%3Cscript%3Ealert(1)%3C/script%3E");
    let unknown = agent.token().chars().rev().collect::<String>();
    for token in ["", "x", tag, "%00", "%ff", &agent.claim_token, &unknown] {
        for (path, status) in [(CLAIM, 404), (UNDO, 401)] {
            let page = browser.open(&format!("{path}?token={token}")).await.expect(status);
            assert!(!page.text().contains("<script") && !page.text().contains("alert(1)"), "W3");
            assert!(!page.text().contains(&agent.claim_token));
        }
    }
    for path in [CLAIM, "/claim?other=x", "/claim?token=a&token=b"] {
        browser.open(path).await.expect(404);
    }
    browser.open(UNDO).await.expect(401);
    for (action, status) in [(CLAIM, 404), (DENY, 404), (UNDO, 401)] {
        for fields in
            [&[][..], &[("token", "")], &[("token", "x")], &[("token", &agent.claim_token)]]
        {
            let fields = [fields, &[("email", "jane@example.com")]].concat();
            browser.send(action, &fields).await.expect(status);
        }
    }
    for path in ["/claim/x", "/claim/", "/claim/undo/x"] {
        assert!(read(&browser.open(path).await.expect(404)).contains("There is no such page"));
    }
    assert!(app.mails().is_empty());
    app.clock().advance(Duration::DAY - Duration::SECOND);
    browser.open(&agent.link).await.expect(200);
    app.clock().advance(Duration::SECOND);
    let late = browser.open(&agent.link).await.expect(404);
    assert!(read(&late).contains("This link does not work"));
    let fields = [("token", agent.token()), ("email", "jane@example.com")];
    for action in [CLAIM, DENY] {
        browser.send(action, &fields).await.expect(404);
    }
});

on_every_storage!(v7_a_claim_is_undone_for_30_days_by_its_own_link_alone, |app| {
    let (first, key) = claimed(&app, "jane@example.com").await;
    let link = app.mailed("agent_claimed");
    // One code a minute goes to one address.
    app.clock().advance(Duration::MINUTE);
    let (second, other) = claimed(&app, "jane@example.com").await;
    let other_link = app.mailed("agent_claimed");
    let browser = Browser::new(&app);
    app.clock().advance(Duration::days(30) - Duration::MINUTE - Duration::SECOND);
    let page = browser.open(&format!("{UNDO}?token={link}")).await.expect(200);
    browser.submit(&page, UNDO, &[]).await.expect(200);
    assert!(!works(&app, &first.id, &key).await && works(&app, &second.id, &other).await);
    app.clock().advance(Duration::MINUTE + Duration::SECOND);
    browser.open(&format!("{UNDO}?token={other_link}")).await.expect(401);
    browser.send(UNDO, &[("token", &other_link)]).await.expect(401);
    assert!(works(&app, &second.id, &other).await);
});

#[actix_web::test]
async fn w5_forms_of_another_site_claim_deny_and_undo_nothing() {
    let app = TestApp::memory().await;
    let (_, key) = claimed(&app, "jane@example.com").await;
    let undo = app.mailed("agent_claimed");
    let agent = anonymous(&app).await;
    for (action, token) in [(CLAIM, agent.token()), (DENY, agent.token()), (UNDO, &*undo)] {
        for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")]
        {
            let request = Browser::new(&app).request("POST", action).header(name, value);
            let fields = [("token", token), ("email", "mallory@example.com")];
            let body = super::browser::encoded(&fields);
            let refused = request.body(super::browser::FORM, body).await.expect(403);
            assert!(read(&refused).contains("This form was sent by another site."), "{action}");
        }
    }
    assert!(app.mails().is_empty());
    Browser::new(&app).open(&agent.link).await.expect(200);
    Browser::new(&app).open(&format!("{UNDO}?token={undo}")).await.expect(200);
    assert!(!key.is_empty());
}

#[actix_web::test]
async fn l11_looking_counts_as_a_page_and_claiming_as_the_route_of_the_api() {
    let app = TestApp::memory().await;
    let agent = anonymous(&app).await;
    let browser = Browser::new(&app);
    let limit = |reply: &Reply| reply.number("x-ratelimit-limit");
    assert_eq!(limit(&browser.open(&agent.link).await), 30);
    let fields = [("token", agent.token()), ("email", "x")];
    assert_eq!(limit(&browser.send(CLAIM, &fields).await.expect(400)), 60);
    for _ in 1..60 {
        browser.send(CLAIM, &fields).await.expect(400);
    }
    let over = browser.send(CLAIM, &fields).await.expect(429);
    assert!(read(&over).contains("Please wait a little"));
    browser.send(DENY, &fields).await.expect(429);
    browser.open(&agent.link).await.expect(200);
}

#[actix_web::test]
async fn an_agent_that_was_claimed_is_among_those_of_its_person() {
    let app = TestApp::memory().await;
    app.verified("jane@example.com").await;
    let (agent, key) = claimed(&app, "jane@example.com").await;
    let browser = Browser::signed_in(&app, "jane@example.com").await;
    let list = read(&browser.open("/account/agents").await.expect(200));
    assert!(list.contains(&agent.id) && list.contains("May api.read, api.write"), "{list}");
    let path = format!("/account/agents/{}", agent.id);
    let page = browser.open(&path).await.expect(200);
    assert!(!read(&page).contains("It holds a recovery key"));
    let made = browser.submit(&page, &format!("{path}/keys"), &[("name", "again")]).await;
    let made = made.expect(200);
    let another = made.text().split("<code>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(another.starts_with("live_") && works(&app, &agent.id, &another).await, "K8");
    browser.fill(&format!("{path}/give-up"), &format!("{path}/give-up"), &[]).await.expect(303);
    for dead in [&key, &another] {
        assert!(!works(&app, &agent.id, dead).await);
    }
}
