//! How a client that knows nothing but the address finds its way.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_testkit::app::{AppOptions, TestApp};
use portcullis_tokens::{Algorithm, PublicJwk, ports::Jose as _};
use serde_json::{Value, json};

use crate::http::{
    jwt,
    oauth2::callers::{SCOPES, ask, grant, granted, watcher},
};

const RESOURCE: &str = "/.well-known/oauth-protected-resource";
const MANIFEST: &str = "/auth.md";
const SERVER: &str = "/.well-known/oauth-authorization-server";

async fn document(app: &TestApp, path: &str) -> Value {
    app.client().get(path).await.expect(200).json()
}

/// Of agents' keys, and then of those that agents get who sign themselves up.
fn scopes() -> Vec<&'static str> {
    SCOPES.split(' ').chain(["api.read", "api.write"]).collect()
}

/// The path of an address of this server.
#[track_caller]
fn path_of<'a>(app: &TestApp, url: &'a Value) -> &'a str {
    let path = url.as_str().unwrap().strip_prefix(app.options().public_url).unwrap();
    assert!(path.starts_with('/'), "{path}");
    path
}

#[actix_web::test]
async fn w7_the_protected_resource_is_described_as_rfc_9728_says() {
    let app = TestApp::memory().await;
    let url = app.options().public_url;
    let scopes = scopes();
    assert_eq!(
        document(&app, RESOURCE).await,
        json!({
            "resource": url, "authorization_servers": [url],
            "bearer_methods_supported": ["header"], "resource_name": "Portcullis",
            "resource_documentation": format!("{url}/auth.md"), "scopes_supported": scopes,
        })
    );
}

#[actix_web::test]
async fn w7_the_authorization_server_is_described_as_rfc_8414_says() {
    let app = TestApp::memory().await;
    let url = app.options().public_url;
    let scopes = scopes();
    assert_eq!(
        document(&app, SERVER).await,
        json!({
            "issuer": url,
            "token_endpoint": format!("{url}/oauth2/token"),
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "scopes_supported": scopes,
            "jwks_uri": format!("{url}/.well-known/jwks.json"),
            "revocation_endpoint": format!("{url}/oauth2/revoke"),
            "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "none"],
            "introspection_endpoint": format!("{url}/oauth2/introspect"),
            "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
            "service_documentation": format!("{url}/auth.md"),
            "agent_auth": {
                "manifest_url": format!("{url}/auth.md"),
                "skill": format!("{url}/auth.md"),
                "registration_endpoint": format!("{url}/v1/auth/agent"),
                "register_uri": format!("{url}/v1/auth/agent"),
                "claim_endpoint": format!("{url}/v1/auth/agent/claim"),
                "claim_uri": format!("{url}/v1/auth/agent/claim"),
                "claim_complete_endpoint": format!("{url}/v1/auth/agent/claim/complete"),
                "revocation_endpoint": format!("{url}/v1/auth/agent/revoke"),
                "revocation_uri": format!("{url}/v1/auth/agent/revoke"),
                "identity_types_supported": ["anonymous", "verified_email"],
                "assertion_types_supported": ["verified_email"],
                "anonymous": { "credential_types_supported": ["api_key"] },
                "identity_assertion": {
                    "assertion_types_supported": ["verified_email"],
                    "credential_types_supported": ["api_key"],
                },
            },
        })
    );
}

#[actix_web::test]
async fn w7_a_client_gets_from_a_refusal_to_a_token_by_what_is_told() {
    let app = TestApp::memory().await;
    let (client, bot) = (app.client(), app.bot("weather-bot").await);
    let refused = client.get("/api/agents/me").await.expect(401);
    let challenge = refused.header("www-authenticate").unwrap().to_owned();
    let told = challenge.strip_prefix("Bearer resource_metadata=\"").unwrap();
    let told = Value::from(told.split('"').next().unwrap());
    let resource = document(&app, path_of(&app, &told)).await;
    let issuer = resource["authorization_servers"][0].clone();
    // RFC 8414 §3: the path goes between the host and that of the issuer, which has none.
    assert_eq!(issuer, app.options().public_url);
    let server = document(&app, SERVER).await;
    assert_eq!(server["issuer"], issuer);
    let path = path_of(&app, &server["token_endpoint"]);
    let fields = [
        ("grant_type", server["grant_types_supported"][0].as_str().unwrap()),
        ("resource", resource["resource"].as_str().unwrap()),
    ];
    let reply = ask(&client, path, &fields).basic(&bot.id, &bot.api_key).await.expect(200);
    let token = reply.string("/access_token");
    assert_eq!(jwt::claims(&token)["iss"], issuer);
    assert_eq!(jwt::claims(&token)["aud"], resource["resource"]);
    client.agent(&token).await.expect(200);
    let keys = document(&app, path_of(&app, &server["jwks_uri"])).await;
    let kid = &jwt::header(&token)["kid"];
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == *kid).unwrap();
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    assert_eq!((&*text("alg"), &*text("crv")), ("ES256", "P-256"));
    let public = PublicJwk::Ec { crv: text("crv"), x: text("x"), y: text("y") };
    let verifier = portcullis_jose::Josekit.verifier(Algorithm::Es256, &public).unwrap();
    let (input, signature) = token.rsplit_once('.').unwrap();
    assert!(verifier.verify(input.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()));
}

