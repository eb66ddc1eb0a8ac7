//! `POST /oauth2/revoke`: by whom, and what.

use portcullis_audit::{Action, Actor};
use portcullis_identity::AgentStatus;
use portcullis_kernel::Slice;
use portcullis_testkit::{
    app::{Bot, Reply, TestApp},
    on_every_storage,
};
use serde_json::json;

use super::callers::{
    BASIC, REVOKE, Server, another_key, ask, granted, is_active, revoke, server, set_status,
    watcher,
};

async fn revoke_by(app: &TestApp, id: &str, secret: &str, token: &str) -> Reply {
    ask(&app.client(), REVOKE, &[("token", token)]).basic(id, secret).await
}

/// The events of an action upon an agent: by whom, and by what right where it is not its own.
fn events(app: &TestApp, bot: &Bot, action: Action) -> Vec<(Actor, Option<String>)> {
    let id = bot.agent_id();
    let events = app.read(|uow| uow.audit().list_for_agent(id, &Slice::first(50))).items;
    let wanted = events.into_iter().filter(|event| event.action == action);
    wanted.map(|event| (event.actor, event.detail)).collect()
}

on_every_storage!(whoever_holds_a_key_or_token_may_revoke_it, |app| {
    let (bot, api) = (app.bot("weather-bot").await, watcher(&app));
    let jane = app.client().register("jane@example.com").await;
    let john = app.client().register("john@example.com").await;
    for token in [&bot.access, &bot.api_key, &jane.access] {
        assert!(is_active(&app, &api, token).await);
        revoke(&app, token).await;
        assert!(!is_active(&app, &api, token).await);
        // Again is no error (RFC 7009 §2.2).
        revoke(&app, token).await;
    }
    // Whoever found a key or token may be a stranger to its agent.
    let holder = [(Actor::Anonymous, Some("holder".to_owned()))];
    assert_eq!(events(&app, &bot, Action::TokenRevoked), holder, "G3");
    assert_eq!(events(&app, &bot, Action::ApiKeyRevoked), holder, "G3");
    // With a person's token its session is over.
    app.client().me(&jane.access).await.expect(401);
    app.client().refresh(&jane.refresh).await.expect(401);
    revoke(&app, &john.refresh).await;
    app.client().refresh(&john.refresh).await.expect(401);
    app.client().me(&john.access).await.expect(401);
    let signed_out = app.read(|uow| uow.audit().list_for(john.user_id(), 50));
    let ended = signed_out.iter().filter(|event| event.action == Action::SignedOut).count();
    assert_eq!(ended, 1, "G3");
});

on_every_storage!(r7_only_the_session_of_the_token_ends, |app| {
    let jane = app.client().register("jane@example.com").await;
    let phone = app.client().sign_in(&jane.email).await;
    revoke(&app, &phone.access).await;
    app.client().me(&phone.access).await.expect(401);
    app.client().me(&jane.access).await.expect(200);
    app.client().refresh(&jane.refresh).await.expect(200);
});

on_every_storage!(a_bearer_revokes_itself_and_nothing_else, |app| {
    let (bot, api) = (app.bot("weather-bot").await, watcher(&app));
    let second = granted(&app.client(), &bot, &[]).await;
    for (bearer, token) in
        [(&bot.access, &second), (&bot.access, &bot.api_key), (&bot.api_key, &bot.access)]
    {
        let request = ask(&app.client(), REVOKE, &[("token", token)]).bearer(bearer);
        let reply = request.await.expect_error(401, "invalid_token");
        let challenge = reply.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer resource_metadata=\""), "W6 {challenge}");
        assert!(challenge.ends_with(", error=\"invalid_token\""), "W6 {challenge}");
        assert!(is_active(&app, &api, token).await && is_active(&app, &api, bearer).await);
    }
    let request = app.client().post(REVOKE).bearer(&bot.access);
    request.await.expect_error(400, "invalid_request");
    let twice = ask(&app.client(), REVOKE, &[("token", &second)]).bearer(&second).bearer(&second);
    twice.await.expect_error(401, "invalid_token");
    for token in [&bot.access, &second, &bot.api_key] {
        assert!(is_active(&app, &api, token).await);
        let request = ask(&app.client(), REVOKE, &[("token", token)]).bearer(token);
        assert!(request.await.expect(200).text().is_empty());
        assert!(!is_active(&app, &api, token).await);
    }
});

