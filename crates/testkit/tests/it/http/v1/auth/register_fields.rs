use portcullis_testkit::app::{PASSWORD, Reply, TestApp};
use serde_json::{Value, json};

const PATH: &str = "/v1/auth/register";

async fn register(app: &TestApp, body: &Value) -> Reply {
    app.client().post(PATH).json(body).await
}

async fn register_raw(app: &TestApp, body: impl Into<Vec<u8>>) -> Reply {
    app.client().post(PATH).body("application/json", body).await
}

#[track_caller]
fn assert_nobody(app: &TestApp) {
    let everybody = app.engine().list_users(&portcullis_identity::UserFilter::default(), &page());
    assert!(everybody.unwrap().items.is_empty(), "half written");
}

fn page() -> portcullis_kernel::PageRequest {
    portcullis_kernel::PageRequest { limit: 10, after: None }
}

/// The body of a good registration with one member replaced.
fn with(name: &str, value: Value) -> Value {
    let mut body =
        json!({ "email": "a@example.com", "password": PASSWORD, "display_name": "Jane" });
    body[name] = value;
    body
}

#[actix_web::test]
async fn i1_a_missing_or_null_field_is_named() {
    let app = TestApp::memory().await;
    for (body, fields) in [
        (json!({}), vec!["email", "password"]),
        (json!({ "email": "a@example.com" }), vec!["password"]),
        (json!({ "password": PASSWORD }), vec!["email"]),
        (with("email", Value::Null), vec!["email"]),
        (with("password", Value::Null), vec!["password"]),
        (json!({ "display_name": "Jane" }), vec!["email", "password"]),
    ] {
        let reply = register(&app, &body).await.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), fields, "{body}");
        assert_eq!(reply.string("/error/message"), "Request validation failed.");
    }
    assert_nobody(&app);
}

#[actix_web::test]
async fn i2_a_field_of_another_type_is_named() {
    let app = TestApp::memory().await;
    let others = [
        json!(["a@example.com", "eve@example.com"]),
        json!({ "$ne": "" }),
        json!(12_345_678),
        json!(1.5),
        json!(u64::MAX),
        json!(true),
        json!([]),
    ];
    for field in ["email", "password", "display_name"] {
        for value in &others {
            let reply = register(&app, &with(field, value.clone())).await;
            let reply = reply.expect_error(400, "validation_error");
            assert_eq!(reply.broken_fields(), [field], "{value}");
        }
    }
    assert_nobody(&app);
}

#[actix_web::test]
async fn an_address_that_is_none_is_named() {
    let app = TestApp::memory().await;
    let long = format!("{}@example.com", "a".repeat(64 * 1024 - 200));
    for email in [
        "",
        " ",
        "not-an-email",
        "a b@example.com",
        "@example.com",
        "a@",
        "a@example",
        "a@example.com,b@example.com",
        "\"a\"@example.com",
        "a@[127.0.0.1]",
        "a\0@example.com",
        "a@example.com\r\nBcc: eve@example.com",
        "\u{202e}a@example.com",
        "a\u{301}@example.com",
        "🦀@example.com",
        "ａ@example.com",
        "a@exam\u{202e}ple.com",
        "<a@example.com>",
        &long,
        "' OR 1=1--@example.com",
    ] {
        let reply = register(&app, &with("email", json!(email))).await;
        let reply = reply.expect_error(400, "validation_error");
        assert_eq!(
            reply.json()["error"]["details"],
            json!({ "email": "must be a valid email address" })
        );
    }
    assert_nobody(&app);
}

#[actix_web::test]
async fn p1_p3_p5_a_password_that_may_not_be_chosen_is_named() {
    let app = TestApp::memory().await;
    let long = "x".repeat(129);
    let huge = "x".repeat(60_000);
    for (password, why) in [
        ("", "must be at least 8 characters"),
        ("kX9!vQ2", "must be at least 8 characters"),
        ("🦀🦀🦀🦀🦀🦀🦀", "must be at least 8 characters"),
        (&long, "must be at most 128 characters"),
        (&huge, "must be at most 128 characters"),
        ("Password1", "is one of the most common passwords; choose another"),
        ("A@Example.com", "must not be your email address or name"),
    ] {
        let reply = register(&app, &with("password", json!(password))).await;
        let reply = reply.expect_error(400, "validation_error");
        assert_eq!(reply.json()["error"]["details"], json!({ "password": why }), "{password}");
    }
    let mut named = with("password", json!("jane smith the 3rd"));
    named["display_name"] = json!("Jane Smith the 3rd");
    assert_eq!(register(&app, &named).await.expect(400).broken_fields(), ["password"]);
    assert_nobody(&app);
}

#[actix_web::test]
async fn a_name_that_is_too_long_empty_or_steering_is_named() {
    let app = TestApp::memory().await;
    let long = "x".repeat(81);
    for name in ["", "  ", &long, "a\0b", "a\nb", "a\u{1b}[31mb", "a\u{202e}b", "a\u{2066}b"] {
        let reply = register(&app, &with("display_name", json!(name))).await;
        let reply = reply.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), ["display_name"], "{name:?}");
    }
    assert_nobody(&app);
}

