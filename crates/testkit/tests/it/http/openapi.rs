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
        let path = template.replace("{id}", "ses_00000000000000000000000000000000");
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
            let wants = operation["security"][0]["access_token"].is_array();
            assert_eq!(wants, refuses.contains("`unauthorized`"), "{method} {path}");
            assert!(operation["summary"].is_string(), "{method} {path}");
        }
    }
}

#[test]
fn the_routes_and_their_statuses() {
    insta::assert_snapshot!(Declared::read().lines().join("\n"), @r#"
    GET / 200 500
    GET /.well-known/jwks.json 200 500 503
    GET /health 200 500
    GET /openapi.json 200 500
    GET /ready 200 500 503
    POST /v1/auth/login 200 400 401 403 408 413 415 429 500 503
    POST /v1/auth/logout 204 400 401 408 413 415 429 500 503
    POST /v1/auth/refresh 200 400 401 408 413 415 429 500 503
    POST /v1/auth/register 201 400 408 409 413 415 429 500 503
    DELETE /v1/auth/sessions 204 401 429 500 503
    GET /v1/auth/sessions 200 401 429 500 503
    DELETE /v1/auth/sessions/{id} 204 401 404 429 500 503
    GET /v1/users/me 200 401 429 500 503
    PUT /v1/users/me 200 400 401 408 413 415 429 500 503
    "#);
}
