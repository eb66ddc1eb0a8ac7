use portcullis_audit::{Action, Actor};
use portcullis_identity::AgentStatus;
use portcullis_kernel::{Origin, Slice};
use portcullis_storage::StorageExt as _;
use portcullis_testkit::{
    app::{AppOptions, Bot, Person, Reply, TestApp},
    on_every_storage,
};
use serde_json::{Value, json};
use time::Duration;

use crate::http::{jwt, routes::limit_headers};

const PATH: &str = "/v1/users/me/agents";
const NOBODY: &str = "agt_00000000000000000000000000000000";

/// Has an agent belong to somebody from now on.
pub(crate) fn own(app: &TestApp, bot: &Bot, owner: &Person) {
    let done = app.engine().storage.transact(|uow| {
        let mut agent = uow.agents().lock(bot.agent_id())?.unwrap();
        agent.owner = Some(owner.user_id());
        uow.agents().update(&agent)
    });
    assert!(done.unwrap());
}

pub(crate) fn set_status(app: &TestApp, bot: &Bot, status: AgentStatus) {
    let (id, local) = (bot.agent_id(), Origin::local());
    app.engine().set_agent_status(id, status, Actor::Operator, &local).unwrap();
}

async fn owned_bot(app: &TestApp, name: &str, owner: &Person) -> Bot {
    let bot = app.bot(name).await;
    own(app, &bot, owner);
    bot
}

async fn list(app: &TestApp, person: &Person, query: &str) -> Reply {
    app.client().get(&format!("{PATH}{query}")).bearer(&person.access).await
}

async fn show(app: &TestApp, person: &Person, agent: &str) -> Reply {
    app.client().get(&format!("{PATH}/{agent}")).bearer(&person.access).await
}

async fn make_key(app: &TestApp, person: &Person, agent: &str, body: &Value) -> Reply {
    let path = format!("{PATH}/{agent}/keys");
    app.client().post(&path).bearer(&person.access).json(body).await
}

async fn revoke(app: &TestApp, person: &Person, agent: &str, key: &str) -> Reply {
    app.client().delete(&format!("{PATH}/{agent}/keys/{key}")).bearer(&person.access).await
}

async fn give_up(app: &TestApp, person: &Person, agent: &str) -> Reply {
    app.client().delete(&format!("{PATH}/{agent}")).bearer(&person.access).await
}

fn actors(app: &TestApp, bot: &Bot, action: Action) -> Vec<Actor> {
    let events = app.read(|uow| uow.audit().list_for_agent(bot.agent_id(), &Slice::first(99)));
    let events = events.items.into_iter().filter(|event| event.action == action);
    events.map(|event| event.actor).collect()
}

on_every_storage!(own_agents_are_shown_with_scopes_key_ids_and_last_use, |app| {
    let jane = app.client().register("jane@example.com").await;
    let john = app.client().register("john@example.com").await;
    assert_eq!(
        list(&app, &jane, "").await.expect(200).json(),
        json!({ "agents": [], "next_cursor": null })
    );
    let first = owned_bot(&app, "weather-bot", &jane).await;
    app.clock().advance(Duration::MINUTE);
    let second = owned_bot(&app, "second-bot", &jane).await;
    owned_bot(&app, "johns-bot", &john).await;
    app.bot("nobodys-bot").await;
    app.engine().flush_uses().unwrap();
    let reply = list(&app, &jane, "").await.expect(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let usual = ["messages:read", "messages:write", "conversations:read", "presence:update"];
    let told = |bot: &Bot, at: &str| {
        json!({
            "agent_id": bot.id, "agent_name": bot.name, "status": "active", "scopes": usual,
            "keys": [bot.key_id], "last_used_at": at, "created_at": at,
        })
    };
    let [older, newer] = ["2026-03-04T05:06:07Z", "2026-03-04T05:07:07Z"];
    let agents = json!([told(&second, newer), told(&first, older)]);
    assert_eq!(reply.json(), json!({ "agents": agents, "next_cursor": null }));
    for secret in [&first.api_key, &first.recovery_key] {
        assert!(!reply.text().contains(secret.as_str()), "K3");
    }

    let page = list(&app, &jane, "?limit=1").await.expect(200).json();
    assert_eq!(page["agents"], json!([told(&second, newer)]));
    let next = page["next_cursor"].as_str().unwrap();
    let page = list(&app, &jane, &format!("?limit=1&cursor={next}")).await.expect(200).json();
    assert_eq!(page["agents"], json!([told(&first, older)]));
    // The place of another list gives no one else's agents.
    let johns = list(&app, &john, &format!("?cursor={next}")).await.expect(200);
    assert!(!johns.text().contains(&first.id));
    for (query, field) in [("?limit=0", "limit"), ("?limit=x", "limit"), ("?cursor=%25", "cursor")]
    {
        let reply = list(&app, &jane, query).await.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), [field], "{query}");
    }
});

