//! The middleware under actix-web.

use actix_web::{
    App, HttpResponse,
    dev::ServiceResponse,
    test::{TestRequest, call_service, init_service, read_body_json},
    web,
};
use portcullis_guard::{
    Cost, OperationId, Principal, Refusal,
    actix::{Protect, metadata},
};
use serde_json::{Value, json};

use crate::support::{AGENT, Api};

async fn ask(api: &Api, request: TestRequest, headers: &[&str]) -> ServiceResponse {
    let needing = |scope: &str| Protect::new(&api.guard).requiring(scope.parse().unwrap());
    let guard = api.guard.clone();
    let write = move |principal: Principal| {
        let guard = guard.clone();
        async move {
            let operation = OperationId::of(&principal, "POST /notes", "1");
            guard.charge(&principal, Cost::of::<1>(), &operation).await?;
            Ok::<_, Refusal>(HttpResponse::Created().finish())
        }
    };
    let read = async |principal: Principal| web::Json(json!(principal.subject.to_string()));
    let app = App::new()
        .service(metadata(&api.guard))
        .service(
            web::resource("/notes")
                .route(web::get().to(read).wrap(needing("api.read")))
                .route(web::post().to(write).wrap(needing("api.write"))),
        )
        .service(
            web::scope("/all").wrap(Protect::new(&api.guard)).route("/me", web::get().to(read)),
        )
        .route("/open", web::get().to(HttpResponse::Ok))
        .route("/forgotten", web::get().to(read));
    let app = init_service(app).await;
    let request = headers
        .iter()
        .fold(request, |request, value| request.append_header(("Authorization", *value)));
    call_service(&app, request.to_request()).await.map_into_boxed_body()
}

fn get(path: &str) -> TestRequest {
    TestRequest::get().uri(path)
}

fn header<'r>(response: &'r ServiceResponse, name: &str) -> &'r str {
    response.headers().get(name).unwrap().to_str().unwrap()
}

#[actix_web::test]
async fn whoever_may_is_let_through_and_known() {
    let api = Api::new();
    let bearer = format!("Bearer {}", api.token());
    for path in ["/notes", "/all/me"] {
        let response = ask(&api, get(path), &[&bearer]).await;
        assert_eq!(response.status().as_u16(), 200);
        let who: Value = read_body_json(response).await;
        assert_eq!(who, AGENT);
    }
    assert_eq!(ask(&api, get("/open"), &[]).await.status().as_u16(), 200);
}

#[actix_web::test]
async fn each_refusal_is_answered_with_status_headers_and_body() {
    let api = Api::new();
    let poor = format!("Bearer {}", api.issuer.claiming(json!({ "scope": "other" })));
    let good = format!("Bearer {}", api.token());
    let post = || TestRequest::post().uri("/notes");
    for (request, headers, status, code, challenge) in [
        (get("/notes"), &[][..], 401, "unauthorized", "Bearer resource_metadata="),
        (get("/notes"), &["Basic YTpi"], 401, "unauthorized", "Bearer resource_metadata="),
        (get("/notes"), &["Bearer x"], 401, "unauthorized", "error=\"invalid_token\""),
        (get("/notes"), &[&good, &good], 401, "unauthorized", "error=\"invalid_token\""),
        (get("/all/me"), &[], 401, "unauthorized", "Bearer resource_metadata="),
        (get("/notes"), &[&poor], 403, "insufficient_scope", "scope=\"api.read\""),
        (post(), &[&poor], 403, "insufficient_scope", "scope=\"api.write\""),
    ] {
        let response = ask(&api, request, headers).await;
        assert_eq!(response.status().as_u16(), status, "{headers:?}");
        assert_eq!(header(&response, "content-type"), "application/problem+json");
        assert_eq!(header(&response, "cache-control"), "no-store");
        let told = header(&response, "www-authenticate");
        assert!(told.contains(challenge), "{told}");
        let body: Value = read_body_json(response).await;
        assert_eq!(body["code"], code);
    }
}

#[actix_web::test]
async fn a_handler_answers_with_a_refusal() {
    let api = Api::new();
    let bearer = format!("Bearer {}", api.token());
    let post = || TestRequest::post().uri("/notes");
    assert_eq!(ask(&api, get("/notes"), &[&bearer]).await.status().as_u16(), 200);
    let headers = [("WWW-Authenticate", "Payment id=\"x\""), ("WWW-Authenticate", "Other")];
    api.server.answer(402, &headers, "{\"required\":1}");
    let response = ask(&api, post(), &[&bearer]).await;
    assert_eq!(response.status().as_u16(), 402);
    let challenges = response.headers().get_all("www-authenticate");
    let challenges: Vec<_> = challenges.map(|value| value.to_str().unwrap()).collect();
    assert_eq!(challenges, ["Payment id=\"x\"", "Other"]);
    let body: Value = read_body_json(response).await;
    assert_eq!(body, json!({ "required": 1 }));
    api.server.answer(200, &[], "{}");
    assert_eq!(ask(&api, post(), &[&bearer]).await.status().as_u16(), 201);
    api.server.go_down();
    let response = ask(&api, post(), &[&bearer]).await;
    assert_eq!((response.status().as_u16(), header(&response, "retry-after")), (503, "1"));
}

#[actix_web::test]
async fn a_route_without_the_middleware_serves_nobody_who_wants_a_principal() {
    let api = Api::new();
    let bearer = format!("Bearer {}", api.token());
    assert_eq!(ask(&api, get("/forgotten"), &[&bearer]).await.status().as_u16(), 500);
}

#[actix_web::test]
async fn the_metadata_is_for_everybody() {
    let api = Api::new();
    let path = "/.well-known/oauth-protected-resource";
    let response = ask(&api, get(path), &[]).await;
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(header(&response, "content-type"), "application/json");
    assert_eq!(header(&response, "cache-control"), "public, max-age=300");
    assert_eq!(header(&response, "access-control-allow-origin"), "*");
    let body: Value = read_body_json(response).await;
    assert_eq!(body["resource"], "https://api.example");
    let head = TestRequest::with_uri(path).method(actix_web::http::Method::HEAD);
    assert_eq!(ask(&api, head, &[]).await.status().as_u16(), 200);
    let response = ask(&api, TestRequest::delete().uri(path), &[]).await;
    assert_eq!(response.status().as_u16(), 405);
}
