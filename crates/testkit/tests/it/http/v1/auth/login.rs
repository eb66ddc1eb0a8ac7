use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::admin::CreateUser;
use portcullis_kernel::Origin;
use portcullis_testkit::{
    app::{PASSWORD, Person, TestApp, all},
    on_every_storage,
};
use serde_json::{Value, json};

use crate::http::routes::limit_headers;

const PATH: &str = "/v1/auth/login";
const WRONG: &str = "a-wrong-Passw0rd";

on_every_storage!(the_right_password_opens_a_session_of_its_own, |app| {
    let jane = app.client().register("jane@example.com").await;
    let body = json!({ "email": " JANE@example.com", "password": PASSWORD });
    let reply = app.client().post(PATH).json(&body).await.expect(200);

    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let again = Person::from_reply(&reply);
    assert_eq!(
        reply.json(),
        json!({
            "user": {
                "id": jane.id, "email": "jane@example.com", "display_name": "Jane Smith",
                "role": "user", "email_verified": false, "created_at": "2026-03-04T05:06:07Z",
            },
            "access_token": again.access, "refresh_token": again.refresh, "expires_in": 900,
        })
    );
    assert_ne!(again.refresh, jane.refresh);
    let client = app.client();
    client.sign_out(&again.access, &again.refresh).await.expect(204);
    client.refresh(&again.refresh).await.expect(401);
    client.refresh(&jane.refresh).await.expect(200);
});

on_every_storage!(e1_a_wrong_password_and_an_unknown_address_are_the_same_answer, |app| {
    let jane = app.client().register("jane@example.com").await;
    let long = "x".repeat(5000);
    let mut answers = Vec::new();
    for email in ["jane@example.com", "nobody@example.com"] {
        for password in [WRONG, "", " ", long.as_str()] {
            let reply = app.client().try_sign_in(email, password).await;
            let reply = reply.expect_error(401, "invalid_credentials");
            assert_eq!(reply.string("/error/message"), "The email or password is incorrect.");
            answers.push((reply.text().to_owned(), reply.header_names(), limit_headers(&reply)));
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");

    let events = app.read(|uow| uow.audit().list_for(jane.user_id(), 10));
    let failures = events.iter().filter(|event| event.outcome == Outcome::Failure);
    let failures: Vec<_> = failures.map(|event| (event.action, event.actor)).collect();
    assert_eq!(failures, [(Action::SignedIn, Actor::Anonymous); 4], "G3");
});

on_every_storage!(a_suspended_account_is_told_so_by_its_right_password_only, |app| {
    let jane = app.client().register("jane@example.com").await;
    app.engine().suspend_user(jane.user_id(), Actor::Operator, &Origin::local()).unwrap();
    let client = app.client();
    client.try_sign_in(&jane.email, WRONG).await.expect_error(401, "invalid_credentials");
    let shut = client.try_sign_in(&jane.email, PASSWORD).await.expect_error(403, "forbidden");
    assert_eq!(shut.json()["error"]["details"], Value::Null);
    app.engine().resume_user(jane.user_id(), Actor::Operator, &Origin::local()).unwrap();
    client.try_sign_in(&jane.email, PASSWORD).await.expect(200);
});

on_every_storage!(l1_five_sign_ins_a_quarter_of_an_hour_from_one_address, |app| {
    let jane = app.client().register("jane@example.com").await;
    let client = app.client();
    let reset = app.clock().advance(time::Duration::ZERO).unix_timestamp() + 900 + 1;
    for (left, password) in [(4, PASSWORD), (3, WRONG), (2, ""), (1, PASSWORD)] {
        let reply = client.try_sign_in(&jane.email, password).await;
        assert_eq!(limit_headers(&reply), (5, left, reset));
    }
    assert_eq!(client.post(PATH).untyped("").await.expect(400).remaining(), 0);
    for password in [PASSWORD, WRONG] {
        let over =
            client.try_sign_in(&jane.email, password).await.expect_error(429, "rate_limited");
        assert_eq!(limit_headers(&over), (5, 0, reset));
        assert_eq!(over.number("retry-after"), 900);
    }
    app.client().try_sign_in(&jane.email, PASSWORD).await.expect(200);
    app.clock().advance(time::Duration::minutes(15));
    client.try_sign_in(&jane.email, PASSWORD).await.expect(200);
});

on_every_storage!(l2_of_fifty_parallel_sign_ins_of_one_address_five_are_judged, |app| {
    let jane = app.client().register("jane@example.com").await;
    let client = app.client();
    let body = json!({ "email": jane.email, "password": PASSWORD });
    let requests = (0..50).map(|_| client.post(PATH).json(&body).into_future()).collect();
    let statuses: Vec<u16> = all(requests).await.iter().map(|reply| reply.status).collect();
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(200), count(429)), (5, 45), "{statuses:?}");
});