on_every_storage!(one_agent_is_shown_with_its_keys_the_live_ones_first, |app| {
    let jane = app.client().register("jane@example.com").await;
    let bot = owned_bot(&app, "weather-bot", &jane).await;
    app.clock().advance(Duration::MINUTE);
    let body = json!({ "name": "dead", "scopes": ["presence:update"] });
    let dead = make_key(&app, &jane, &bot.id, &body).await.expect(201).string("/key_id");
    revoke(&app, &jane, &bot.id, &dead).await.expect(204);
    app.engine().flush_uses().unwrap();
    set_status(&app, &bot, AgentStatus::Suspended);
    let reply = show(&app, &jane, &bot.id).await.expect(200);
    let usual = ["messages:read", "messages:write", "conversations:read", "presence:update"];
    let (then, now) = ("2026-03-04T05:06:07Z", "2026-03-04T05:07:07Z");
    let prefix = &bot.api_key[..7];
    let hint = reply.string("/keys/1/prefix");
    assert_eq!(
        reply.json(),
        json!({
            "agent_id": bot.id, "agent_name": "weather-bot", "status": "suspended",
            "scopes": usual, "last_used_at": then, "created_at": then, "metadata": {},
            "has_recovery_key": true,
            "keys": [
                {
                    "key_id": bot.key_id, "name": "first", "prefix": prefix, "scopes": usual,
                    "created_at": then, "expires_at": null, "last_used_at": then,
                    "revoked_at": null,
                },
                {
                    "key_id": dead, "name": "dead", "prefix": hint,
                    "scopes": ["presence:update"], "created_at": now, "expires_at": null,
                    "last_used_at": null, "revoked_at": now,
                },
            ],
        })
    );
});

on_every_storage!(an_owner_makes_a_key_whose_secret_is_shown_once, |app| {
    let jane = app.client().register("jane@example.com").await;
    let bot = owned_bot(&app, "weather-bot", &jane).await;
    let body = json!({
        "name": " production ", "scopes": ["presence:update"], "expires_in_days": 30,
        "allowed_cidrs": ["10.0.0.0/8"], "rate_limit_per_minute": 100, "agent_id": NOBODY,
    });
    let reply = make_key(&app, &jane, &bot.id, &body).await.expect(201);
    assert_eq!(reply.header("cache-control"), Some("no-store"), "W1");
    let key = reply.string("/api_key");
    assert!(key.starts_with("sk_") && key.len() == 52, "K1 {key}");
    assert_eq!(
        reply.json(),
        json!({
            "key_id": reply.string("/key_id"), "name": "production", "api_key": key,
            "scopes": ["presence:update"], "created_at": "2026-03-04T05:06:07Z",
            "expires_at": "2026-04-03T05:06:07Z",
        })
    );
    let token = app.client().exchange(&bot.id, &key).await.expect(200).string("/access_token");
    assert_eq!(jwt::claims(&token)["sub"], bot.id, "K7");
    assert_eq!(jwt::claims(&token)["owner"], jane.id);
    assert!(!show(&app, &jane, &bot.id).await.expect(200).text().contains(&key), "K3");
    let by = Actor::User(jane.user_id());
    let made = actors(&app, &bot, Action::ApiKeyCreated);
    assert_eq!(made.iter().filter(|actor| **actor == by).count(), 1, "G3 {made:?}");
});

