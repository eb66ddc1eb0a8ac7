//! What ends a key or token ends it at once, for every instance of the server.

use portcullis_audit::Actor;
use portcullis_identity::AgentStatus;
use portcullis_kernel::Origin;
use portcullis_testkit::{
    app::{Bot, Person, TestApp},
    on_every_storage,
};
use serde_json::json;

use super::callers::{
    INTROSPECT, REVOKE, Server, another_key, ask, granted, introspect, is_active, revoke, server,
    set_status, watcher,
};

/// Two instances over one database, an agent, and who asks about it.
struct Pair {
    app: TestApp,
    other: TestApp,
    api: Server,
}

impl Pair {
    async fn of(app: TestApp) -> Self {
        let (other, api) = (app.peer().await, watcher(&app));
        Self { app, other, api }
    }

    /// Whether it works, which both instances tell alike.
    async fn is_active(&self, token: &str) -> bool {
        let here = is_active(&self.app, &self.api, token).await;
        assert_eq!(is_active(&self.other, &self.api, token).await, here);
        here
    }

    /// Whether the agent's token is accepted, which both instances tell alike.
    async fn accepts(&self, token: &str) -> bool {
        let here = self.app.client().agent(token).await.status == 200;
        assert_eq!(self.other.client().agent(token).await.status == 200, here);
        here
    }

    /// A fresh agent, all of which works.
    async fn bot(&self, name: &str) -> Bot {
        let bot = self.app.bot(name).await;
        assert!(self.is_active(&bot.api_key).await && self.is_active(&bot.access).await);
        assert!(self.accepts(&bot.access).await);
        bot
    }

    async fn expect(&self, token: &str, active: bool) {
        assert_eq!(self.is_active(token).await, active);
        if token.starts_with("ey") {
            assert_eq!(self.accepts(token).await, active);
        } else {
            assert_eq!(self.exchanges(token).await, active);
        }
    }

    /// Whether a key, of whichever agent it is, can be exchanged at the other instance.
    async fn exchanges(&self, key: &str) -> bool {
        let agents = self.app.engine().list_agents(
            &portcullis_identity::AgentFilter::default(),
            &portcullis_kernel::Slice::first(200),
        );
        let mut any = false;
        for agent in agents.unwrap().items {
            let reply = self.other.client().exchange(&agent.id.to_string(), key).await;
            any |= reply.status == 200;
        }
        any
    }
}

on_every_storage!(k6_with_a_key_die_its_tokens, |app| {
    let pair = Pair::of(app).await;
    let bot = pair.bot("weather-bot").await;
    let (_, second) = another_key(&pair.app, &bot, &json!({ "name": "second" })).await;
    let spared = Bot { api_key: second.clone(), ..bot.clone() };
    let spared = granted(&pair.app.client(), &spared, &[]).await;
    let others = granted(&pair.other.client(), &bot, &[("scope", "messages:read")]).await;
    pair.app.client().delete(&bot.key_path()).recovering(&bot).await.expect(200);
    for token in [&bot.api_key, &bot.access, &others] {
        pair.expect(token, false).await;
    }
    for token in [&second, &spared] {
        pair.expect(token, true).await;
    }
    let refresh = pair.other.client().post("/api/auth/refresh").bearer(&bot.access);
    refresh.await.expect(401);
});

on_every_storage!(j12_a_token_that_is_logged_out_or_replaced_is_dead_alone, |app| {
    let pair = Pair::of(app).await;
    let bot = pair.bot("weather-bot").await;
    let second = granted(&pair.app.client(), &bot, &[]).await;
    pair.app.client().post("/api/auth/logout").bearer(&bot.access).await.expect(200);
    pair.expect(&bot.access, false).await;
    let refreshed = pair.other.client().post("/api/auth/refresh").bearer(&second).await.expect(200);
    pair.expect(&second, false).await;
    let third = refreshed.string("/access_token");
    pair.expect(&third, true).await;
    pair.expect(&bot.api_key, true).await;
    pair.app.clock().advance(time::Duration::minutes(61));
    pair.expect(&third, false).await;
    pair.expect(&bot.api_key, true).await;
});

on_every_storage!(r9_a_suspended_agent_has_nothing_that_works_until_it_is_resumed, |app| {
    let pair = Pair::of(app).await;
    let bot = pair.bot("weather-bot").await;
    set_status(&pair.app, &bot, AgentStatus::Suspended);
    for token in [&bot.api_key, &bot.access] {
        pair.expect(token, false).await;
    }
    set_status(&pair.other, &bot, AgentStatus::Active);
    for token in [&bot.api_key, &bot.access] {
        pair.expect(token, true).await;
    }
});

