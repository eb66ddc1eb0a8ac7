use portcullis_audit::{Action, Outcome};
use portcullis_testkit::{
    app::{PASSWORD, Person, TestApp, all},
    on_every_storage,
};
use serde_json::json;

use crate::http::{jwt, routes::limit_headers};

const PATH: &str = "/v1/auth/register";

on_every_storage!(an_account_is_made_and_its_owner_is_signed_in, |app| {
    let client = app.client();
    let body = json!({ "email": " Jane@Example.COM ", "password": PASSWORD, "display_name": " Jane Smith " });
    let reply = client.post(PATH).json(&body).await.expect(201);

    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let person = Person::from_reply(&reply);
    assert_eq!(
        reply.json(),
        json!({
            "user": {
                "id": person.id,
                "email": "jane@example.com",
                "display_name": "Jane Smith",
                "role": "user",
                "email_verified": false,
                "created_at": "2026-03-04T05:06:07Z",
            },
            "access_token": person.access,
            "refresh_token": person.refresh,
            "expires_in": 900,
        })
    );
    let crockford = |text: &str| {
        text.len() == 26 && text.bytes().all(|b| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(&b))
    };
    assert!(crockford(&person.id), "{}", person.id);
    assert!(person.refresh.strip_prefix("rt_").is_some_and(crockford), "{}", person.refresh);

    client.me(&person.access).await.expect(200);
    client.refresh(&person.refresh).await.expect(200);
    app.client().sign_in("jane@example.com").await;
});

on_every_storage!(what_is_stored_of_an_account_is_a_hash_a_session_and_one_event, |app| {
    let request = app.client().post(PATH).header("user-agent", "curl/8");
    let reply = request.json(&json!({ "email": "a@example.com", "password": PASSWORD })).await;
    let user = Person::from_reply(&reply.clone().expect(201)).user_id();

    let hash = app.read(|uow| uow.passwords().find(user)).unwrap();
    assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "P6");
    let details = app.engine().show_user(&user.to_string()).unwrap();
    assert_eq!(details.sessions.len(), 1);
    assert_eq!(details.sessions[0].user_agent.as_deref(), Some("curl/8"));
    let events = app.read(|uow| uow.audit().list_for(user, 10));
    assert_eq!(events.len(), 1, "G3");
    assert_eq!((events[0].action, events[0].outcome), (Action::UserRegistered, Outcome::Success));
    assert_eq!(events[0].request_id.as_deref(), reply.header("x-request-id"));
});

on_every_storage!(a_taken_address_is_a_conflict_in_any_spelling, |app| {
    let jane = app.client().register("jane@example.com").await;
    for email in ["jane@example.com", "JANE@EXAMPLE.COM", " jane@example.com"] {
        let body = json!({ "email": email, "password": "another-Passw0rd" });
        let reply = app.client().post(PATH).json(&body).await.expect_error(409, "conflict");
        assert_eq!(reply.json()["error"]["details"], serde_json::Value::Null);
    }
    // The account is as it was.
    assert_eq!(app.client().sign_in("jane@example.com").await.id, jane.id);
    assert_eq!(app.read(|uow| uow.audit().list_for(jane.user_id(), 10)).len(), 2);
});

on_every_storage!(of_parallel_registrations_of_one_address_one_succeeds, |app| {
    let body = json!({ "email": "jane@example.com", "password": PASSWORD });
    let requests = (0..8).map(|_| app.client().post(PATH).json(&body).into_future()).collect();
    let mut statuses: Vec<u16> = all(requests).await.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
    app.client().sign_in("jane@example.com").await;
});

on_every_storage!(l1_three_registrations_an_hour_from_one_address, |app| {
    let client = app.client();
    let body = |n| json!({ "email": format!("p{n}@example.com"), "password": PASSWORD });
    let first = client.post(PATH).json(&body(0)).await.expect(201);
    let full_again = app.clock().advance(time::Duration::ZERO).unix_timestamp() + 3600 + 1;
    assert_eq!(limit_headers(&first), (3, 2, full_again));
    // A refused one counts too.
    let refused = client.post(PATH).untyped("").await.expect_error(400, "validation_error");
    assert_eq!(refused.remaining(), 1);
    assert_eq!(client.post(PATH).json(&body(0)).await.expect(409).remaining(), 0);

    let over = client.post(PATH).json(&body(3)).await.expect_error(429, "rate_limited");
    assert_eq!(limit_headers(&over), (3, 0, full_again));
    assert_eq!(over.number("retry-after"), 3600);
    assert!(app.engine().find_user("p3@example.com").is_err(), "nothing is written");
    app.client().post(PATH).json(&body(3)).await.expect(201);

    app.clock().advance(time::Duration::HOUR);
    client.post(PATH).json(&body(4)).await.expect(201);
});

#[actix_web::test]
async fn j1_the_access_token_has_the_documented_claims() {
    let app = TestApp::memory().await;
    let jane = app.client().register("jane@example.com").await;
    let header = jwt::header(&jane.access);
    let kid = app.engine().active_kid();
    assert_eq!(header, json!({ "alg": "RS256", "typ": "JWT", "kid": kid }));
    let claims = jwt::claims(&jane.access);
    let now = app.clock().advance(time::Duration::ZERO).unix_timestamp();
    let text = |name: &str| claims[name].as_str().unwrap().to_owned();
    assert_eq!(
        claims,
        json!({
            "sub": jane.id, "email": "jane@example.com", "role": "user",
            "iat": now, "exp": now + 900, "iss": "api.vidivo.app",
            "jti": text("jti"), "sid": text("sid"),
        })
    );
    assert_eq!(text("jti").len(), 26);
    assert!(text("sid").starts_with("ses_"));
}

#[actix_web::test]
async fn i6_members_that_are_not_asked_for_assign_nothing() {
    let app = TestApp::memory().await;
    let id = "01JN2X4K8M3F7QPZRVWT6YBHCE";
    let body = json!({
        "email": "eve@example.com", "password": PASSWORD, "id": id, "user_id": id, "role": "admin",
        "email_verified": true, "created_at": "2000-01-01T00:00:00Z", "status": "suspended",
        "user": { "role": "admin" },
    });
    let user = app.client().post(PATH).json(&body).await.expect(201).json()["user"].clone();
    assert_ne!(user["id"], id);
    assert_eq!(
        (&user["role"], &user["email_verified"], &user["created_at"]),
        (&json!("user"), &json!(false), &json!("2026-03-04T05:06:07Z"))
    );
    assert_eq!(user["display_name"], json!(null));
}
