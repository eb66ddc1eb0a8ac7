//! Whom a request is counted for.

use std::net::{IpAddr, Ipv6Addr};

use diesel::{Connection as _, RunQueryDsl as _, SqliteConnection, dsl::sql, sql_types::BigInt};
use portcullis_testkit::{
    app::{AppOptions, Client, PASSWORD, Request, Stored, TestApp, all},
    on_every_storage,
};
use serde_json::json;

use super::routes::{limit_headers, with_bearer};

const LOGIN: &str = "/v1/auth/login";
const PROXY: [u8; 4] = [172, 16, 0, 1];

/// A sign-in that counts and lets nobody in.
fn try_once<'a>(client: &Client<'a>) -> Request<'a> {
    client.post(LOGIN).json(&json!({}))
}

fn forwarded<'a>(app: &'a TestApp, hops: &str) -> Request<'a> {
    try_once(&app.client_at(PROXY)).header("x-forwarded-for", hops)
}

async fn behind_a_proxy() -> TestApp {
    let options = AppOptions { trusted_proxies: &["172.16.0.0/24"], ..AppOptions::default() };
    TestApp::memory_with(options).await
}

#[actix_web::test]
async fn l3_forwarding_headers_of_untrusted_peers_move_nothing() {
    let app = TestApp::memory().await;
    let victim = IpAddr::from([203, 0, 113, 7]);
    let client = app.client();
    for left in (0..5).rev() {
        assert_eq!(try_once(&client).await.expect(400).remaining(), left);
    }
    for (name, value) in [
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-for", "a"),
        ("x-forwarded-for", "203.0.113.7, 10.0.0.1"),
        ("x-real-ip", "203.0.113.7"),
        ("forwarded", "for=203.0.113.7"),
        ("cf-connecting-ip", "203.0.113.7"),
        ("true-client-ip", "203.0.113.7"),
        ("x-client-ip", "203.0.113.7"),
        ("fastly-client-ip", "203.0.113.7"),
    ] {
        try_once(&client).header(name, value).await.expect_error(429, "rate_limited");
    }
    assert_eq!(try_once(&app.client_at(victim)).await.remaining(), 4, "nobody else is charged");
}

#[actix_web::test]
async fn l4_behind_a_trusted_proxy_the_right_most_untrusted_hop_counts() {
    let app = behind_a_proxy().await;
    let hop = |n: u8| format!("203.0.113.{n}");
    for (n, hops) in [
        (1, hop(1)),
        (1, format!("198.51.100.9, {}", hop(1))),
        (1, format!("{}, 172.16.0.9", hop(1))),
        (1, format!("{}:4711", hop(1))),
        (1, format!("  {}  ,172.16.0.2 , 172.16.0.3", hop(1))),
        (2, hop(2)),
    ] {
        let remaining = forwarded(&app, &hops).await.remaining();
        assert_eq!(remaining, if n == 2 { 4 } else { remaining }, "{hops}");
    }
    forwarded(&app, &hop(1)).await.expect_error(429, "rate_limited");
    // Of several lines the last is the nearest.
    let lines = try_once(&app.client_at(PROXY)).header("x-forwarded-for", hop(9));
    lines.header("x-forwarded-for", hop(1)).await.expect(429);
    // What comes straight from the client is the client's.
    try_once(&app.client_at([203, 0, 113, 1])).await.expect(429);
}

#[actix_web::test]
async fn l4_an_unbelievable_header_leaves_the_proxys_own_bucket() {
    let app = behind_a_proxy().await;
    let unbelievable = ["a", "", "203.0.113.1, a", "unknown", "203.0.113.999"];
    for (left, hops) in (0..5).rev().zip(unbelievable) {
        assert_eq!(forwarded(&app, hops).await.expect(400).remaining(), left, "{hops}");
    }
    for hops in ["203.0.113.1,,", "_hidden", "172.16.0.7", "203.0.113.1;x", "\u{e9}"] {
        forwarded(&app, hops).await.expect_error(429, "rate_limited");
    }
    try_once(&app.client_at(PROXY)).await.expect(429);
    assert_eq!(forwarded(&app, "203.0.113.1").await.expect(400).remaining(), 4);
}