on_every_storage!(an_erased_agent_has_nothing_that_works, |app| {
    let pair = Pair::of(app).await;
    let (bot, spared) = (pair.bot("weather-bot").await, pair.bot("other-bot").await);
    pair.app.client().delete(&bot.path("")).recovering(&bot).await.expect(200);
    for token in [&bot.api_key, &bot.access] {
        pair.expect(token, false).await;
    }
    for token in [&spared.api_key, &spared.access] {
        pair.expect(token, true).await;
    }
});

on_every_storage!(v4_a_recovery_that_says_so_revokes_every_key, |app| {
    let pair = Pair::of(app).await;
    let bot = pair.app.proven_bot("weather-bot", "bot@example.com").await;
    pair.app.client().ask_recovery("bot@example.com").await.expect(200);
    let codes = pair.app.mailed_codes();
    let body = json!({ "email": "bot@example.com", "code": codes[0].1, "revoke_keys": true });
    pair.other.client().post("/api/auth/recovery/verify").json(&body).await.expect(200);
    for token in [&bot.api_key, &bot.access] {
        pair.expect(token, false).await;
    }
});

on_every_storage!(a_rotated_key_lives_as_long_as_its_overlap, |app| {
    let pair = Pair::of(app).await;
    let bot = pair.bot("weather-bot").await;
    let path = format!("{}/rotate", bot.key_path());
    let rotate = pair.app.client().post(&path).recovering(&bot);
    let made = rotate.json(&json!({ "overlap_seconds": 60 })).await.expect(201);
    pair.expect(&bot.api_key, true).await;
    pair.expect(&made.string("/api_key"), true).await;
    pair.app.clock().advance(time::Duration::seconds(60));
    pair.expect(&bot.api_key, false).await;
    pair.expect(&bot.access, false).await;
    pair.expect(&made.string("/api_key"), true).await;
});

on_every_storage!(a_persons_token_dies_with_its_session_or_account, |app| {
    let pair = Pair::of(app).await;
    let sign_in = async || {
        pair.app.clock().advance(time::Duration::minutes(20));
        let person = pair.app.client().sign_in("jane@example.com").await;
        assert!(pair.is_active(&person.access).await);
        person
    };
    let jane: Person = pair.app.verified("jane@example.com").await;
    assert!(pair.is_active(&jane.access).await);
    pair.other.client().sign_out(&jane.access, &jane.refresh).await.expect(204);
    assert!(!pair.is_active(&jane.access).await);
    let again = sign_in().await;
    let local = Origin::local();
    pair.other.engine().suspend_user(jane.user_id(), Actor::Operator, &local).unwrap();
    assert!(!pair.is_active(&again.access).await);
    pair.app.engine().resume_user(jane.user_id(), Actor::Operator, &local).unwrap();
    assert!(!pair.is_active(&again.access).await, "what ended stays ended");
    let again = sign_in().await;
    pair.app.engine().delete_user(jane.user_id(), Actor::Operator, &local).unwrap();
    assert!(!pair.is_active(&again.access).await);
});

on_every_storage!(a_removed_resource_server_is_nobody_at_once, |app| {
    let pair = Pair::of(app).await;
    let bot = pair.bot("weather-bot").await;
    let id = pair.api.id.as_str();
    assert!(pair.app.engine().remove_server(id, Actor::Operator, &Origin::local()).unwrap());
    for app in [&pair.app, &pair.other] {
        for path in [INTROSPECT, REVOKE] {
            let request = ask(&app.client(), path, &[("token", &bot.access)]);
            let reply = request.basic(&pair.api.id, &pair.api.secret).await;
            reply.expect_error(401, "invalid_client");
        }
    }
    let fresh = server(&pair.other, "messages:read", None, false);
    assert!(is_active(&pair.app, &fresh, &bot.access).await);
});

on_every_storage!(k6_what_was_revoked_here_is_dead_everywhere, |app| {
    let pair = Pair::of(app).await;
    let bot = pair.bot("weather-bot").await;
    revoke(&pair.other, &bot.access).await;
    pair.expect(&bot.access, false).await;
    pair.expect(&bot.api_key, true).await;
    let second = granted(&pair.app.client(), &bot, &[]).await;
    revoke(&pair.app, &bot.api_key).await;
    for token in [&bot.api_key, &second] {
        pair.expect(token, false).await;
    }
    let told = introspect(&pair.other.client(), &pair.api, &second).await;
    assert_eq!(told.text(), r#"{"active":false}"#);
});
