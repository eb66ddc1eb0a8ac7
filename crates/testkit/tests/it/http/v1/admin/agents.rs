use portcullis_audit::{Action, Actor};
use portcullis_identity::AgentStatus;
use portcullis_kernel::{Cursor, Origin, Slice};
use portcullis_testkit::{
    app::{Bot, Mail, Person, Reply, TestApp},
    on_every_storage,
};
use serde_json::{Value, json};
use time::Duration;

const PATH: &str = "/v1/admin/agents";

fn path(bot: &Bot, rest: &str) -> String {
    format!("{PATH}/{}{rest}", bot.id)
}

async fn list(app: &TestApp, admin: &Person, query: &str) -> Reply {
    app.client().get(&format!("{PATH}?{query}")).bearer(&admin.access).await
}

fn names(reply: &Reply) -> Vec<String> {
    let body = reply.json();
    let agents = body["agents"].as_array().unwrap().iter();
    agents.map(|agent| agent["agent_name"].as_str().unwrap().to_owned()).collect()
}

/// The events of an action upon an agent.
fn events(app: &TestApp, bot: &Bot, action: Action) -> Vec<Actor> {
    let id = bot.agent_id();
    let events = app.read(|uow| uow.audit().list_for_agent(id, &Slice::first(50))).items;
    events.iter().filter(|event| event.action == action).map(|event| event.actor).collect()
}

/// Agents of these names, a second apart.
async fn bots(app: &TestApp, names: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for name in names {
        app.clock().advance(Duration::SECOND);
        let reply = app.client().register_agent(name, None).await.expect(201);
        ids.push(reply.string("/agent_id"));
    }
    ids
}

on_every_storage!(agents_are_listed_in_pages_the_newest_first, |app| {
    let admin = app.admin("admin@example.com").await;
    bots(&app, &["bot-1", "bot-2", "bot-3", "bot-4", "bot-5"]).await;
    let reply = list(&app, &admin, "limit=3").await.expect(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(names(&reply), ["bot-5", "bot-4", "bot-3"]);
    let next = reply.string("/next_cursor");
    let rest = list(&app, &admin, &format!("limit=3&cursor={next}")).await.expect(200);
    assert_eq!(
        (names(&rest), &rest.json()["next_cursor"]),
        (vec!["bot-2".into(), "bot-1".into()], &Value::Null)
    );
    let exact = list(&app, &admin, &format!("limit=2&cursor={next}")).await.expect(200);
    assert_eq!((names(&exact).len(), &exact.json()["next_cursor"]), (2, &Value::Null));
    // Whoever comes while somebody turns the pages moves none of them.
    bots(&app, &["bot-6"]).await;
    let again = list(&app, &admin, &format!("limit=3&cursor={next}")).await.expect(200);
    assert_eq!(names(&again), names(&rest));
});

on_every_storage!(agents_of_one_moment_are_each_listed_once, |app| {
    let admin = app.admin("admin@example.com").await;
    for n in 0..7 {
        app.client().register_agent(&format!("bot-{n}"), None).await.expect(201);
    }
    let (mut seen, mut query) = (Vec::new(), "limit=2".to_owned());
    loop {
        let page = list(&app, &admin, &query).await.expect(200);
        seen.extend(names(&page));
        let Some(next) = page.json()["next_cursor"].as_str().map(str::to_owned) else { break };
        query = format!("limit=2&cursor={next}");
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..7).map(|n| format!("bot-{n}")).collect::<Vec<_>>());
});

on_every_storage!(agents_are_filtered_by_every_parameter_given, |app| {
    let admin = app.admin("admin@example.com").await;
    bots(&app, &["alpha-bot", "beta-bot"]).await;
    app.clock().advance(Duration::SECOND);
    let proven = app.proven_bot("gamma", "100%_sure@example.com").await;
    app.clock().advance(Duration::SECOND);
    app.client().register_agent("delta", Some("pending@other.example")).await.expect(201);
    app.clock().advance(Duration::SECOND);
    let body = json!({ "agent_name": "owned", "owner": admin.id });
    let made = app.client().post(PATH).bearer(&admin.access).json(&body).await.expect(201);
    assert_eq!(made.string("/owner"), admin.id);
    let (id, local) = (proven.agent_id(), Origin::local());
    let suspended = AgentStatus::Suspended;
    app.engine().set_agent_status(id, suspended, Actor::Operator, &local).unwrap();
    let owner = format!("owner={}", admin.id);
    for (query, wanted) in [
        ("name=BOT", vec!["beta-bot", "alpha-bot"]),
        ("name=-b", vec!["beta-bot", "alpha-bot"]),
        ("name=%25", vec![]),
        ("name=_", vec![]),
        ("name=%27%20OR%201%3D1--", vec![]),
        ("email=SURE%40", vec!["gamma"]),
        ("email=%25", vec!["gamma"]),
        ("email=_", vec!["gamma"]),
        ("email=other.example", vec!["delta"]),
        ("status=suspended", vec!["gamma"]),
        ("status=active&name=a", vec!["delta", "beta-bot", "alpha-bot"]),
        (&owner, vec!["owned"]),
        ("owner=01JN2X4K8M3F7QPZRVWT6YBHCE", vec![]),
        ("status=suspended&email=other", vec![]),
        ("name=delta&anything=else&anything=twice", vec!["delta"]),
    ] {
        let reply = list(&app, &admin, query).await.expect(200);
        assert_eq!(names(&reply), wanted, "I8 {query}");
    }
});

