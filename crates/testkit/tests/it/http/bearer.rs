//! Which access tokens are accepted.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_testkit::{
    app::{Person, TestApp},
    on_every_storage,
};
use serde_json::{Value, json};
use time::Duration;

use super::{jwt, routes::with_bearer};

async fn one(app: &TestApp) -> Person {
    app.client().register("jane@example.com").await
}

async fn assert_refused(app: &TestApp, token: &str) {
    app.client().me(token).await.expect_error(401, "unauthorized");
}

/// Claims with one of them replaced; `null` takes it away.
fn with(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    match value {
        Value::Null => {
            claims.as_object_mut().unwrap().remove(name);
        }
        value => claims[name] = value,
    }
    claims
}

#[actix_web::test]
async fn every_route_with_a_token_wants_a_good_one() {
    let app = TestApp::memory().await;
    let jane = one(&app).await;
    let (signed, signature) = jane.access.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    let tampered = format!("{signed}.{other}{}", &signature[1..]);
    for route in with_bearer() {
        for header in [
            "",
            "Bearer",
            "bearer ",
            "Bearer x",
            "Bearer a.b.c",
            "Bearer ..",
            "Basic YTpi",
            "Token x",
            "Bearer null",
            "Bearer undefined",
            "Bearer \u{e9}",
            &jane.access,
            &format!("Bearer {tampered}"),
            &format!("Bearer {}", jane.refresh),
            &format!("Bearer {} x", jane.access),
            &format!("Bearer {},x", jane.access),
            &format!("Bearer \"{}\"", jane.access),
        ] {
            let request = route.ask_well(&app.client()).header("authorization", header);
            request.await.expect_error(401, "unauthorized");
        }
        // Twice is once too often, even when both are good.
        let request = route.ask_well(&app.client()).bearer(&jane.access).bearer(&jane.access);
        request.await.expect_error(401, "unauthorized");
    }
    app.client().me(&jane.access).await.expect(200);
    let request = app.client().get("/v1/users/me");
    request.header("authorization", format!("bEARER   {} ", jane.access)).await.expect(200);
}

#[actix_web::test]
async fn i16_a_token_anywhere_but_in_its_header_is_ignored() {
    let app = TestApp::memory().await;
    let jane = one(&app).await;
    for route in with_bearer() {
        for name in ["access_token", "token", "bearer", "Authorization"] {
            let path = format!("{}?{name}={}", route.path, jane.access);
            let request = app.client().request(route.method, &path);
            request.await.expect_error(401, "unauthorized");
        }
        let cookie = format!("access_token={0}; __Host-portcullis={0}", jane.access);
        let request = route.ask_well(&app.client()).header("cookie", cookie);
        request.await.expect_error(401, "unauthorized");
        for name in
            ["x-access-token", "x-authorization", "proxy-authorization", "x-original-authorization"]
        {
            let value = format!("Bearer {}", jane.access);
            let request = route.ask_well(&app.client()).header(name, value);
            request.await.expect_error(401, "unauthorized");
        }
    }
    let body = json!({ "access_token": jane.access, "refresh_token": jane.refresh });
    app.client().post("/v1/auth/logout").json(&body).await.expect(401);
    let query = format!("/v1/auth/refresh?refresh_token={}", jane.refresh);
    app.client().post(&query).json(&json!({})).await.expect_error(400, "validation_error");
    app.client().refresh(&jane.refresh).await.expect(200);
}

#[actix_web::test]
async fn j2_only_the_algorithm_of_the_key_is_accepted() {
    let app = TestApp::memory().await;
    let jane = one(&app).await;
    let (header, claims) = (jwt::header(&jane.access), jwt::claims(&jane.access));
    let signature = URL_SAFE_NO_PAD.decode(jane.access.rsplit('.').next().unwrap()).unwrap();
    for alg in [
        json!("none"),
        json!("None"),
        json!("NONE"),
        json!("nOnE"),
        json!(""),
        json!("HS256"),
        json!("PS256"),
        json!("RS384"),
        json!("ES256"),
        json!("EdDSA"),
        json!("rs256"),
        json!(null),
        json!(["RS256"]),
        json!(256),
        json!("RS256\u{0}"),
        json!("RS256 "),
    ] {
        let header = with(&header, "alg", alg);
        assert_refused(&app, &jwt::forge(&header, &claims, b"")).await;
        assert_refused(&app, &jwt::forge(&header, &claims, &signature)).await;
        // Even with a good signature of our own key.
        assert_refused(&app, &app.engine().sign_jwt(&header, &claims)).await;
    }
    app.client().me(&jane.access).await.expect(200);
    app.client().me(&app.engine().sign_jwt(&header, &claims)).await.expect(200);
}