#[actix_web::test]
async fn l5_ipv6_is_counted_by_its_64_and_in_one_spelling() {
    let app = behind_a_proxy().await;
    let in_one = [
        "2001:db8:1:2::1",
        "2001:0DB8:0001:0002:0000:0000:0000:0001",
        "2001:db8:1:2:ffff::",
        "[2001:db8:1:2::3]",
        "[2001:db8:1:2::4]:443",
    ];
    for (left, hop) in (0..5).rev().zip(in_one) {
        assert_eq!(forwarded(&app, hop).await.expect(400).remaining(), left, "{hop}");
    }
    for n in 0..20 {
        forwarded(&app, &format!("2001:db8:1:2:{n:x}::{n:x}")).await.expect(429);
    }
    let peer: Ipv6Addr = "2001:db8:1:2::99".parse().unwrap();
    try_once(&app.client_at(peer)).await.expect(429);
    assert_eq!(forwarded(&app, "2001:db8:1:3::1").await.expect(400).remaining(), 4);
}

#[actix_web::test]
async fn l5_a_mapped_ipv4_address_is_the_ipv4_address() {
    let app = behind_a_proxy().await;
    let spellings = [
        "203.0.113.5",
        "::ffff:203.0.113.5",
        "[::ffff:cb00:7105]:1",
        "::FFFF:203.0.113.5",
        "203.0.113.5:1",
    ];
    for (left, hop) in (0..5).rev().zip(spellings) {
        assert_eq!(forwarded(&app, hop).await.expect(400).remaining(), left, "{hop}");
    }
    let mapped: Ipv6Addr = "::ffff:203.0.113.5".parse().unwrap();
    try_once(&app.client_at(mapped)).await.expect(429);
    // A trusted proxy is trusted in either spelling, too.
    let proxy: Ipv6Addr = "::ffff:172.16.0.1".parse().unwrap();
    let request = try_once(&app.client_at(proxy)).header("x-forwarded-for", "203.0.113.5");
    request.await.expect(429);
}

#[actix_web::test]
async fn l7_no_spelling_of_a_request_moves_the_bucket() {
    let app = TestApp::memory().await;
    let client = app.client();
    for _ in 0..5 {
        try_once(&client).await.expect(400);
    }
    for (n, path) in [
        "/v1/auth/login",
        "/v1/auth/login/",
        "/v1/auth//login",
        "//v1/auth/login",
        "/V1/auth/login",
        "/v1/auth/LOGIN",
        "/v1/auth/login?x=1",
        "/v1/auth/login?",
        "/v1/auth/%6cogin",
        "/v1/%61uth/login",
        "/v1/auth/login;x",
        "/v1/auth/./login",
        "/v1/auth/x/../login",
        "/v1/auth/%2e/login",
        "/v1/auth/login%00",
        "/v1/auth/login%20",
        "/v1/auth/login%2f",
        "/v1%2fauth/login",
        "/v1/auth/login%3f",
    ]
    .into_iter()
    .enumerate()
    {
        let request = client.post(path).json(&json!({})).header("user-agent", format!("agent/{n}"));
        let reply = request.header("authorization", format!("Bearer random-{n}")).await;
        assert!(matches!(reply.status, 404 | 429), "{path}: {}", reply.status);
    }
    try_once(&client).await.expect(429);
}

