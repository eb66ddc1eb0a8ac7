use portcullis_testkit::app::{Declared, TestApp};
use serde_json::Value;

const PATH: &str = "/openapi.json";
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

#[actix_web::test]
async fn the_document_is_openapi_3_1_and_the_one_the_library_gives() {
    let app = TestApp::memory().await;
    let reply = app.client().get(PATH).await.expect(200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(reply.text(), portcullis_http::openapi());
    let document = reply.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(document["info"]["title"], "Portcullis");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[actix_web::test]
async fn every_reference_in_the_document_leads_somewhere() {
    let document: Value = serde_json::from_str(&portcullis_http::openapi()).unwrap();
    let mut nodes = vec![&document];
    let mut references = 0;
    while let Some(node) = nodes.pop() {
        match node {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    let pointer = reference.strip_prefix('#').expect("a local reference");
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                    references += 1;
                }
                nodes.extend(members.values());
            }
            Value::Array(items) => nodes.extend(items),
            _ => {}
        }
    }
    assert!(references > 30, "{references}");
}

#[actix_web::test]
async fn what_is_served_is_what_is_declared() {
    let app = TestApp::memory().await;
    for (template, declared) in Declared::read().paths() {
        let path = ["{id}", "{agent_id}", "{key_id}"]
            .into_iter()
            .fold(template.to_owned(), |path, name| {
                path.replace(name, "agt_00000000000000000000000000000000")
            });
        let mut allowed: Vec<&str> = declared.clone();
        if declared.contains(&"GET") {
            allowed.push("HEAD");
        }
        allowed.sort_unstable();
        for method in METHODS.into_iter().chain(["TRACE", "PROPFIND"]) {
            let reply = app.client().request(method, &path).await;
            assert_eq!(reply.status == 405, !allowed.contains(&method), "{method} {path}");
            if reply.status == 405 {
                let mut allow: Vec<&str> = reply.header("allow").unwrap().split(", ").collect();
                allow.sort_unstable();
                assert_eq!(allow, allowed, "I10 {path}");
            }
        }
    }
}

#[actix_web::test]
async fn routes_that_want_a_token_say_so() {
    let document: Value = serde_json::from_str(&portcullis_http::openapi()).unwrap();
    let scheme = &document["components"]["securitySchemes"]["access_token"];
    assert_eq!((&scheme["type"], &scheme["scheme"]), (&"http".into(), &"bearer".into()));
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let refuses = operation["responses"]["401"]["description"].as_str().unwrap_or("");
            let schemes = operation["security"].as_array().into_iter().flatten();
            let schemes: Vec<&str> = schemes
                .flat_map(|one| one.as_object().unwrap().keys())
                .map(String::as_str)
                .collect();
            let of_machines = path.starts_with("/v1/meter/") || path.starts_with("/v1/credits/");
            let wants = match path.as_str() {
                _ if of_machines => !schemes.is_empty(),
                path if path.starts_with("/v1/auth/agent") => schemes.contains(&"bearer_key"),
                _ => schemes.contains(&"access_token"),
            };
            assert_eq!(wants, refuses.contains("`unauthorized`"), "{method} {path}");
            if path.starts_with("/api/") {
                let wants = operation["security"].is_array();
                assert_eq!(wants, refuses.contains("`UNAUTHORIZED`"), "{method} {path}");
            }
            for scheme in operation["security"].as_array().into_iter().flatten() {
                let known = |name| document["components"]["securitySchemes"][name].is_object();
                assert!(scheme.as_object().unwrap().keys().all(known), "{method} {path}");
            }
            assert!(operation["summary"].is_string(), "{method} {path}");
            assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{method} {path}");
        }
    }
}

#[test]
fn no_two_operations_have_one_id() {
    let document: Value = serde_json::from_str(&portcullis_http::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|item| item.as_object().unwrap().values());
    let mut ids: Vec<_> = operations.map(|one| one["operationId"].as_str().unwrap()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "{ids:?}");
}

