use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_testkit::{app::TestApp, on_every_storage};
use portcullis_tokens::{Algorithm, KeyPurpose, PublicJwk, ports::Jose as _};
use serde_json::Value;
use time::Duration;

use crate::http::jwt;

const PATH: &str = "/.well-known/jwks.json";

async fn keys(app: &TestApp) -> Vec<Value> {
    let reply = app.client().get(PATH).await.expect(200);
    reply.json()["keys"].as_array().unwrap().clone()
}

on_every_storage!(j9_the_set_holds_public_halves_that_verify_what_is_issued, |app| {
    let reply = app.client().get(PATH).await.expect(200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(reply.header("x-ratelimit-limit"), None, "exempt");
    let keys = keys(&app).await;
    let mut kinds = Vec::new();
    for key in &keys {
        let key = key.as_object().unwrap();
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        let mut names: Vec<_> = key.keys().map(String::as_str).collect();
        names.sort_unstable();
        let (wanted, public): (&[&str], _) = match text("kty").as_str() {
            "RSA" => {
                assert!(URL_SAFE_NO_PAD.decode(text("n")).unwrap().len() * 8 >= 2048);
                let public = PublicJwk::Rsa { n: text("n"), e: text("e") };
                (&["alg", "e", "kid", "kty", "n", "use"], public)
            }
            "EC" => {
                let public = PublicJwk::Ec { crv: text("crv"), x: text("x"), y: text("y") };
                (&["alg", "crv", "kid", "kty", "use", "x", "y"], public)
            }
            _ => {
                let public = PublicJwk::Okp { crv: text("crv"), x: text("x") };
                (&["alg", "crv", "kid", "kty", "use", "x"], public)
            }
        };
        assert_eq!(names, wanted, "no private member");
        assert_eq!((public.thumbprint(), text("use")), (text("kid"), "sig".to_owned()));
        kinds.push(text("alg"));
    }
    kinds.sort_unstable();
    assert_eq!(kinds, ["ES256", "EdDSA", "RS256", "RS256"], "people's, and each of agents");

    let jane = app.client().register("jane@example.com").await;
    let kid = &jwt::header(&jane.access)["kid"];
    let key = keys.iter().find(|key| key["kid"] == *kid).unwrap();
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    let public = PublicJwk::Rsa { n: text("n"), e: text("e") };
    let verifier = portcullis_jose::Josekit.verifier(Algorithm::Rs256, &public).unwrap();
    let (input, signature) = jane.access.rsplit_once('.').unwrap();
    assert!(verifier.verify(input.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()));
});

on_every_storage!(j10_a_rotated_key_stays_published_until_its_last_token_died, |app| {
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let old = jwt::header(&jane.access)["kid"].clone();
    let new = app.engine().rotate_key(KeyPurpose::People, false).unwrap().kid;
    app.engine().reload_keys().unwrap();
    assert_eq!(keys(&app).await.len(), 5, "published before it signs");
    app.clock().advance(Duration::minutes(6) - Duration::SECOND);
    let before = app.client().sign_in(&jane.email).await;
    assert_eq!(jwt::header(&before.access)["kid"], old);
    app.clock().advance(Duration::SECOND);
    let after = app.client().sign_in(&jane.email).await;
    assert_eq!(jwt::header(&after.access)["kid"], new.as_str());
    app.clock().advance(Duration::seconds(890));
    for person in [&before, &after] {
        client.me(&person.access).await.expect(200);
    }
    // Kept as long as any token of whatever purpose could live.
    app.clock().advance(Duration::minutes(61));
    app.engine().reload_keys().unwrap();
    let left = keys(&app).await;
    assert_eq!(left.len(), 4);
    assert!(left.iter().any(|key| key["kid"] == new) && !left.iter().any(|key| key["kid"] == old));
});

#[actix_web::test]
async fn before_the_first_key_no_set_is_given_that_a_cache_could_keep() {
    let app = TestApp::without_keys().await;
    let reply = app.client().get(PATH).await.expect(503);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(reply.header("retry-after").is_some());
    app.client().get("/ready").await.expect(503);
    app.client().get("/health").await.expect(200);
    app.engine().open_keys().unwrap();
    assert_eq!(keys(&app).await.len(), 4);
    app.client().get("/ready").await.expect(200);
}