#[actix_web::test]
async fn w7_nothing_is_told_of_that_would_be_refused() {
    let app = TestApp::memory().await;
    let (bot, api) = (app.bot("weather-bot").await, watcher(&app));
    let (resource, server) = (document(&app, RESOURCE).await, document(&app, SERVER).await);
    assert_eq!(resource["scopes_supported"], server["scopes_supported"]);
    let supported = server["scopes_supported"].as_array().unwrap();
    for scope in supported.iter().filter_map(Value::as_str).filter(|it| SCOPES.contains(it)) {
        grant(&app.client(), &bot, &[("scope", scope)]).await.expect(200);
    }
    for page in [&resource["resource_documentation"], &server["service_documentation"]] {
        let reply = app.client().get(path_of(&app, page)).await.expect(200);
        assert_eq!(reply.header("content-type"), Some("text/markdown; charset=utf-8"));
    }
    let asked = [("token", bot.access.as_str())];
    let introspect = path_of(&app, &server["introspection_endpoint"]);
    let reply = ask(&app.client(), introspect, &asked).basic(&api.id, &api.secret).await;
    assert_eq!(reply.expect(200).json()["active"], true);
    // Each of the ways to authenticate of which it tells.
    let revoke = path_of(&app, &server["revocation_endpoint"]);
    let second = granted(&app.client(), &bot, &[]).await;
    for (token, basic) in [(&bot.access, true), (&second, false)] {
        let request = ask(&app.client(), revoke, &[("token", token)]);
        let request = if basic { request.basic(&bot.id, &bot.api_key) } else { request };
        request.await.expect(200);
        app.client().agent(token).await.expect(401);
    }
}

#[actix_web::test]
async fn w7_no_request_has_a_part_in_what_is_told() {
    let app = TestApp::memory().await;
    for path in [RESOURCE, SERVER, MANIFEST] {
        let plain = app.client().get(path).await.expect(200);
        for (name, value) in [
            ("host", "evil.example"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-prefix", "/evil"),
            ("forwarded", "host=evil.example;proto=https"),
            ("x-original-url", "/evil"),
            ("origin", "https://evil.example"),
            ("referer", "https://evil.example/"),
            ("authorization", "Bearer x"),
        ] {
            let reply = app.client().get(path).header(name, value).await.expect(200);
            assert_eq!(reply.body, plain.body, "{name}");
            assert_eq!(reply.header_names(), plain.header_names(), "{name}");
        }
        let reply = app.client().get(&format!("{path}?resource=https://evil.example")).await;
        assert_eq!(reply.expect(200).body, plain.body);
    }
}

#[actix_web::test]
async fn w7_address_name_and_scopes_are_those_of_the_settings() {
    let mut options = AppOptions {
        public_url: "https://auth.example.com",
        service_name: "Ünïcode \"& <Sons>",
        ..AppOptions::default()
    };
    let agents = &mut options.engine.agents;
    agents.scopes = "api.read api.write".parse().unwrap();
    agents.default_scopes = "api.read".parse().unwrap();
    let app = TestApp::memory_with(options).await;
    let resource = document(&app, RESOURCE).await;
    assert_eq!(resource["resource_name"], "Ünïcode \"& <Sons>");
    assert_eq!(resource["resource"], "https://auth.example.com");
    // Those of agents that sign themselves up are among them already.
    assert_eq!(resource["scopes_supported"], json!(["api.read", "api.write"]));
    for document in [resource, document(&app, SERVER).await] {
        assert!(!document.to_string().contains("127.0.0.1"), "{document}");
    }
}

#[actix_web::test]
async fn pages_of_every_origin_may_read_and_caches_may_keep_it() {
    let app = TestApp::without_keys().await;
    let types = ["application/json", "application/json", "text/markdown; charset=utf-8"];
    for (path, media_type) in [RESOURCE, SERVER, MANIFEST].into_iter().zip(types) {
        let client = app.client();
        for _ in 0..100 {
            // Which headers of other origins there are is checked of every answer.
            let reply = client.get(path).header("origin", "https://evil.example").await.expect(200);
            assert_eq!(reply.header("content-type"), Some(media_type));
            assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
            assert_eq!(reply.header("x-ratelimit-limit"), None, "exempt");
            assert_eq!(reply.header("vary"), None);
        }
        let head = client.request("HEAD", path).await.expect(200);
        assert_eq!(head.header("cache-control"), Some("public, max-age=300"));
        for method in ["POST", "OPTIONS", "DELETE"] {
            let reply = client.request(method, path).await;
            let reply = reply.expect_error(405, "method_not_allowed");
            assert_eq!(reply.header("allow"), Some("GET, HEAD"));
        }
        for below in ["/", "/x", "%00"] {
            client.get(&format!("{path}{below}")).await.expect_error(404, "not_found");
        }
    }
}