#[actix_web::test]
async fn l11_refused_tokens_are_counted_for_the_address_over_all_routes() {
    let app = TestApp::memory().await;
    let jane = app.client().register("jane@example.com").await;
    let client = app.client();
    for n in 0..30 {
        let path = ["/v1/users/me", "/v1/auth/sessions"][n % 2];
        let request = client.get(path).header("authorization", format!("Bearer wrong-{n}"));
        request.await.expect_error(401, "unauthorized");
    }
    client.get("/v1/users/me").await.expect_error(429, "rate_limited");
    // The address is looked at first, before whatever token.
    client.me(&jane.access).await.expect_error(429, "rate_limited");
    client.refresh(&jane.refresh).await.expect_error(429, "rate_limited");
    assert_eq!(app.client().me(&jane.access).await.expect(200).remaining(), 99);
}

on_every_storage!(l11_a_user_has_a_hundred_requests_a_minute_wherever_they_are, |app| {
    let jane = app.client().register("jane@example.com").await;
    let john = app.client().register("john@example.com").await;
    for left in (0..100).rev() {
        let reply = app.client().me(&jane.access).await.expect(200);
        assert_eq!((reply.number("x-ratelimit-limit"), reply.remaining()), (100, left));
    }
    let over = app.client().me(&jane.access).await.expect_error(429, "rate_limited");
    assert!((1..=66).contains(&over.number("retry-after")));
    assert_eq!(over.number("x-ratelimit-limit"), 100);
    app.client().delete("/v1/auth/sessions").bearer(&jane.access).await.expect(429);
    app.client().me(&john.access).await.expect(200);
    app.clock().advance(time::Duration::seconds(66));
    app.client().me(&jane.access).await.expect(200);
});

on_every_storage!(l6_two_instances_have_one_limit, |app| {
    let jane = app.client().register("jane@example.com").await;
    let peer = app.peer().await;
    let address = app.client().address();
    let mut judged = 0;
    for n in 0..12 {
        let instance = if n % 2 == 0 { &app } else { &peer };
        let reply = instance.client_at(address).try_sign_in(&jane.email, "wrong-Passw0rd").await;
        judged += usize::from(reply.status == 401);
    }
    assert_eq!(judged, 5);
});

on_every_storage!(r2_of_parallel_refreshes_over_two_instances_one_succeeds, |app| {
    let jane = app.client().register("jane@example.com").await;
    let peer = app.peer().await;
    let body = json!({ "refresh_token": jane.refresh });
    let requests = (0..100).map(|n| {
        let instance = if n % 2 == 0 { &app } else { &peer };
        let client = instance.client_at([10, 9, 0, n]);
        client.post("/v1/auth/refresh").json(&body).into_future()
    });
    let replies = all(requests.collect()).await;
    let winners: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
    assert_eq!(winners.len(), 1);
    let next = winners[0].string("/refresh_token");
    peer.client().refresh(&next).await.expect(200);
});

on_every_storage!(limits_outlive_the_process, |app| {
    let client = app.client();
    for _ in 0..5 {
        try_once(&client).await.expect(400);
    }
    let restarted = app.peer().await;
    let reply = try_once(&restarted.client_at(client.address())).await;
    reply.expect_error(429, "rate_limited");
});

#[actix_web::test]
async fn without_limits_nothing_is_counted_or_shown() {
    let mut options = AppOptions::default();
    options.engine.limits.enabled = false;
    let app = TestApp::memory_with(options).await;
    let client = app.client();
    let jane = client.register("jane@example.com").await;
    for _ in 0..40 {
        for reply in [try_once(&client).await, client.refresh("x").await, client.me("x").await] {
            assert!(matches!(reply.status, 400 | 401));
            assert_eq!(reply.header("x-ratelimit-limit"), None);
        }
    }
    client.me(&jane.access).await.expect(200);
}

#[actix_web::test]
async fn g3_a_limit_that_is_reached_is_noted_once() {
    let app = TestApp::over(Stored::sqlite()).await;
    let client = app.client();
    for _ in 0..10 {
        try_once(&client).await;
    }
    let file = app.stored().directory().unwrap().join("test.db");
    let mut database = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    let noted = "SELECT count(*) FROM audit_events \
        WHERE action = 'limit.reached' AND detail = 'people.sign_in' AND client = '10.0.0.1'";
    let noted: i64 =
        diesel::select(sql::<BigInt>(&format!("({noted})"))).first(&mut database).unwrap();
    assert_eq!(noted, 1);
}

