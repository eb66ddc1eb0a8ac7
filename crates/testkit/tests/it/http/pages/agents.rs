//! *My agents* at `/account/agents`.

use portcullis_identity::{AgentName, AgentStatus};
use portcullis_kernel::Slice;
use portcullis_storage::StorageExt as _;
use portcullis_testkit::{
    app::{Bot, Person, Reply, TestApp},
    on_every_storage,
};
use serde_json::json;
use time::Duration;

use super::browser::{Browser, filled, form, forms, read};
use crate::http::v1::users::me_agents::{own, set_status};

const LIST: &str = "/account/agents";

/// Jane, signed in, and an agent of hers.
async fn jane(app: &TestApp) -> (Person, Browser<'_>, Bot) {
    let jane = app.client().register("jane@example.com").await;
    let bot = app.bot("weather-bot").await;
    own(app, &bot, &jane);
    (jane, Browser::signed_in(app, "jane@example.com").await, bot)
}

fn path(bot: &Bot, rest: &str) -> String {
    format!("{LIST}/{}{rest}", bot.id)
}

/// The secret on the page of a key that was just made.
fn secret(page: &Reply) -> String {
    let text = page.text().split("<code>").nth(1).unwrap();
    text.split('<').next().unwrap().to_owned()
}

fn key_count(app: &TestApp, bot: &Bot) -> usize {
    app.engine().list_api_keys(bot.agent_id(), &Slice::first(99)).unwrap().items.len()
}

on_every_storage!(an_owner_finds_their_agents_and_what_they_may_do, |app| {
    let person = app.client().register("jane@example.com").await;
    let browser = Browser::signed_in(&app, "jane@example.com").await;
    let account = browser.open("/account").await.expect(200);
    assert!(account.text().matches(&format!("href=\"{LIST}\"")).count() >= 2, "a tab and a card");
    assert!(read(&browser.open(LIST).await.expect(200)).contains("None."));
    let bot = app.bot("weather-bot").await;
    own(&app, &bot, &person);
    app.bot("nobodys-bot").await;
    app.engine().flush_uses().unwrap();
    let list = read(&browser.open(LIST).await.expect(200));
    let usual = "May messages:read, messages:write, conversations:read, presence:update";
    for told in [
        "weather-bot",
        &bot.id,
        "nobody has checked them",
        "Registered 4 March 2026, 05:06 UTC",
        "Last used 4 March 2026, 05:06 UTC",
        usual,
    ] {
        assert!(list.contains(told), "{told}: {list}");
    }
    assert!(!list.contains("nobodys-bot") && !list.contains("Suspended"));
    set_status(&app, &bot, AgentStatus::Suspended);
    assert!(read(&browser.open(LIST).await.expect(200)).contains("Suspended"));
    let one = read(&browser.open(&path(&bot, "")).await.expect(200));
    for told in ["Calls itself weather-bot (not checked by anybody)", &bot.id, "first Works", usual]
    {
        assert!(one.contains(told), "{told}: {one}");
    }
    assert!(one.contains("It can have another key once an operator has resumed it."));
    assert!(!one.contains("Make the key") && one.contains("It holds a recovery key"));
});

on_every_storage!(many_agents_are_shown_page_by_page, |app| {
    let (person, browser, _) = jane(&app).await;
    for n in 0..3 {
        app.clock().advance(Duration::SECOND);
        own(&app, &app.bot(&format!("bot-{n}")).await, &person);
    }
    let first = browser.open(&format!("{LIST}?limit=3")).await.expect(200);
    let text = first.text();
    assert!(text.contains("bot-2") && !text.contains("weather-bot"));
    let next = text.split(&format!("href=\"{LIST}?cursor=")).nth(1).unwrap();
    let next = next.split('"').next().unwrap();
    let second = browser.open(&format!("{LIST}?cursor={next}")).await.expect(200);
    assert!(second.text().contains("weather-bot") && !second.text().contains("bot-2"));
    assert!(!second.text().contains("Older ones"));
    for query in ["?cursor=x", "?cursor=%3Cscript%3E", "?limit=0"] {
        let page = browser.open(&format!("{LIST}{query}")).await.expect(400);
        assert!(!page.text().contains("<script"), "W3");
    }
});