on_every_storage!(every_broken_member_of_an_owners_key_is_named, |app| {
    let jane = app.client().register("jane@example.com").await;
    let bot = owned_bot(&app, "weather-bot", &jane).await;
    for (body, named) in [
        (json!({}), vec!["name"]),
        (json!({ "name": "" }), vec!["name"]),
        (json!({ "name": ["x"] }), vec!["name"]),
        (json!({ "name": "x", "scopes": ["api.write"] }), vec!["scopes"]),
        (json!({ "name": "x", "scopes": [] }), vec!["scopes"]),
        (json!({ "name": "x", "expires_in_days": 3651 }), vec!["expires_in_days"]),
        (json!({ "name": "x", "allowed_cidrs": ["x"] }), vec!["allowed_cidrs"]),
        (json!({ "name": "x", "rate_limit_per_minute": 0 }), vec!["rate_limit_per_minute"]),
        (json!({ "name": 1, "scopes": "x" }), vec!["name", "scopes"]),
    ] {
        let reply = make_key(&app, &jane, &bot.id, &body).await;
        let reply = reply.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), named, "{body}");
        assert_eq!(reply.string("/error/message"), "Request validation failed.");
    }
    make_key(&app, &jane, &bot.id, &json!([])).await.expect_error(400, "validation_error");
    assert_eq!(actors(&app, &bot, Action::ApiKeyCreated), [Actor::Agent(bot.agent_id())]);
});

on_every_storage!(no_key_is_made_that_would_not_work_or_is_one_too_many, |app| {
    let jane = app.client().register("jane@example.com").await;
    let bot = owned_bot(&app, "weather-bot", &jane).await;
    let body = json!({ "name": "key" });
    set_status(&app, &bot, AgentStatus::Suspended);
    let refused = make_key(&app, &jane, &bot.id, &body).await.expect_error(409, "conflict");
    assert!(refused.string("/error/message").contains("suspended"));
    revoke(&app, &jane, &bot.id, &bot.key_id).await.expect(204);
    set_status(&app, &bot, AgentStatus::Active);
    app.client().exchange(&bot.id, &bot.api_key).await.expect(401);
    for n in 0..50 {
        if n % 18 == 17 {
            app.clock().advance(Duration::HOUR);
        }
        let jane = app.client().sign_in(&jane.email).await;
        make_key(&app, &jane, &bot.id, &body).await.expect(201);
    }
    let jane = app.client().sign_in(&jane.email).await;
    let refused = make_key(&app, &jane, &bot.id, &body).await.expect_error(409, "conflict");
    assert!(refused.string("/error/message").contains("at most 50"));
});

on_every_storage!(l11_an_owner_makes_20_keys_of_one_agent_an_hour, |app| {
    let jane = app.client().register("jane@example.com").await;
    let (bot, other) =
        (owned_bot(&app, "weather-bot", &jane).await, owned_bot(&app, "other-bot", &jane).await);
    let body = json!({ "name": "key" });
    for n in 1..=20 {
        let reply = make_key(&app, &jane, &bot.id, &body).await.expect(201);
        assert_eq!(limit_headers(&reply).0, 100, "an account's bucket is not shown");
        assert_eq!(reply.remaining(), 100 - n);
    }
    let over = make_key(&app, &jane, &bot.id, &json!({})).await.expect_error(429, "rate_limited");
    assert_eq!((limit_headers(&over).0, over.remaining()), (20, 0), "but in its own refusal");
    make_key(&app, &jane, &other.id, &body).await.expect(201);
    app.client().make_key(&bot, &body).await.expect(201);
    app.clock().advance(Duration::HOUR);
    let jane = app.client().sign_in(&jane.email).await;
    make_key(&app, &jane, &bot.id, &body).await.expect(201);
});

on_every_storage!(k6_a_key_revoked_by_its_agents_owner_is_dead_with_its_tokens, |app| {
    let jane = app.client().register("jane@example.com").await;
    let bot = owned_bot(&app, "weather-bot", &jane).await;
    let other = owned_bot(&app, "other-bot", &jane).await;
    for key in [other.key_id.as_str(), "x", "%00", &bot.id, &format!("aky_{}", "0".repeat(32))] {
        revoke(&app, &jane, &bot.id, key).await.expect_error(404, "not_found");
    }
    app.client().agent(&other.access).await.expect(200);
    revoke(&app, &jane, &bot.id, &bot.key_id).await.expect(204);
    revoke(&app, &jane, &bot.id, &bot.key_id).await.expect_error(404, "not_found");
    app.client().agent(&bot.access).await.expect(401);
    app.client().exchange(&bot.id, &bot.api_key).await.expect(401);
    app.client().agent(&other.access).await.expect(200);
    assert_eq!(actors(&app, &bot, Action::ApiKeyRevoked), [Actor::User(jane.user_id())], "G3");
});