on_every_storage!(l8_parallel_guesses_at_one_account_do_not_outrun_the_count, |app| {
    let jane = app.client().register("jane@example.com").await;
    let body = json!({ "email": jane.email, "password": "wrong-Passw0rd" });
    let requests = (0..36).map(|_| app.client().post(LOGIN).json(&body).into_future()).collect();
    let statuses: Vec<u16> = all(requests).await.iter().map(|reply| reply.status).collect();
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(401), count(429)), (30, 6), "{statuses:?}");
});

on_every_storage!(l8_every_route_that_checks_a_password_charges_the_account, |app| {
    let home = app.client();
    let jane = home.register("jane@example.com").await;
    let guarded: Vec<_> = with_bearer().filter(|route| route.limit == Some(5)).collect();
    assert_eq!(guarded.len(), 3);
    for n in 0..30 {
        let reply = guarded[n % 3].ask_as(&app.client(), &jane).await;
        reply.expect_error(401, "invalid_credentials");
    }
    let sign_in = app.client().try_sign_in(&jane.email, PASSWORD).await;
    assert_eq!(limit_headers(&sign_in.expect_error(429, "rate_limited")).0, 30);
    for route in guarded {
        let over = route.ask_as(&app.client(), &jane).await.expect_error(429, "rate_limited");
        assert_eq!(limit_headers(&over).0, 30, "{route:?}");
        // Where the owner is at home they are only told that it is wrong.
        route.ask_as(&home, &jane).await.expect_error(401, "invalid_credentials");
    }
    app.client().me(&jane.access).await.expect(200);
});

on_every_storage!(l1_every_route_that_checks_a_password_charges_the_client_address, |app| {
    let jane = app.client().register("jane@example.com").await;
    let guarded: Vec<_> = with_bearer().filter(|route| route.limit == Some(5)).collect();
    let client = app.client();
    for (n, left) in (0..5).rev().enumerate() {
        let reply = guarded[n % 3].ask_as(&client, &jane).await;
        assert_eq!((limit_headers(&reply).0, reply.remaining()), (5, left));
    }
    for route in guarded {
        let over = route.ask_as(&client, &jane).await.expect_error(429, "rate_limited");
        assert_eq!(limit_headers(&over).0, 5, "{route:?}");
    }
    client.try_sign_in(&jane.email, PASSWORD).await.expect_error(429, "rate_limited");
    client.me(&jane.access).await.expect(200);
});

#[actix_web::test]
async fn l10_of_several_buckets_the_one_nearest_to_empty_is_shown() {
    let app = TestApp::memory().await;
    let jane = app.client().register("jane@example.com").await;
    let route = with_bearer().find(|route| route.limit == Some(5)).unwrap();
    let shown = async || {
        let reply = route.ask_as(&app.client(), &jane).await;
        (limit_headers(&reply).0, reply.remaining())
    };
    assert_eq!(shown().await, (5, 4));
    for _ in 0..96 {
        app.client().me(&jane.access).await.expect(200);
    }
    assert_eq!(shown().await, (100, 2));
    assert_eq!(shown().await, (100, 1));
}

on_every_storage!(l11_leases_of_two_instances_never_exceed_the_limit_together, |app| {
    let jane = app.client().register("jane@example.com").await;
    let peer = app.peer().await;
    let requests = (0..150).map(|n| {
        let instance = if n % 3 == 0 { &peer } else { &app };
        instance.client().get("/v1/users/me").bearer(&jane.access).into_future()
    });
    let statuses: Vec<u16> =
        all(requests.collect()).await.iter().map(|reply| reply.status).collect();
    let through = statuses.iter().filter(|status| **status == 200).count();
    assert!((50..=100).contains(&through), "{through}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 429)));
});