on_every_storage!(an_agent_revokes_what_is_its_own_by_any_of_its_keys, |app| {
    let (bot, other, api) =
        (app.bot("weather-bot").await, app.bot("other-bot").await, watcher(&app));
    let jane = app.client().register("jane@example.com").await;
    let (_, second) = another_key(&app, &bot, &json!({ "name": "second" })).await;
    let with_second = Bot { api_key: second.clone(), ..bot.clone() };
    let by_second = granted(&app.client(), &with_second, &[]).await;
    for foreign in [&other.access, &other.api_key, &jane.access] {
        revoke_by(&app, &bot.id, &bot.api_key, foreign).await.expect(200);
        assert!(is_active(&app, &api, foreign).await, "none of its own");
    }
    revoke_by(&app, &bot.id, &bot.api_key, &jane.refresh).await.expect(200);
    app.client().refresh(&jane.refresh).await.expect(200);
    for own in [&by_second, &second, &bot.access, &bot.api_key] {
        assert!(is_active(&app, &api, own).await);
        revoke_by(&app, &bot.id, &bot.api_key, own).await.expect(200);
        assert!(!is_active(&app, &api, own).await);
    }
    // Its last key was its credential.
    revoke_by(&app, &bot.id, &bot.api_key, &bot.api_key).await.expect(401);
    let me = (Actor::Agent(bot.agent_id()), None);
    assert_eq!(events(&app, &bot, Action::ApiKeyRevoked), [me.clone(), me.clone()], "G3");
    assert_eq!(events(&app, &bot, Action::TokenRevoked), [me.clone(), me], "G3");
});

on_every_storage!(a_resource_server_revokes_what_it_may_see, |app| {
    let (bot, all) = (app.bot("weather-bot").await, watcher(&app));
    let jane = app.client().register("jane@example.com").await;
    let narrow = server(&app, "billing", Some("https://a.example"), false);
    let bound = granted(&app.client(), &bot, &[("resource", "https://a.example")]).await;
    let by = async |api: &Server, token: &str| {
        revoke_by(&app, &api.id, &api.secret, token).await.expect(200)
    };
    for hidden in [&bot.api_key, &bot.access, &jane.access] {
        by(&narrow, hidden).await;
        assert!(is_active(&app, &all, hidden).await, "none of its business");
    }
    by(&all, &bound).await;
    assert!(is_active(&app, &narrow, &bound).await, "for another");
    by(&narrow, &bound).await;
    assert!(!is_active(&app, &narrow, &bound).await);
    by(&all, &jane.refresh).await;
    for seen in [&bot.access, &bot.api_key, &jane.access] {
        assert!(is_active(&app, &all, seen).await, "a refresh token is nobody's but its holder's");
        by(&all, seen).await;
        assert!(!is_active(&app, &all, seen).await);
    }
    let server = [(Actor::Anonymous, Some(all.id.clone()))];
    assert_eq!(events(&app, &bot, Action::ApiKeyRevoked), server, "G3");
});

