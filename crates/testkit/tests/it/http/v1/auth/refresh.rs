use portcullis_audit::Actor;
use portcullis_identity::Role;
use portcullis_kernel::Origin;
use portcullis_testkit::{
    app::{Reply, TestApp, all},
    on_every_storage,
};
use serde_json::json;
use time::Duration;

use crate::http::{jwt, routes::limit_headers};

const PATH: &str = "/v1/auth/refresh";

#[track_caller]
fn token(reply: &Reply) -> String {
    reply.string("/refresh_token")
}

on_every_storage!(r1_each_use_gives_new_tokens_and_kills_the_old_one, |app| {
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let reply = client.refresh(&jane.refresh).await.expect(200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let (next, access) = (token(&reply), reply.string("/access_token"));
    let documented = json!({ "access_token": access, "refresh_token": next, "expires_in": 900 });
    assert_eq!(reply.json(), documented);
    assert_ne!(next, jane.refresh);
    assert_eq!(jwt::claims(&access)["sub"], jane.id.as_str());
    assert_eq!(jwt::claims(&access)["sid"], jwt::claims(&jane.access)["sid"]);
    client.me(&access).await.expect(200);

    let used = client.refresh(&jane.refresh).await.expect_error(401, "invalid_token");
    assert_eq!(used.json()["error"]["details"], serde_json::Value::Null);

    let mut seen = vec![jane.refresh.clone(), next.clone()];
    let mut current = next;
    for _ in 0..6 {
        current = token(&client.refresh(&current).await.expect(200));
        assert!(!seen.contains(&current));
        seen.push(current.clone());
    }
});

on_every_storage!(r2_of_a_hundred_parallel_uses_one_succeeds_and_its_successor_works, |app| {
    let jane = app.client().register("jane@example.com").await;
    let body = json!({ "refresh_token": jane.refresh });
    let requests = (0..100).map(|_| app.client().post(PATH).json(&body).into_future()).collect();
    let replies = all(requests).await;
    let winners: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
    assert_eq!(winners.len(), 1);
    for loser in replies.iter().filter(|reply| reply.status != 200) {
        loser.clone().expect_error(401, "invalid_token");
    }
    let client = app.client();
    let next = token(winners[0]);
    client.me(&winners[0].string("/access_token")).await.expect(200);
    client.refresh(&next).await.expect(200);
});

on_every_storage!(r5_a_token_lives_thirty_days_unused_and_a_session_half_a_year, |app| {
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let day = Duration::days(30);
    app.clock().advance(day - Duration::SECOND);
    let mut current = token(&client.refresh(&jane.refresh).await.expect(200));
    app.clock().advance(day);
    client.refresh(&current).await.expect_error(401, "invalid_token");

    let john = app.client().register("john@example.com").await;
    current = john.refresh;
    for _ in 0..6 {
        app.clock().advance(Duration::days(29));
        current = token(&client.refresh(&current).await.expect(200));
    }
    // 174 days of 180: the last token ends with the session.
    app.clock().advance(Duration::days(6));
    client.refresh(&current).await.expect_error(401, "invalid_token");
});

on_every_storage!(r9_a_suspended_or_erased_account_refreshes_nothing, |app| {
    let (client, local) = (app.client(), Origin::local());
    let jane = app.client().register("jane@example.com").await;
    app.engine().suspend_user(jane.user_id(), Actor::Operator, &local).unwrap();
    client.refresh(&jane.refresh).await.expect_error(401, "invalid_token");
    client.me(&jane.access).await.expect_error(401, "unauthorized");
    app.engine().resume_user(jane.user_id(), Actor::Operator, &local).unwrap();
    client.refresh(&jane.refresh).await.expect_error(401, "invalid_token");

    let john = app.client().register("john@example.com").await;
    app.engine().delete_user(john.user_id(), Actor::Operator, &local).unwrap();
    client.refresh(&john.refresh).await.expect_error(401, "invalid_token");
    client.me(&john.access).await.expect_error(401, "unauthorized");
});

on_every_storage!(r12_a_new_role_shows_at_the_next_refresh_and_not_before, |app| {
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let role = |access: &str| jwt::claims(access)["role"].as_str().unwrap().to_owned();
    app.engine().set_role(jane.user_id(), Role::Host, Actor::Operator, &Origin::local()).unwrap();
    assert_eq!(role(&jane.access), "user");
    client.me(&jane.access).await.expect(200);
    let reply = client.refresh(&jane.refresh).await.expect(200);
    assert_eq!(role(&reply.string("/access_token")), "host");
});

on_every_storage!(r8_a_sign_out_beside_a_refresh_leaves_nothing_alive, |app| {
    let jane = app.client().register("jane@example.com").await;
    for _ in 0..10 {
        let now = app.client().sign_in(&jane.email).await;
        let body = json!({ "refresh_token": now.refresh });
        let refresh = app.client().post(PATH).json(&body);
        let sign_out = app.client().post("/v1/auth/logout").bearer(&now.access).json(&body);
        let replies = all(vec![refresh.into_future(), sign_out.into_future()]).await;
        replies[1].clone().expect(204);
        if replies[0].status == 200 {
            app.client().refresh(&token(&replies[0])).await.expect_error(401, "invalid_token");
            app.client().me(&replies[0].string("/access_token")).await.expect(401);
        } else {
            replies[0].clone().expect_error(401, "invalid_token");
        }
    }
});

on_every_storage!(r10_no_issued_secret_can_be_read_in_the_files_of_the_database, |app| {
    let jane = app.client().register("jane@example.com").await;
    let next = token(&app.client().refresh(&jane.refresh).await.expect(200));
    let Some(directory) = app.stored().directory() else { return };
    for file in std::fs::read_dir(directory).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for secret in [&jane.refresh[3..], &next[3..], "SecureP@ssw0rd!", &jane.access] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
        }
    }
});