/// A line for every route whose path begins like one of these, or like none of them.
fn lines(prefixes: &[&str], wanted: bool) -> String {
    let begins = |line: &String| prefixes.iter().any(|prefix| line.contains(&format!(" {prefix}")));
    let lines = Declared::read().lines().into_iter();
    lines.filter(|line| begins(line) == wanted).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_routes_of_the_api_and_their_statuses() {
    insta::assert_snapshot!(lines(&["/v1/"], true), @r#"
    GET /v1/admin/agents 200 400 401 403 429 500 503
    POST /v1/admin/agents 201 400 401 403 408 413 415 429 500 503
    DELETE /v1/admin/agents/{id} 204 401 403 404 429 500 503
    GET /v1/admin/agents/{id} 200 401 403 404 429 500 503
    POST /v1/admin/agents/{id}/keys 201 400 401 403 404 408 409 413 415 429 500 503
    DELETE /v1/admin/agents/{id}/keys/{key_id} 204 401 403 404 429 500 503
    POST /v1/admin/agents/{id}/resume 200 401 403 404 429 500 503
    POST /v1/admin/agents/{id}/suspend 200 401 403 404 429 500 503
    GET /v1/admin/invitations 200 400 401 403 429 500 503
    DELETE /v1/admin/invitations/{id} 204 401 403 404 429 500 503
    GET /v1/admin/users 200 400 401 403 429 500 503
    POST /v1/admin/users/invite 201 400 401 403 408 409 413 415 429 500 503
    DELETE /v1/admin/users/{id} 204 401 403 404 409 429 500 503
    GET /v1/admin/users/{id} 200 401 403 404 429 500 503
    POST /v1/admin/users/{id}/resume 200 401 403 404 429 500 503
    PUT /v1/admin/users/{id}/role 200 400 401 403 404 408 409 413 415 429 500 503
    DELETE /v1/admin/users/{id}/sessions 204 401 403 404 429 500 503
    POST /v1/admin/users/{id}/suspend 200 401 403 404 409 429 500 503
    POST /v1/auth/agent 200 400 408 413 415 429 500 503
    POST /v1/auth/agent/claim 200 400 403 404 408 409 413 415 429 500 503
    POST /v1/auth/agent/claim/complete 200 400 401 403 404 408 409 413 415 429 500 503
    POST /v1/auth/agent/revoke 200 401 408 413 415 429 500 503
    POST /v1/auth/login 200 400 401 403 408 413 415 429 500 503
    POST /v1/auth/logout 204 400 401 408 413 415 429 500 503
    POST /v1/auth/password/change 204 400 401 408 413 415 429 500 503
    POST /v1/auth/password/reset 202 400 408 413 415 429 500 503
    POST /v1/auth/password/reset/confirm 204 400 401 408 413 415 429 500 503
    POST /v1/auth/refresh 200 400 401 408 413 415 429 500 503
    POST /v1/auth/register 201 400 401 403 408 409 413 415 429 500 503
    DELETE /v1/auth/sessions 204 401 429 500 503
    GET /v1/auth/sessions 200 401 429 500 503
    DELETE /v1/auth/sessions/{id} 204 401 404 429 500 503
    POST /v1/auth/verify-email 200 400 401 408 413 415 429 500 503
    POST /v1/auth/verify-email/resend 202 400 408 413 415 429 500 503
    GET /v1/balance 200 401 403 429 500 503
    POST /v1/credits/topups 200 400 401 404 408 409 413 415 429 500 503
    POST /v1/meter/charge 200 400 401 402 404 408 409 413 415 429 500 503
    DELETE /v1/users/me 202 204 400 401 408 413 415 429 500 503
    GET /v1/users/me 200 401 429 500 503
    PUT /v1/users/me 200 400 401 408 413 415 429 500 503
    GET /v1/users/me/agents 200 400 401 429 500 503
    DELETE /v1/users/me/agents/{agent_id} 204 401 404 429 500 503
    GET /v1/users/me/agents/{agent_id} 200 401 404 429 500 503
    POST /v1/users/me/agents/{agent_id}/keys 201 400 401 404 408 409 413 415 429 500 503
    DELETE /v1/users/me/agents/{agent_id}/keys/{key_id} 204 401 404 429 500 503
    POST /v1/users/me/email 202 400 401 403 408 413 415 429 500 503
    POST /v1/users/me/email/confirm 200 400 401 408 409 413 415 429 500 503
    "#);
}

#[test]
fn the_routes_of_agents_and_their_statuses() {
    insta::assert_snapshot!(lines(&["/api/"], true), @r#"
    GET /api/agents 200 400 429 500 503
    GET /api/agents/me 200 401 403 429 500 503
    DELETE /api/agents/{agent_id} 200 401 403 404 429 500 503
    GET /api/agents/{agent_id} 200 400 401 403 429 500 503
    POST /api/agents/{agent_id} 201 400 401 403 408 409 413 415 429 500 503
    GET /api/agents/{agent_id}/audit-logs 200 400 401 403 429 500 503
    POST /api/agents/{agent_id}/email 202 400 401 403 408 413 415 429 500 503
    DELETE /api/agents/{agent_id}/keys/{key_id} 200 401 403 404 429 500 503
    POST /api/agents/{agent_id}/keys/{key_id}/rotate 201 400 401 403 404 408 409 413 415 429 500 503
    GET /api/agents/{agent_id}/profile 200 404 429 500 503
    PUT /api/agents/{agent_id}/profile 200 400 401 403 404 408 413 415 429 500 503
    POST /api/auth/logout 200 401 403 429 500 503
    POST /api/auth/recovery/request 200 400 408 413 415 429 500 503
    POST /api/auth/recovery/verify 200 400 401 408 409 413 415 429 500 503
    POST /api/auth/refresh 200 400 401 403 408 413 415 429 500 503
    POST /api/auth/register 201 400 403 408 413 415 429 500 503
    POST /api/auth/token 200 400 401 403 408 413 415 429 500 503
    POST /api/auth/verification/resend 200 400 408 413 415 429 500 503
    GET /api/auth/verify-email 200 400 401 429 500 503
    POST /api/auth/verify-email 200 400 401 408 413 415 429 500 503
    "#);
}

#[test]
fn all_other_routes_and_their_statuses() {
    insta::assert_snapshot!(lines(&["/v1/", "/api/"], false), @r#"
    GET / 200 500
    GET /.well-known/jwks.json 200 500 503
    GET /.well-known/oauth-authorization-server 200 500
    GET /.well-known/oauth-protected-resource 200 500
    GET /account 200 429 500 503
    GET /account/agents 200 303 400 429 500 503
    GET /account/agents/{id} 200 303 404 429 500 503
    GET /account/agents/{id}/give-up 200 303 404 429 500 503
    POST /account/agents/{id}/give-up 303 400 403 404 408 413 415 429 500 503
    POST /account/agents/{id}/keys 200 303 400 403 404 408 409 413 415 429 500 503
    POST /account/agents/{id}/keys/revoke 303 400 403 404 408 413 415 429 500 503
    GET /account/delete 200 303 401 429 500 503
    POST /account/delete 303 400 401 403 408 413 415 429 500 503
    POST /account/delete/confirm 200 400 401 403 408 413 415 429 500 503
    GET /account/email 200 303 429 500 503
    POST /account/email 303 400 401 403 408 413 415 429 500 503
    GET /account/email/confirm 200 303 429 500 503
    POST /account/email/confirm 303 400 401 403 408 409 413 415 429 500 503
    POST /account/email/resend 303 400 403 408 413 415 429 500 503
    GET /account/password 200 303 429 500 503
    POST /account/password 303 400 401 403 408 413 415 429 500 503
    POST /account/profile 303 400 403 408 413 415 429 500 503
    GET /account/register 200 303 403 429 500 503
    POST /account/register 303 400 401 403 408 409 413 415 429 500 503
    GET /account/sessions 200 303 429 500 503
    POST /account/sessions/end 303 400 403 408 413 415 429 500 503
    POST /account/sessions/end-others 303 400 403 408 413 415 429 500 503
    POST /account/sign-in 303 400 401 403 408 413 415 429 500 503
    POST /account/sign-out 303 400 403 408 413 415 429 500 503
    GET /assets/{file} 200 404 500
    GET /auth.md 200 500
    GET /claim 200 403 404 409 429 500 503
    POST /claim 200 400 403 404 408 409 413 415 429 500 503
    POST /claim/deny 200 400 403 404 408 409 413 415 429 500 503
    GET /claim/undo 200 401 429 500 503
    POST /claim/undo 200 400 401 403 408 413 415 429 500 503
    GET /health 200 500
    POST /oauth2/introspect 200 400 401 408 413 415 429 500 503
    POST /oauth2/revoke 200 400 401 408 413 415 429 500 503
    POST /oauth2/token 200 400 401 408 413 415 429 500 503
    GET /openapi.json 200 500
    GET /ready 200 500 503
    GET /reset-password 200 401 429 500 503
    POST /reset-password 200 400 403 408 413 415 429 500 503
    POST /reset-password/confirm 200 400 401 403 408 413 415 429 500 503
    GET /verify-email 200 401 429 500 503
    POST /verify-email 200 400 401 403 408 413 415 429 500 503
    GET /verify-email/agent 200 429 500 503
    POST /verify-email/agent 200 400 401 403 408 413 415 429 500 503
    POST /verify-email/agent/resend 200 400 403 408 413 415 429 500 503
    POST /verify-email/not-me 200 400 401 403 408 413 415 429 500 503
    POST /verify-email/resend 200 400 403 408 413 415 429 500 503
    "#);
}