#[actix_web::test]
async fn j2_the_public_key_is_no_shared_secret() {
    let app = TestApp::memory().await;
    let jane = one(&app).await;
    let claims = with(&jwt::claims(&jane.access), "role", json!("admin"));
    let header = with(&jwt::header(&jane.access), "alg", json!("HS256"));
    let set = app.client().get("/.well-known/jwks.json").await.json();
    let mut keys = set["keys"].as_array().unwrap().iter();
    let key = keys.find(|key| key["kid"] == header["kid"]).expect("the key that signed").clone();
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    let modulus = URL_SAFE_NO_PAD.decode(text("n")).unwrap();
    let mut minimal = key.clone();
    minimal.as_object_mut().unwrap().retain(|name, _| ["e", "kty", "n"].contains(&name.as_str()));
    let secrets: [Vec<u8>; 7] = [
        modulus.clone(),
        text("n").into(),
        key.to_string().into(),
        minimal.to_string().into(),
        text("kid").into(),
        [&modulus[..], &[1, 0, 1]].concat(),
        Vec::new(),
    ];
    for secret in secrets {
        let hmac = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret);
        let tag = ring::hmac::sign(&hmac, jwt::signing_input(&header, &claims).as_bytes());
        assert_refused(&app, &jwt::forge(&header, &claims, tag.as_ref())).await;
    }
    app.client().me(&jane.access).await.expect(200);
}

#[actix_web::test]
async fn j3_nothing_in_a_token_chooses_or_fetches_its_key() {
    let app = TestApp::memory().await;
    let jane = one(&app).await;
    let (header, claims) = (jwt::header(&jane.access), jwt::claims(&jane.access));
    let evil = TestApp::memory().await;
    evil.engine().rotate_key(portcullis_tokens::KeyPurpose::People, true).unwrap();
    evil.engine().reload_keys().unwrap();
    let other = evil.engine().jwt_header()["kid"].clone();
    assert_ne!(other, header["kid"]);
    let set: Value = serde_json::from_str(&evil.engine().jwks().unwrap()).unwrap();
    let jwk =
        set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == other).unwrap().clone();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("x5c", json!(["MIIB"])),
        ("kid", json!("../../../../dev/null")),
        ("kid", json!("' OR 1=1--")),
        ("kid", json!(url)),
    ] {
        let header = with(&header, name, value);
        let input = jwt::signing_input(&header, &claims);
        let signature = evil.engine().jose.sign(other.as_str().unwrap(), input.as_bytes()).unwrap();
        assert_refused(&app, &jwt::forge(&header, &claims, &signature)).await;
        let named = with(&header, "kid", other.clone());
        assert_refused(&app, &evil.engine().sign_jwt(&named, &claims)).await;
    }
    for kid in [json!(null), json!(1), json!([header["kid"]]), json!(""), other.clone()] {
        assert_refused(&app, &app.engine().sign_jwt(&with(&header, "kid", kid), &claims)).await;
    }
    let asked = listener.accept().map(|_| ()).unwrap_err();
    assert_eq!(asked.kind(), std::io::ErrorKind::WouldBlock, "nobody was asked for a key");
}

#[actix_web::test]
async fn j4_a_token_of_another_type_is_none_of_ours() {
    let app = TestApp::memory().await;
    let jane = one(&app).await;
    let (header, claims) = (jwt::header(&jane.access), jwt::claims(&jane.access));
    for typ in [
        json!("at+jwt"),
        json!("agent-identity+jwt"),
        json!("jwt"),
        json!("JOSE"),
        json!(null),
        json!(["JWT"]),
    ] {
        assert_refused(&app, &app.engine().sign_jwt(&with(&header, "typ", typ), &claims)).await;
    }
    for iss in [
        json!("https://evil.example"),
        json!("API.vidivo.app"),
        json!(""),
        json!(null),
        json!(["api.vidivo.app"]),
    ] {
        assert_refused(&app, &app.engine().sign_jwt(&header, &with(&claims, "iss", iss))).await;
    }
    for aud in [json!("https://rs.example"), json!(["api.vidivo.app"]), json!("")] {
        assert_refused(&app, &app.engine().sign_jwt(&header, &with(&claims, "aud", aud))).await;
    }
    let mailed = app.mailed("verify_email");
    for secret in [&jane.refresh, &jane.id, "rt_01JN2X4K8M3F7QPZRVWT6YBHCE", &mailed] {
        assert_refused(&app, secret).await;
    }
}