on_every_storage!(w1_a_key_is_made_and_its_secret_is_shown_once, |app| {
    let (_, browser, bot) = jane(&app).await;
    let (one, make) = (path(&bot, ""), path(&bot, "/keys"));
    let page = browser.open(&one).await.expect(200);
    assert_eq!(form(&page, &make).buttons, ["Make the key"]);
    let made = browser.submit(&page, &make, &[("name", " laptop ")]).await.expect(200);
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let key = secret(&made);
    assert!(key.starts_with("sk_") && key.len() == 52 && made.text().matches(&key).count() == 1);
    assert!(read(&made).contains("Copy it now. It is not shown again."));
    app.client().exchange(&bot.id, &key).await.expect(200);
    app.engine().flush_uses().unwrap();
    let shown = browser.open(&one).await.expect(200);
    assert!(!shown.text().contains(&key) && read(&shown).contains(&key[..7]), "K3");
    assert!(read(&shown).contains("laptop Works"));
    for (typed, status) in [("", 400), (" ", 400), ("x\ty", 400), (&"x".repeat(101), 400)] {
        let again = browser.submit(&page, &make, &[("name", typed)]).await.expect(status);
        assert!(read(&again).contains("Error: Name of the key"), "{typed}");
        assert_eq!(form(&again, &make).inputs[1].1, typed, "what was typed stays");
    }
    browser
        .send(&make, &filled(&form(&page, &make), &[("name", "a"), ("name", "b")]))
        .await
        .expect(400);
    assert_eq!(key_count(&app, &bot), 2);
});

on_every_storage!(k6_a_key_is_revoked_on_the_page, |app| {
    let (person, browser, bot) = jane(&app).await;
    let other = app.bot("other-bot").await;
    own(&app, &other, &person);
    let revoke = path(&bot, "/keys/revoke");
    let page = browser.open(&path(&bot, "")).await.expect(200);
    assert_eq!(form(&page, &revoke).buttons, ["Revoke"]);
    for key in ["aky_x", "", "<script>", &other.key_id] {
        let reply = browser.submit(&page, &revoke, &[("key", key)]).await.expect(303);
        // It is told alike, whether there is such a key or not.
        assert_eq!(reply.header("location"), Some(&*path(&bot, "?done=key")));
    }
    app.client().agent(&other.access).await.expect(200);
    app.client().agent(&bot.access).await.expect(200);
    let done = browser.submit(&page, &revoke, &[]).await.expect(303);
    let page = browser.follow(&done).await.expect(200);
    assert!(read(&page).contains("That key is revoked."));
    assert!(read(&page).contains("first Revoked") && read(&page).contains("nothing: no key works"));
    assert!(!page.text().contains(&format!("action=\"{revoke}\"")), "nothing is left to revoke");
    app.client().agent(&bot.access).await.expect(401);
    let token = form(&page, &path(&bot, "/keys")).inputs[0].1.clone();
    browser.send(&revoke, &[("csrf", &token)]).await.expect(400);
});

on_every_storage!(v10_an_agent_is_given_up_after_a_second_thought, |app| {
    let (_, browser, bot) = jane(&app).await;
    let give_up = path(&bot, "/give-up");
    let page = browser.open(&path(&bot, "")).await.expect(200);
    assert!(page.text().contains(&format!("href=\"{give_up}\"")));
    for method in ["GET", "HEAD", "GET"] {
        browser.request(method, &give_up).await.expect(200);
    }
    app.client().agent(&bot.access).await.expect(200);
    let asked = browser.open(&give_up).await.expect(200);
    assert!(read(&asked).contains("This cannot be undone.") && read(&asked).contains(&bot.id));
    let done = browser.submit(&asked, &give_up, &[]).await.expect(303);
    assert_eq!(done.header("location"), Some("/account/agents?done=agent"));
    let list = read(&browser.follow(&done).await.expect(200));
    assert!(list.contains("The agent is no longer yours") && list.contains("None."));
    app.client().agent(&bot.access).await.expect(401);
    browser.submit(&asked, &give_up, &[]).await.expect(404);
    browser.open(&path(&bot, "")).await.expect(404);
});

on_every_storage!(k12_pages_of_agents_of_somebody_else_are_not_there, |app| {
    let (_, browser, bot) = jane(&app).await;
    app.client().register("mallory@example.com").await;
    let mallory = Browser::signed_in(&app, "mallory@example.com").await;
    let token = form(&mallory.open("/account").await, "/account/profile").inputs[0].1.clone();
    let unknown = format!("{LIST}/agt_{}", "0".repeat(32));
    for one in [path(&bot, ""), unknown, format!("{LIST}/x"), format!("{LIST}/%3Cscript%3E")] {
        for rest in ["", "/give-up"] {
            let page = mallory.open(&format!("{one}{rest}")).await.expect(404);
            assert!(read(&page).contains("There is no such page"), "{one}{rest}");
            assert!(!page.text().contains("<script") && !page.text().contains("weather-bot"), "W3");
        }
        let fields = [("csrf", token.as_str()), ("name", "mine"), ("key", &bot.key_id)];
        for rest in ["/keys", "/keys/revoke", "/give-up"] {
            let page = mallory.send(&format!("{one}{rest}"), &fields).await.expect(404);
            assert!(!page.text().contains("weather-bot"), "{one}{rest}");
        }
    }
    app.client().agent(&bot.access).await.expect(200);
    assert_eq!(key_count(&app, &bot), 1);
    assert!(read(&browser.open(LIST).await).contains("weather-bot"));
});

