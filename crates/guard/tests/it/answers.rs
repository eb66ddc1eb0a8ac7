//! Every refusal, to the letter.

use portcullis_guard::{Cost, GuardOptions, OperationId, Presented, Refusal};
use serde_json::{Value, json};

use crate::support::{API_KEY, Api, RESOURCE, options};

const METADATA: &str = "https://api.example/.well-known/oauth-protected-resource";

#[track_caller]
fn check(refusal: &Refusal, status: u16, code: &str, challenge: Option<&str>) {
    assert_eq!(refusal.status().as_u16(), status);
    let headers = refusal.headers();
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers.get("www-authenticate").map(|value| value.to_str().unwrap()), challenge);
    let body: Value = serde_json::from_slice(refusal.body()).unwrap();
    let detail = body["detail"].as_str().unwrap();
    assert!(detail.len() > 20 && detail.ends_with(['.', ';']), "{detail}");
    let title = refusal.status().canonical_reason();
    let expected = json!({ "type": "about:blank", "title": title, "status": status,
        "detail": detail, "code": code, "error": code });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn without_a_token_the_metadata_is_named_and_nothing_else() {
    let api = Api::new();
    let refusal = api.guard.authenticate(Presented::Nothing).await.unwrap_err();
    let challenge = format!("Bearer resource_metadata=\"{METADATA}\"");
    check(&refusal, 401, "unauthorized", Some(&challenge));
    assert_eq!(api.server.count(), 0);
}

#[tokio::test]
async fn a_refused_token_is_told_so() {
    let api = Api::new();
    let challenge = format!("Bearer resource_metadata=\"{METADATA}\", error=\"invalid_token\"");
    let told = api.show("x").await.unwrap_err();
    check(&told, 401, "unauthorized", Some(&challenge));
    let ambiguous = api.guard.authenticate(Presented::Ambiguous).await.unwrap_err();
    assert_eq!(ambiguous.body(), told.body());
    // Why is nobody's business: expired, forged and unknown look alike.
    api.clock.seconds(4000);
    for token in [&api.token(), &api.issuer.headed(json!({ "alg": "none" })), API_KEY] {
        let refusal = api.show(token).await.unwrap_err();
        assert_eq!((refusal.body(), refusal.headers()), (told.body(), told.headers()));
    }
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let api = Api::new();
    let token = api.issuer.claiming(json!({ "scope": "api.read" }));
    let wanted = "api.read api.write".parse().unwrap();
    let refusal = api.guard.admit(Presented::Token(&token), &wanted).await.unwrap_err();
    let challenge = format!(
        "Bearer error=\"insufficient_scope\", scope=\"api.read api.write\", \
         resource_metadata=\"{METADATA}\""
    );
    check(&refusal, 403, "insufficient_scope", Some(&challenge));
    assert!(String::from_utf8_lossy(refusal.body()).contains("api.read api.write"));
    let read = "api.read".parse().unwrap();
    assert!(api.guard.admit(Presented::Token(&token), &read).await.is_ok());
}

#[tokio::test]
async fn a_bad_token_is_refused_before_its_scopes_are_looked_at() {
    let api = Api::new();
    let wanted = "api.admin".parse().unwrap();
    let expired = api.issuer.claiming(json!({ "exp": 0 }));
    let refusal = api.guard.admit(Presented::Token(&expired), &wanted).await.unwrap_err();
    assert_eq!(refusal.status().as_u16(), 401);
}

#[tokio::test]
async fn an_auth_server_that_is_away_is_told_with_when_to_come_again() {
    let api = Api::new();
    api.server.go_down();
    let refusal = api.show(API_KEY).await.unwrap_err();
    check(&refusal, 503, "service_unavailable", None);
    assert_eq!(refusal.headers()["retry-after"], "1");
}

#[tokio::test]
async fn a_conflict_is_told() {
    let api = Api::new();
    let principal = api.show(&api.token()).await.unwrap();
    api.server.answer(409, &[], "{}");
    let operation = OperationId::of(&principal, "", "");
    let cost = Cost::of::<1>();
    let refusal = api.guard.charge(&principal, cost, &operation).await.unwrap_err();
    check(&refusal, 409, "conflict", None);
}

#[tokio::test]
async fn the_challenge_of_a_resource_with_a_path_names_its_own_document() {
    let resource = format!("{RESOURCE}/notes");
    let api = Api::with(GuardOptions { resource, ..options() });
    let refusal = api.guard.authenticate(Presented::Nothing).await.unwrap_err();
    let challenge = format!("Bearer resource_metadata=\"{METADATA}/notes\"");
    check(&refusal, 401, "unauthorized", Some(&challenge));
}

#[tokio::test]
async fn no_refusal_shows_what_was_sent() {
    let api = Api::new();
    let secret = "sk_secret-that-was-mistyped";
    let refusal = api.show(secret).await.unwrap_err();
    let shown = format!("{refusal} {refusal:?} {:?} {:?}", refusal.headers(), refusal.body());
    assert!(!shown.contains(secret));
    assert!(!format!("{:?} {:?}", api.guard, options()).contains("rss_2"));
}