on_every_storage!(i17_every_bad_parameter_of_the_list_is_named, |app| {
    let admin = app.admin("admin@example.com").await;
    let foreign = Cursor::after("01JN2X4K8M3F7QPZRVWT6YBHCE").encode();
    let key = Cursor::after(format!("1.aky_{}", "0".repeat(32))).encode();
    let early = Cursor::after(format!("-9000000000000000.agt_{}", "0".repeat(32))).encode();
    let far = Cursor::after(format!("9223372036854775807.agt_{}", "0".repeat(32))).encode();
    for (query, named) in [
        ("limit=0", vec!["limit"]),
        ("limit=201", vec!["limit"]),
        ("limit=4294967296", vec!["limit"]),
        ("limit=5&limit=5", vec!["limit"]),
        ("cursor=x", vec!["cursor"]),
        ("cursor=", vec!["cursor"]),
        (&format!("cursor={foreign}"), vec!["cursor"]),
        (&format!("cursor={key}"), vec!["cursor"]),
        (&format!("cursor={far}"), vec!["cursor"]),
        (&format!("cursor={early}"), vec!["cursor"]),
        ("email=%00", vec!["email"]),
        ("email=", vec!["email"]),
        ("name=", vec!["name"]),
        ("name=%00", vec!["name"]),
        ("name=%ff", vec!["name"]),
        (&format!("name={}", "x".repeat(51)), vec!["name"]),
        ("status=Active", vec!["status"]),
        ("status=deleted", vec!["status"]),
        ("owner=admin@example.com", vec!["owner"]),
        ("owner=x", vec!["owner"]),
        (
            "limit=x&cursor=x&email=%00&name=&status=x&owner=x",
            vec!["cursor", "email", "limit", "name", "owner", "status"],
        ),
    ] {
        let reply = list(&app, &admin, query).await.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), named, "{query}");
    }
    for query in ["", "&&", "limit=200", "name=%F0%9F%A6%80"] {
        list(&app, &admin, query).await.expect(200);
    }
});