#[actix_web::test]
async fn every_broken_field_is_named_at_once() {
    let app = TestApp::memory().await;
    let all = ["display_name", "email", "password"];
    for body in [
        json!({ "email": "nobody", "password": "short", "display_name": "x".repeat(81) }),
        json!({ "email": [], "password": {}, "display_name": 7 }),
        json!({ "display_name": "" }),
    ] {
        let reply = register(&app, &body).await.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), all, "{body}");
    }
    let documented = json!({ "email": "nobody", "password": "short" });
    assert_eq!(
        register(&app, &documented).await.json(),
        json!({ "error": {
            "code": "validation_error",
            "message": "Request validation failed.",
            "details": {
                "email": "must be a valid email address",
                "password": "must be at least 8 characters",
            },
        } })
    );
    assert_nobody(&app);
}

#[actix_web::test]
async fn i5_a_member_that_stands_twice_is_named_with_all_that_is_broken() {
    let app = TestApp::memory().await;
    for (body, fields) in [
        (
            r#"{"email":"a@example.com","email":"eve@example.com","password":"SecureP@ssw0rd!"}"#,
            vec!["email"],
        ),
        (
            r#"{"email":"a@example.com","password":"x","password":"SecureP@ssw0rd!"}"#,
            vec!["password"],
        ),
        (
            r#"{"email":"a@example.com","p\u0061ssword":"x","password":"SecureP@ssw0rd!"}"#,
            vec!["password"],
        ),
        (
            r#"{"email":"a@example.com","password":"SecureP@ssw0rd!","role":"a","role":"b"}"#,
            vec!["role"],
        ),
        (
            r#"{"email":"a","email":"b","password":"\ud800","role":1,"role":2}"#,
            vec!["email", "password", "role"],
        ),
        (r#"{"email":{"a":1,"a":2},"password":"SecureP@ssw0rd!"}"#, vec!["email"]),
    ] {
        let reply = register_raw(&app, body).await.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), fields, "{body}");
    }
    assert_nobody(&app);
}

#[actix_web::test]
async fn i3_what_no_value_can_hold_is_named_as_its_field() {
    let app = TestApp::memory().await;
    let deep = format!("{}1{}", r#"{"a":"#.repeat(5_000), "}".repeat(5_000));
    for (body, fields) in [
        (r#"{"email":"\ud800@example.com","password":"SecureP@ssw0rd!"}"#, vec!["email"]),
        (r#"{"email":"a@example.com","password":"Secure\udc00P@ssw0rd!"}"#, vec!["password"]),
        (
            r#"{"email":"nobody","password":"SecureP@ssw0rd!","display_name":"\ud83e"}"#,
            vec!["display_name", "email"],
        ),
        (r#"{"email":"a@example.com","password":1e999}"#, vec!["password"]),
        (deep.as_str(), vec!["a"]),
    ] {
        let reply = register_raw(&app, body).await.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), fields, "{body}");
    }
    assert_nobody(&app);
}

#[actix_web::test]
async fn i1_what_is_not_one_json_object_is_malformed() {
    let app = TestApp::memory().await;
    let deep = format!(r#"{{"email":{}"#, "[".repeat(60_000));
    let bodies: [&[u8]; 14] = [
        b"",
        b" ",
        b"{",
        b"[]",
        b"\"x\"",
        b"null",
        b"1",
        b"true",
        b"{}{}",
        b"{} x",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b"{'email':'a@example.com'}",
        deep.as_bytes(),
    ];
    for body in bodies {
        let reply = register_raw(&app, body).await.expect_error(400, "validation_error");
        assert_eq!(reply.json()["error"]["details"], Value::Null);
    }
    assert_nobody(&app);
}

#[actix_web::test]
async fn what_lies_just_within_the_rules_is_accepted() {
    let app = TestApp::memory().await;
    let mut n = 0;
    for (field, value) in [
        ("password", "kX9!vQ2z".to_owned()),
        ("password", "x🦀".repeat(64)),
        ("password", " space at both ends ".to_owned()),
        ("password", "nul \0 and \u{202e} and e\u{301}".to_owned()),
        ("display_name", "x".repeat(80)),
        ("display_name", "é".repeat(80)),
        ("display_name", "🦀".repeat(80)),
        ("display_name", "e\u{301} and \u{200d}".to_owned()),
        ("display_name", "<script>alert(1)</script>'; DROP TABLE users;--".to_owned()),
    ] {
        n += 1;
        let mut body = with(field, json!(value));
        body["email"] = json!(format!("a{n}@example.com"));
        let reply = register(&app, &body).await.expect(201);
        if field == "display_name" {
            assert_eq!(reply.string("/user/display_name"), value, "I8");
        }
    }
    let no_name = register(&app, &with("display_name", Value::Null)).await.expect(201);
    assert_eq!(no_name.json()["user"]["display_name"], Value::Null);
}