#[actix_web::test]
async fn w5_forms_of_agents_want_the_token_of_their_browser_and_their_own_site() {
    let app = TestApp::memory().await;
    let (_, browser, bot) = jane(&app).await;
    let key = bot.key_id.as_str();
    for (page, rest, typed) in [
        ("", "/keys", vec![("name", "laptop")]),
        ("", "/keys/revoke", vec![("key", key)]),
        ("/give-up", "/give-up", vec![]),
    ] {
        let action = path(&bot, rest);
        let shown = form(&browser.open(&path(&bot, page)).await.expect(200), &action);
        assert_eq!(shown.inputs[0].0, "csrf", "{action}");
        let good = filled(&shown, &typed);
        let without: Vec<_> = good.iter().copied().filter(|(name, _)| *name != "csrf").collect();
        for token in [None, Some(("csrf", "")), Some(("csrf", "x"))] {
            let fields: Vec<_> = without.iter().copied().chain(token).collect();
            browser.send(&action, &fields).await.expect(403);
        }
        let foreign = browser.request("POST", &action).header("origin", "https://evil.example");
        let body = super::browser::encoded(&good);
        foreign.body(super::browser::FORM, body).await.expect(403);
        let stranger = Browser::new(&app);
        let away = stranger.send(&action, &good).await.expect(303);
        assert_eq!(away.header("location"), Some("/account"));
        assert_eq!(
            stranger.open(&path(&bot, page)).await.expect(303).header("location"),
            Some("/account")
        );
    }
    assert_eq!(
        Browser::new(&app).open(LIST).await.expect(303).header("location"),
        Some("/account")
    );
    app.client().agent(&bot.access).await.expect(200);
    assert_eq!(key_count(&app, &bot), 1, "nothing came of it");
}

#[actix_web::test]
async fn w3_what_agents_call_themselves_and_their_keys_is_text() {
    let app = TestApp::memory().await;
    let (_, browser, bot) = jane(&app).await;
    let evil = "<script>alert(1)</script>\"'><b>";
    app.client().make_key(&bot, &json!({ "name": evil })).await.expect(201);
    let changed = app.engine().storage.transact(|uow| {
        let mut agent = uow.agents().lock(bot.agent_id())?.unwrap();
        // No name of an agent is such a text; the page does not rely on it.
        agent.name = AgentName::from_stored(evil.to_owned());
        uow.agents().update(&agent)
    });
    assert!(changed.unwrap());
    for path in [LIST.to_owned(), path(&bot, ""), path(&bot, "/give-up")] {
        let page = browser.open(&path).await.expect(200);
        assert!(read(&page).contains(evil), "{path}");
        assert!(!page.text().contains("<script") && !page.text().contains("<b>"), "{path}");
    }
    let page = browser.open(&path(&bot, "")).await;
    let made = browser.submit(&page, &path(&bot, "/keys"), &[("name", evil)]).await.expect(200);
    assert!(read(&made).contains(evil) && !made.text().contains("<script"));
}

on_every_storage!(states_of_keys_are_told_in_words, |app| {
    let (_, browser, bot) = jane(&app).await;
    let short = json!({ "name": "short", "expires_in_days": 1 });
    app.client().make_key(&bot, &short).await.expect(201);
    let rotate = format!("{}/rotate", bot.key_path());
    let overlap = json!({ "overlap_seconds": 3600 });
    app.client().post(&rotate).recovering(&bot).json(&overlap).await.expect(201);
    let page = read(&browser.open(&path(&bot, "")).await.expect(200));
    for told in
        ["first Being replaced", "first Works", "short Works", "Ends 5 March 2026, 05:06 UTC"]
    {
        assert!(page.contains(told), "{told}: {page}");
    }
    app.clock().advance(Duration::days(2));
    let browser = Browser::signed_in(&app, "jane@example.com").await;
    let page = read(&browser.open(&path(&bot, "")).await.expect(200));
    for told in ["first Replaced", "first Works", "short Expired", "Ended 5 March 2026, 05:06 UTC"]
    {
        assert!(page.contains(told), "{told}: {page}");
    }
});

on_every_storage!(refusals_of_a_new_key_are_told_beside_the_form, |app| {
    let (_, browser, bot) = jane(&app).await;
    let (one, make) = (path(&bot, ""), path(&bot, "/keys"));
    let page = browser.open(&one).await.expect(200);
    set_status(&app, &bot, AgentStatus::Suspended);
    let refused = browser.submit(&page, &make, &[("name", "late")]).await.expect(409);
    assert!(read(&refused).contains("There is a problem This agent is suspended."));
    set_status(&app, &bot, AgentStatus::Active);
    for _ in 1..20 {
        browser.submit(&page, &make, &[("name", "key")]).await.expect(200);
    }
    let over = browser.submit(&page, &make, &[("name", "key")]).await.expect(429);
    assert!(read(&over).contains("You can try again in "), "{}", read(&over));
    assert_eq!(form(&over, &make).buttons, ["Make the key"]);
    assert!(forms(&over).len() > 20, "and each of the others can be revoked");
});