on_every_storage!(e1_the_answer_is_the_same_whatever_the_token_is, |app| {
    let (bot, other, api) =
        (app.bot("weather-bot").await, app.bot("other-bot").await, watcher(&app));
    let dead = granted(&app.client(), &bot, &[]).await;
    revoke(&app, &dead).await;
    let blind = server(&app, "billing", None, false);
    let mut names = None;
    for token in [
        "x",
        " ",
        "\0",
        "sk_x",
        "rt_x",
        "a.b.c",
        &dead,
        &bot.id,
        &bot.recovery_key,
        &api.secret,
        &other.access,
        &"x".repeat(60_000),
        &bot.access,
    ] {
        for (id, secret) in
            [(&blind.id, &blind.secret), (&api.id, &api.secret), (&bot.id, &bot.api_key)]
        {
            let reply = revoke_by(&app, id, secret, token).await.expect(200);
            assert!(reply.text().is_empty() && reply.header("content-type").is_none());
            assert_eq!(reply.header("cache-control"), Some("no-store"));
            let names = names.get_or_insert_with(|| reply.header_names());
            assert_eq!(&reply.header_names(), names, "{token}");
        }
        revoke(&app, token).await;
    }
    assert!(is_active(&app, &api, &bot.api_key).await);
    app.client().get("/api/agents/me").recovering(&bot).await.expect(401);
    let body = json!({ "name": "still" });
    app.client().make_key(&bot, &body).await.expect(201);
});

on_every_storage!(a_credential_that_is_wrong_revokes_nothing, |app| {
    let (bot, other, api) =
        (app.bot("weather-bot").await, app.bot("other-bot").await, watcher(&app));
    let unknown = format!("agt_{}", "0".repeat(32));
    for (id, secret) in [
        (bot.id.as_str(), other.api_key.as_str()),
        (&other.id, &bot.api_key),
        (&unknown, &bot.api_key),
        (&bot.id, "sk_x"),
        (&bot.id, &bot.recovery_key),
        (&bot.id, &api.secret),
        (&api.id, &bot.api_key),
        (&api.id, "rss_x"),
        ("rs_", ""),
        ("", ""),
    ] {
        let reply = revoke_by(&app, id, secret, &bot.access).await;
        let reply = reply.expect_error(401, "invalid_client");
        assert_eq!(reply.header("www-authenticate"), Some(BASIC), "W6");
    }
    for header in ["", "Basic", "Basic !", "Bearer", "Digest x", "Basic YTpi, Bearer x"] {
        let request = ask(&app.client(), REVOKE, &[("token", &bot.access)]);
        let reply = request.header("authorization", header).await;
        let reply = reply.expect_error(401, "invalid_client");
        assert_eq!(reply.header("www-authenticate"), Some(BASIC), "W6");
    }
    let twice = ask(&app.client(), REVOKE, &[("token", &bot.access)]);
    let twice = twice.basic(&bot.id, &bot.api_key).basic(&bot.id, &bot.api_key);
    twice.await.expect_error(401, "invalid_client");
    assert!(is_active(&app, &api, &bot.access).await && is_active(&app, &api, &bot.api_key).await);
});

on_every_storage!(what_a_suspended_agent_has_can_be_revoked_for_good, |app| {
    let (bot, api) = (app.bot("weather-bot").await, watcher(&app));
    let (_, second) = another_key(&app, &bot, &json!({ "name": "second" })).await;
    let bound = json!({ "name": "bound", "allowed_cidrs": ["192.0.2.0/24"] });
    let (_, bound) = another_key(&app, &bot, &bound).await;
    let refused = revoke_by(&app, &bot.id, &bound, &bot.access).await;
    refused.expect_error(400, "unauthorized_client");
    set_status(&app, &bot, AgentStatus::Suspended);
    let refused = revoke_by(&app, &bot.id, &bot.api_key, &bot.access).await;
    refused.expect_error(400, "unauthorized_client");
    revoke(&app, &bot.access).await;
    revoke(&app, &second).await;
    revoke_by(&app, &api.id, &api.secret, &bot.api_key).await.expect(200);
    set_status(&app, &bot, AgentStatus::Active);
    for token in [&bot.access, &second, &bot.api_key] {
        assert!(!is_active(&app, &api, token).await);
    }
    assert!(is_active(&app, &api, &bound).await);
});
