//! The layer under axum, and under a service of no framework.

use std::convert::Infallible;

use axum::{Json, Router, body::Body, routing::get};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use portcullis_guard::{
    Cost, OperationId, Principal, Refusal,
    tower::{GuardLayer, MetadataService},
};
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::support::{AGENT, Api};

fn app(api: &Api) -> Router {
    let needing = |scope: &str| GuardLayer::new(&api.guard).requiring(scope.parse().unwrap());
    let guard = api.guard.clone();
    let write = move |principal: Principal| async move {
        let operation = OperationId::of(&principal, "POST /notes", "1");
        guard.charge(&principal, Cost::of::<1>(), &operation).await?;
        Ok::<_, Refusal>(StatusCode::CREATED)
    };
    let read = |principal: Principal| async move { Json(json!(principal.subject.to_string())) };
    Router::new()
        .route(
            "/notes",
            get(read)
                .layer(needing("api.read"))
                .merge(axum::routing::post(write).layer(needing("api.write"))),
        )
        .route("/me", get(read).layer(GuardLayer::new(&api.guard)))
        .route("/open", get(|| async {}))
        .route("/forgotten", get(read))
        .route_service(api.guard.metadata().path(), MetadataService::new(&api.guard))
}

async fn ask(api: &Api, method: &str, path: &str, headers: &[&str]) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for value in headers {
        request = request.header("Authorization", *value);
    }
    app(api).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn json_of(response: Response<Body>) -> Value {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn whoever_may_is_let_through_and_known() {
    let api = Api::new();
    let bearer = format!("Bearer {}", api.token());
    for path in ["/notes", "/me"] {
        let response = ask(&api, "GET", path, &[&bearer]).await;
        assert_eq!(response.status(), 200);
        assert_eq!(json_of(response).await, AGENT);
    }
    assert_eq!(ask(&api, "GET", "/open", &[]).await.status(), 200);
}

#[tokio::test]
async fn each_refusal_is_answered_with_status_headers_and_body() {
    let api = Api::new();
    let poor = format!("Bearer {}", api.issuer.claiming(json!({ "scope": "other" })));
    let good = format!("Bearer {}", api.token());
    for (method, headers, status, code, challenge) in [
        ("GET", &[][..], 401, "unauthorized", "Bearer resource_metadata="),
        ("GET", &["Basic YTpi"], 401, "unauthorized", "Bearer resource_metadata="),
        ("GET", &["Bearer x"], 401, "unauthorized", "error=\"invalid_token\""),
        ("GET", &[&good, &good], 401, "unauthorized", "error=\"invalid_token\""),
        ("GET", &[&poor], 403, "insufficient_scope", "scope=\"api.read\""),
        ("POST", &[&poor], 403, "insufficient_scope", "scope=\"api.write\""),
    ] {
        let response = ask(&api, method, "/notes", headers).await;
        assert_eq!(response.status(), status, "{method} {headers:?}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let told = response.headers()["www-authenticate"].to_str().unwrap();
        assert!(told.contains(challenge), "{told}");
        assert_eq!(json_of(response).await["code"], code);
    }
}

#[tokio::test]
async fn a_handler_answers_with_a_refusal() {
    let api = Api::new();
    let bearer = format!("Bearer {}", api.token());
    assert_eq!(ask(&api, "GET", "/notes", &[&bearer]).await.status(), 200);
    api.server.answer(402, &[("WWW-Authenticate", "Payment id=\"x\"")], "{\"required\":1}");
    let response = ask(&api, "POST", "/notes", &[&bearer]).await;
    assert_eq!(response.status(), 402);
    assert_eq!(response.headers()["www-authenticate"], "Payment id=\"x\"");
    assert_eq!(json_of(response).await, json!({ "required": 1 }));
    api.server.answer(200, &[], "{}");
    assert_eq!(ask(&api, "POST", "/notes", &[&bearer]).await.status(), 201);
    api.server.go_down();
    let response = ask(&api, "POST", "/notes", &[&bearer]).await;
    assert_eq!(
        (response.status(), &response.headers()["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"1".parse().unwrap())
    );
}

#[tokio::test]
async fn a_route_without_the_layer_serves_nobody_who_wants_a_principal() {
    let api = Api::new();
    let bearer = format!("Bearer {}", api.token());
    assert_eq!(ask(&api, "GET", "/forgotten", &[&bearer]).await.status(), 500);
}

#[tokio::test]
async fn the_metadata_is_for_everybody() {
    let api = Api::new();
    let path = "/.well-known/oauth-protected-resource";
    let response = ask(&api, "GET", path, &[]).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["cache-control"], "public, max-age=300");
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert_eq!(json_of(response).await["authorization_servers"], json!(["https://auth.example"]));
    assert_eq!(ask(&api, "HEAD", path, &[]).await.status(), 200);
    let response = ask(&api, "DELETE", path, &[]).await;
    assert_eq!(
        (response.status(), &response.headers()["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"GET, HEAD".parse().unwrap())
    );
}

/// As tonic's services are: other bodies, and no axum.
#[tokio::test]
async fn any_service_of_http_requests_can_be_guarded() {
    let api = Api::new();
    let inner = service_fn(|request: Request<Full<Bytes>>| async move {
        let who = request.extensions().get::<Principal>().unwrap().subject.to_string();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "ping", "the body comes through");
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(who))))
    });
    let service = GuardLayer::new(&api.guard).layer(inner);
    let request = |token: &str| {
        let header = format!("Bearer {token}");
        let request = Request::builder().header("Authorization", header);
        request.body(Full::new(Bytes::from("ping"))).unwrap()
    };
    let response = service.clone().oneshot(request(&api.token())).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), AGENT);
    let response = service.oneshot(request("x")).await.unwrap();
    assert_eq!(response.status(), 401);
}