on_every_storage!(v10_an_agent_that_its_owner_gives_up_is_nobodys_and_dead, |app| {
    let jane = app.client().register("jane@example.com").await;
    let bot = app.proven_bot("weather-bot", "bot@example.com").await;
    own(&app, &bot, &jane);
    let other = owned_bot(&app, "other-bot", &jane).await;
    app.client().agent(&bot.access).await.expect(200);
    give_up(&app, &jane, &bot.id).await.expect(204);
    give_up(&app, &jane, &bot.id).await.expect_error(404, "not_found");
    show(&app, &jane, &bot.id).await.expect_error(404, "not_found");
    app.client().agent(&bot.access).await.expect(401);
    app.client().exchange(&bot.id, &bot.api_key).await.expect(401);
    app.client().make_key(&bot, &json!({ "name": "key" })).await.expect(401);
    app.client().ask_recovery("bot@example.com").await.expect(200);
    assert_eq!(app.told(), [], "its mailbox opens it no more");
    app.client().agent(&other.access).await.expect(200);
    let left = list(&app, &jane, "").await.expect(200).json();
    assert_eq!(left["agents"].as_array().unwrap().len(), 1);
    assert_eq!(actors(&app, &bot, Action::AgentDisowned), [Actor::User(jane.user_id())], "G3");
});

on_every_storage!(k12_agents_of_somebody_else_are_answered_like_unknown_ones, |app| {
    let jane = app.client().register("jane@example.com").await;
    let john = app.client().register("john@example.com").await;
    let foreign = owned_bot(&app, "johns-bot", &john).await;
    let nobodys = app.bot("nobodys-bot").await;
    let body = json!({ "name": "mine" });
    let unknown = show(&app, &jane, NOBODY).await.expect_error(404, "not_found").json();
    for agent in [NOBODY, &foreign.id, &nobodys.id, "x", "%00", &foreign.id.to_uppercase()] {
        for reply in [
            show(&app, &jane, agent).await,
            make_key(&app, &jane, agent, &body).await,
            revoke(&app, &jane, agent, &foreign.key_id).await,
            give_up(&app, &jane, agent).await,
        ] {
            assert_eq!(reply.expect_error(404, "not_found").json(), unknown, "{agent}");
        }
        let broken = make_key(&app, &jane, agent, &json!({ "name": "" })).await;
        assert_eq!(broken.expect_error(400, "validation_error").broken_fields(), ["name"]);
    }
    // An agent is no person: its own token opens nothing here.
    let own = app.client().get(PATH).bearer(&foreign.access).await;
    own.expect_error(401, "unauthorized");
    app.client().agent(&foreign.access).await.expect(200);
    assert_eq!(actors(&app, &foreign, Action::ApiKeyRevoked), []);
});

#[actix_web::test]
async fn k8_a_key_of_an_agent_that_signed_itself_up_has_the_scopes_of_a_claimed_one() {
    let mut options = AppOptions::default();
    let registration = &mut options.engine.agent_registration;
    registration.post_claim_scopes = "r.read r.write".parse().unwrap();
    let app = TestApp::memory_with(options).await;
    let jane = app.client().register("jane@example.com").await;
    let bot = owned_bot(&app, "weather-bot", &jane).await;
    let changed = app.engine().storage.transact(|uow| {
        let mut agent = uow.agents().lock(bot.agent_id())?.unwrap();
        agent.recovery = None;
        uow.agents().update(&agent)
    });
    assert!(changed.unwrap());
    let made = make_key(&app, &jane, &bot.id, &json!({ "name": "usual" })).await.expect(201);
    assert!(made.string("/api_key").starts_with("live_"));
    assert_eq!(made.json()["scopes"], json!(["r.read", "r.write"]));
    let wide = json!({ "name": "wide", "scopes": ["r.read", "messages:read"] });
    let refused = make_key(&app, &jane, &bot.id, &wide).await;
    assert_eq!(refused.expect_error(400, "validation_error").broken_fields(), ["scopes"]);
    let shown = show(&app, &jane, &bot.id).await.expect(200).json();
    assert_eq!(shown["has_recovery_key"], json!(false));
}