on_every_storage!(an_agent_is_shown_with_its_keys_and_no_secret, |app| {
    let admin = app.admin("admin@example.com").await;
    let bot = app.proven_bot("weather-bot", "bot@example.com").await;
    app.clock().advance(Duration::SECOND);
    let body = json!({
        "name": "bound", "scopes": ["messages:read"], "expires_in_days": 1,
        "allowed_cidrs": ["192.0.2.0/24"], "rate_limit_per_minute": 9,
    });
    let bound = app.client().make_key(&bot, &body).await.expect(201);
    app.client().delete(&bot.key_path()).recovering(&bot).await.expect(200);
    app.engine().flush_uses().unwrap();
    let reply = app.client().get(&path(&bot, "")).bearer(&admin.access).await.expect(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    for secret in [&bot.api_key, &bot.recovery_key, &bound.string("/api_key")] {
        assert!(!reply.text().contains(secret.as_str()), "K3");
    }
    let start = "2026-03-04T05:06:07Z";
    let prefix = |key: &str| key.chars().take(7).collect::<String>();
    assert_eq!(
        reply.json(),
        json!({
            "agent_id": bot.id, "agent_name": "weather-bot", "email": "bot@example.com",
            "email_verified": true, "metadata": {}, "owner": null, "created_at": start,
            "profile": {
                "agent_id": bot.id, "agent_name": "weather-bot", "display_name": null,
                "description": null, "tags": [], "visibility": "private",
            },
            "status": "active",
            "keys": [
                {
                    "key_id": bound.string("/key_id"), "name": "bound",
                    "prefix": prefix(&bound.string("/api_key")), "scopes": ["messages:read"],
                    "created_at": "2026-03-04T05:06:08Z", "expires_at": "2026-03-05T05:06:08Z",
                    "last_used_at": null, "revoked_at": null,
                    "allowed_cidrs": ["192.0.2.0/24"], "rate_limit_per_minute": 9,
                },
                {
                    "key_id": bot.key_id, "name": "first", "prefix": prefix(&bot.api_key),
                    "scopes": [
                        "messages:read", "messages:write", "conversations:read",
                        "presence:update",
                    ],
                    "created_at": start, "expires_at": null, "last_used_at": start,
                    "revoked_at": "2026-03-04T05:06:08Z",
                },
            ],
        })
    );
});

on_every_storage!(r9_an_administrator_shuts_an_agent_and_opens_it_again, |app| {
    let (admin, bot) = (app.admin("admin@example.com").await, app.bot("weather-bot").await);
    let client = app.client();
    let ask = async |what: &str| client.post(&path(&bot, what)).bearer(&admin.access).await;
    for _ in 0..2 {
        let reply = ask("/suspend").await.expect(200);
        assert_eq!(
            (reply.string("/status"), reply.string("/agent_id")),
            ("suspended".into(), bot.id.clone())
        );
    }
    app.client().agent(&bot.access).await.expect_error(401, "UNAUTHORIZED");
    app.client().exchange(&bot.id, &bot.api_key).await.expect_error(403, "FORBIDDEN");
    let body = json!({ "name": "another" });
    app.client().make_key(&bot, &body).await.expect_error(403, "FORBIDDEN");
    for _ in 0..2 {
        assert_eq!(ask("/resume").await.expect(200).string("/status"), "active");
    }
    app.client().agent(&bot.access).await.expect(200);
    app.client().exchange(&bot.id, &bot.api_key).await.expect(200);
    let by = Actor::User(admin.user_id());
    assert_eq!(events(&app, &bot, Action::AgentSuspended), [by], "G3");
    assert_eq!(events(&app, &bot, Action::AgentResumed), [by], "G3");
});

on_every_storage!(an_agent_erased_by_an_administrator_is_gone, |app| {
    let admin = app.admin("admin@example.com").await;
    let bot = app.proven_bot("weather-bot", "bot@example.com").await;
    let client = app.client();
    client.delete(&path(&bot, "")).bearer(&admin.access).await.expect(204);
    for (method, rest) in [("GET", ""), ("DELETE", ""), ("POST", "/suspend"), ("POST", "/resume")] {
        let request = client.request(method, &path(&bot, rest)).bearer(&admin.access);
        request.await.expect_error(404, "not_found");
    }
    app.client().agent(&bot.access).await.expect(401);
    app.client().exchange(&bot.id, &bot.api_key).await.expect(401);
    app.client().make_key(&bot, &json!({ "name": "x" })).await.expect(401);
    assert!(names(&list(&app, &admin, "").await).is_empty());
    assert_eq!(events(&app, &bot, Action::AgentDeleted), [Actor::User(admin.user_id())], "G3");
    let told: Vec<_> = app.mails().iter().map(Mail::kind).collect();
    assert_eq!(told, ["agent_deleted"]);
});

#[actix_web::test]
async fn what_is_no_id_of_an_agent_is_not_found() {
    let app = TestApp::memory().await;
    let (admin, bot) = (app.admin("admin@example.com").await, app.bot("weather-bot").await);
    let zero = "0".repeat(32);
    for id in [
        "x",
        "weather-bot",
        "%00",
        "%ff",
        &zero,
        &format!("agt_{zero}"),
        &format!("aky_{zero}"),
        &bot.id.to_uppercase(),
        &bot.key_id,
        &admin.id,
        &format!("{}%20", bot.id),
        "'%20OR%20'1'='1",
        "..%2f..",
        &"x".repeat(20_000),
    ] {
        for (method, rest) in [
            ("GET", ""),
            ("DELETE", ""),
            ("POST", "/suspend"),
            ("POST", "/resume"),
            ("POST", "/keys"),
            ("DELETE", &format!("/keys/{}", bot.key_id)),
        ] {
            let path = format!("{PATH}/{id}{rest}");
            let request = app.client().request(method, &path).bearer(&admin.access);
            let reply = request.json(&json!({ "name": "key" })).await;
            reply.expect_error(404, "not_found");
        }
        app.clock().advance(Duration::seconds(10));
    }
    app.client().exchange(&bot.id, &bot.api_key).await.expect(200);
    let shown = app.client().get(&path(&bot, "")).bearer(&admin.access).await.expect(200);
    assert_eq!(shown.json()["keys"].as_array().unwrap().len(), 1, "nothing was done");
}

#[actix_web::test]
async fn j4_no_credential_of_an_agent_administers_anything() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    for (method, path) in [("GET", PATH.to_owned()), ("DELETE", path(&bot, ""))] {
        for token in [&bot.access, &bot.api_key, &bot.recovery_key] {
            let request = app.client().request(method, &path).bearer(token);
            request.await.expect_error(401, "unauthorized");
        }
        for secret in [&bot.api_key, &bot.recovery_key] {
            let request = app.client().request(method, &path).basic(&bot.id, secret);
            request.await.expect_error(401, "unauthorized");
        }
    }
}