#[actix_web::test]
async fn j5_a_claim_of_another_type_or_missing_refuses_and_is_never_skipped() {
    let app = TestApp::memory().await;
    let jane = one(&app).await;
    let (header, claims) = (jwt::header(&jane.access), jwt::claims(&jane.access));
    let exp = claims["exp"].as_i64().unwrap();
    for name in ["exp", "iat"] {
        for value in [
            json!(null),
            json!(exp.to_string()),
            json!("never"),
            json!([exp]),
            json!({}),
            json!(true),
            json!(f64::MAX),
        ] {
            let claims = with(&claims, name, value);
            assert_refused(&app, &app.engine().sign_jwt(&header, &claims)).await;
        }
    }
    for name in ["sub", "sid", "jti", "email", "role"] {
        for value in [json!(null), json!(5), json!([claims[name]])] {
            let claims = with(&claims, name, value);
            assert_refused(&app, &app.engine().sign_jwt(&header, &claims)).await;
        }
    }
    for (name, value) in
        [("sub", json!("01JN2X4K8M3F7QPZRVWT6YBHCE")), ("sid", json!("ses_x")), ("sub", json!(""))]
    {
        let claims = with(&claims, name, value);
        assert_refused(&app, &app.engine().sign_jwt(&header, &claims)).await;
    }
    for text in ["", "null", "[]", "5", "{}", "{", "\"x\""] {
        assert_refused(&app, &app.engine().sign_parts(&header.to_string(), text)).await;
        assert_refused(&app, &app.engine().sign_parts(text, &claims.to_string())).await;
    }
    // The session of one and the account of another do not add up.
    let eve = app.client().register("eve@example.com").await;
    let mixed = with(&claims, "sub", json!(eve.id));
    assert_refused(&app, &app.engine().sign_jwt(&header, &mixed)).await;
}

on_every_storage!(j6_a_token_dies_within_five_seconds_of_its_end, |app| {
    let jane = one(&app).await;
    app.clock().advance(Duration::seconds(899));
    app.client().me(&jane.access).await.expect(200);
    app.clock().advance(Duration::seconds(7));
    assert_refused(&app, &jane.access).await;
});

on_every_storage!(j8_two_tokens_of_one_second_differ_and_one_sign_out_ends_one, |app| {
    let jane = one(&app).await;
    let again = app.client().sign_in(&jane.email).await;
    let id = |person: &Person| jwt::claims(&person.access)["jti"].clone();
    assert_ne!(id(&jane), id(&again));
    assert_ne!(jane.access, again.access);
    app.client().sign_out(&jane.access, &jane.refresh).await.expect(204);
    assert_refused(&app, &jane.access).await;
    app.client().me(&again.access).await.expect(200);
});

#[actix_web::test]
async fn j11_a_monstrous_token_is_refused() {
    let app = TestApp::memory().await;
    let jane = one(&app).await;
    let (header, claims) = (jwt::header(&jane.access), jwt::claims(&jane.access));
    let long = format!("{}{}", jane.access, "A".repeat(60_000));
    let padded = app.engine().sign_jwt(&header, &with(&claims, "pad", json!("x".repeat(45_000))));
    let deep = app.engine().sign_parts(&header.to_string(), &"[".repeat(6_000));
    let crit = app.engine().sign_jwt(&with(&header, "crit", json!(["exp"])), &claims);
    let unknown_crit = app.engine().sign_jwt(&with(&header, "crit", json!(["x"])), &claims);
    let dots = ".".repeat(20_000);
    let four = format!("{}.x", jane.access);
    for token in [&long, &padded, &deep, &crit, &unknown_crit, &dots, &four, "..", ".", "a.b"] {
        assert_refused(&app, token).await;
    }
    app.client().me(&jane.access).await.expect(200);
}