#[actix_web::test]
async fn a_missing_empty_or_foreign_type_of_token_is_broken_input() {
    let app = TestApp::memory().await;
    for body in [
        json!({}),
        json!({ "refresh_token": null }),
        json!({ "refresh_token": "" }),
        json!({ "refresh_token": 5 }),
        json!({ "refresh_token": true }),
        json!({ "refresh_token": ["rt_01JN2X4K8M3F7QPZRVWT6YBHCE"] }),
        json!({ "refresh_token": {} }),
    ] {
        let reply = app.client().post(PATH).json(&body).await;
        let reply = reply.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), ["refresh_token"], "{body}");
    }
}

#[actix_web::test]
async fn any_other_text_is_an_unknown_token() {
    let app = TestApp::memory().await;
    let jane = app.client().register("jane@example.com").await;
    let long = format!("rt_{}", "0".repeat(60_000));
    let lower = jane.refresh.to_lowercase();
    let spaced = format!(" {}", jane.refresh);
    let ended = format!("{}\n", jane.refresh);
    for other in [
        "rt_01JN2X4K8M3F7QPZRVWT6YBHCE",
        "rt_",
        "x",
        " ",
        "rt_' OR '1'='1",
        "rt_\0",
        "rt_\u{202e}",
        "🦀",
        &long,
        &lower,
        &spaced,
        &ended,
        &jane.access,
        &jane.refresh[3..],
    ] {
        app.client().refresh(other).await.expect_error(401, "invalid_token");
    }
    app.client().refresh(&jane.refresh).await.expect(200);
}

#[actix_web::test]
async fn l11_thirty_refreshes_a_minute_from_one_address() {
    let app = TestApp::memory().await;
    let jane = app.client().register("jane@example.com").await;
    let client = app.client();
    for left in (0..30).rev() {
        let reply = client.refresh("rt_unknown").await.expect(401);
        let (limit, remaining, reset) = limit_headers(&reply);
        assert_eq!((limit, remaining), (30, left));
        let now = app.clock().advance(Duration::ZERO).unix_timestamp();
        assert!((now + 60..=now + 66).contains(&reset), "{reset}");
    }
    let over = client.refresh(&jane.refresh).await.expect_error(429, "rate_limited");
    assert!((1..=66).contains(&over.number("retry-after")));
    app.client().refresh(&jane.refresh).await.expect(200);
}

#[actix_web::test]
async fn r4_tokens_share_nothing_but_their_prefix() {
    let app = TestApp::memory().await;
    let jane = app.client().register("jane@example.com").await;
    let mut tokens = vec![jane.refresh];
    for _ in 0..4 {
        tokens.push(app.client().sign_in(&jane.email).await.refresh);
    }
    for (n, token) in tokens.iter().enumerate() {
        assert!(!token.contains(&jane.id));
        for other in &tokens[n + 1..] {
            let same = token[3..].bytes().zip(other[3..].bytes()).filter(|(a, b)| a == b).count();
            assert!(same < 10, "{token} {other}");
        }
    }
}
