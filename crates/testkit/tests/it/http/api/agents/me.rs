use portcullis_audit::Actor;
use portcullis_flows::agents::RegisterAgent;
use portcullis_kernel::{Field, Origin};
use portcullis_testkit::on_every_storage;
use serde_json::{Value, json};

use crate::http::routes::limit_headers;

on_every_storage!(an_agent_sees_its_own_account, |app| {
    let bot = app.bot("weather-bot").await;
    let reply = app.client().agent(&bot.access).await.expect(200);
    assert_eq!((limit_headers(&reply).0, reply.remaining()), (100, 99));
    let profile = json!({
        "agent_id": bot.id, "agent_name": "weather-bot", "display_name": null,
        "description": null, "tags": [], "visibility": "private",
    });
    assert_eq!(
        reply.json(),
        json!({
            "agent_id": bot.id, "agent_name": "weather-bot", "email": null,
            "email_verified": false, "metadata": {}, "owner": null, "profile": profile,
            "created_at": "2026-03-04T05:06:07Z",
        })
    );
});

on_every_storage!(an_address_shows_whether_it_is_proven_and_which_one_waits, |app| {
    let bot = app.bot("weather-bot").await;
    let shown = async || {
        let body = app.client().agent(&bot.access).await.json();
        [&body["email"], &body["email_verified"], &body["pending_email"]].map(Value::clone)
    };
    let give = async |email: &str| {
        let request = app.client().post(&bot.path("/email")).recovering(&bot);
        request.json(&json!({ "email": email })).await.expect(202);
        app.mailed("agent_verify_email")
    };
    let token = give("a@example.com").await;
    assert_eq!(shown().await, [json!("a@example.com"), json!(false), json!("a@example.com")]);
    let body = json!({ "token": token });
    app.client().post("/api/auth/verify-email").json(&body).await.expect(200);
    assert_eq!(shown().await, [json!("a@example.com"), json!(true), Value::Null]);
    give("b@example.com").await;
    assert_eq!(shown().await, [json!("a@example.com"), json!(true), json!("b@example.com")]);
});

on_every_storage!(what_it_told_of_itself_and_whose_it_is_are_shown, |app| {
    let jane = app.client().register("jane@example.com").await;
    let input = RegisterAgent { agent_name: Field::from("owned-bot"), ..RegisterAgent::default() };
    let registration = app.engine().check_register_agent(input).unwrap();
    let (operator, local) = (Actor::Operator, Origin::local());
    let owner = Some(jane.user_id());
    let made = app.engine().create_agent(registration, owner, operator, &local).unwrap();
    let mut bot = app.bot("weather-bot").await;
    assert_eq!(app.client().agent(&bot.access).await.json()["owner"], Value::Null);
    {
        use portcullis_kernel::ExposeSecret as _;
        bot.id = made.agent.id.to_string();
        made.recovery_key.into_secret().expose_secret().clone_into(&mut bot.recovery_key);
    }
    let made = app.client().make_key(&bot, &json!({ "name": "x" })).await.expect(201);
    let issued = app.client().exchange(&bot.id, &made.string("/api_key")).await.expect(200);
    let access = issued.string("/access_token");
    let body = app.client().agent(&access).await.json();
    assert_eq!(body["owner"], jane.id);
    assert_eq!(crate::http::jwt::claims(&access)["owner"], jane.id);

    let metadata = json!({ "description": "x", "version": "1" });
    let body = json!({ "agent_name": "weather-bot", "metadata": metadata });
    let registered = app.client().post("/api/auth/register").json(&body).await.expect(201);
    bot.id = registered.string("/agent_id");
    bot.recovery_key = registered.string("/recovery_key");
    let made = app.client().make_key(&bot, &json!({ "name": "x" })).await.expect(201);
    let issued = app.client().exchange(&bot.id, &made.string("/api_key")).await.expect(200);
    let me = app.client().agent(&issued.string("/access_token")).await.json();
    assert_eq!(me["metadata"], metadata);
});