on_every_storage!(parallel_sign_ins_from_different_addresses_all_succeed, |app| {
    let jane = app.client().register("jane@example.com").await;
    let body = jane.credentials();
    let requests = (0..20).map(|_| app.client().post(PATH).json(&body).into_future()).collect();
    for reply in all(requests).await {
        reply.expect(200);
    }
});

on_every_storage!(l8_thirty_failures_shut_strangers_out_and_not_the_owner, |app| {
    let home = app.client();
    let jane = home.register("jane@example.com").await;
    // 27 wrong ones, and right ones in between that take no place.
    for n in 0..30 {
        let password = if n % 10 == 9 { PASSWORD } else { WRONG };
        let status = app.client().try_sign_in(&jane.email, password).await.status;
        assert_eq!(status, if password == PASSWORD { 200 } else { 401 });
    }
    for _ in 0..3 {
        app.client().try_sign_in(&jane.email, WRONG).await.expect(401);
    }
    for password in [WRONG, PASSWORD] {
        let over = app.client().try_sign_in(&jane.email, password).await;
        let over = over.expect_error(429, "rate_limited");
        assert_eq!(limit_headers(&over).0, 30, "its own 429 shows the account's bucket");
        assert!((1..=900).contains(&over.number("retry-after")));
    }
    home.try_sign_in(&jane.email, PASSWORD).await.expect(200);
    app.clock().advance(time::Duration::minutes(15));
    app.client().try_sign_in(&jane.email, PASSWORD).await.expect(200);
});

#[actix_web::test]
async fn e6_failures_of_an_unknown_address_count_alike() {
    let app = TestApp::memory().await;
    app.client().register("jane@example.com").await;
    let mut ends = Vec::new();
    for email in ["jane@example.com", "nobody@example.com"] {
        for _ in 0..30 {
            let reply = app.client().try_sign_in(email, WRONG).await.expect(401);
            assert_eq!(limit_headers(&reply).0, 5, "an account's bucket is not shown");
        }
        let over = app.client().try_sign_in(email, WRONG).await.expect(429);
        ends.push((over.text().to_owned(), over.header_names(), limit_headers(&over)));
    }
    assert_eq!(ends[0], ends[1]);
}

#[actix_web::test]
async fn p2_a_password_is_checked_exactly_as_sent() {
    let app = TestApp::memory().await;
    let p4 = "x".repeat(81);
    for (n, password) in [
        "  Space at both ends ",
        "Ключ-Пароль",
        "🦀Crab-Passw0rd",
        "nul\0Passw0rd",
        "cafe\u{301}-Passw0rd",
        &p4,
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("p{n}@example.com");
        let body = json!({ "email": email, "password": password });
        app.client().post("/v1/auth/register").json(&body).await.expect(201);
        app.client().try_sign_in(&email, password).await.expect(200);
        let cut: String = password.chars().take(72).collect();
        let swapped: String = password
            .chars()
            .map(|c| {
                if c.is_uppercase() {
                    c.to_lowercase().to_string()
                } else {
                    c.to_uppercase().to_string()
                }
            })
            .collect();
        let before_nul = password.split('\0').next().unwrap();
        for altered in
            [password.trim(), &cut, &swapped, before_nul, &password.replace("e\u{301}", "é")]
        {
            if altered != password {
                let reply = app.client().try_sign_in(&email, altered).await;
                reply.expect_error(401, "invalid_credentials");
            }
        }
    }
}

#[actix_web::test]
async fn a_malformed_sign_in_names_every_broken_field() {
    let app = TestApp::memory().await;
    for (body, fields) in [
        (json!({}), vec!["email", "password"]),
        (json!({ "email": null, "password": null }), vec!["email", "password"]),
        (json!({ "email": "nobody", "password": 5 }), vec!["email", "password"]),
        (
            json!({ "email": ["a@example.com", "b@example.com"], "password": PASSWORD }),
            vec!["email"],
        ),
        (json!({ "email": "a@example.com", "password": { "$gt": "" } }), vec!["password"]),
        (json!({ "email": "a\0@example.com", "password": PASSWORD }), vec!["email"]),
        (
            json!({ "email": format!("{}@example.com", "a".repeat(300)), "password": "" }),
            vec!["email"],
        ),
    ] {
        let reply = app.client().post(PATH).json(&body).await;
        assert_eq!(reply.expect_error(400, "validation_error").broken_fields(), fields, "{body}");
    }
}

#[actix_web::test]
async fn an_account_without_a_password_and_empty_ones_let_nobody_in() {
    let app = TestApp::memory().await;
    let create = CreateUser { email: "op@example.com".into(), ..CreateUser::default() };
    app.engine().create_user(create, Actor::Operator, &Origin::local()).unwrap();
    for password in ["", " ", "null", PASSWORD] {
        let reply = app.client().try_sign_in("op@example.com", password).await;
        reply.expect_error(401, "invalid_credentials");
    }
    for (email, password) in [("admin@example.com", "admin"), ("root@localhost.local", "123")] {
        app.client().try_sign_in(email, password).await.expect(401);
    }
}
