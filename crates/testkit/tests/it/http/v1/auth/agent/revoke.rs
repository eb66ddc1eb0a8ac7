use portcullis_audit::Actor;
use portcullis_identity::AgentStatus;
use portcullis_kernel::Origin;
use portcullis_testkit::{app::TestApp, on_every_storage};
use serde_json::json;

use super::sign_up::{JANE, anonymous, complete, newcomer, start, works};

const PATH: &str = "/v1/auth/agent/revoke";
const TOKENS_OF_PROVIDERS: [&str; 2] = ["application/logout+jwt", "application/secevent+jwt"];

on_every_storage!(a_key_that_is_presented_is_dead_when_the_answer_comes, |app| {
    let made = newcomer(&app.client(), &anonymous()).await;
    let reply = app.client().post(PATH).bearer(&made.key).await.expect(200);
    assert_eq!(reply.json(), json!({ "revoked": true }));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let peer = app.peer().await;
    for instance in [&app, &peer] {
        assert!(!works(instance, &made.agent, &made.key).await);
    }
    let again = app.client().post(PATH).bearer(&made.key).await.expect_error(401, "unauthorized");
    assert!(again.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    // It can be claimed all the same.
    start(&app.client(), &made.claim, JANE).await.expect(200);
    let code = app.mailed("claim_code");
    let key = complete(&app.client(), &made.claim, &code).await.expect(200).string("/credential");
    // With a body, which is not read then.
    let request = app.client().post(PATH).bearer(&key).json(&json!({ "token": "x" }));
    request.await.expect(200);
    assert!(!works(&app, &made.agent, &key).await);
});

on_every_storage!(an_access_token_ends_alone, |app| {
    let made = newcomer(&app.client(), &anonymous()).await;
    let issued = app.client().exchange(&made.agent, &made.key).await.expect(200);
    let access = issued.string("/access_token");
    app.client().post(PATH).bearer(&access).await.expect(200);
    app.client().post(PATH).bearer(&access).await.expect_error(401, "unauthorized");
    assert!(works(&app, &made.agent, &made.key).await);
});

on_every_storage!(k7_what_is_no_live_credential_of_an_agent_revokes_nothing, |app| {
    let jane = app.verified(JANE).await;
    let made = newcomer(&app.client(), &anonymous()).await;
    let agent = made.agent.parse().unwrap();
    let status = AgentStatus::Suspended;
    app.engine().set_agent_status(agent, status, Actor::Operator, &Origin::local()).unwrap();
    let never = format!("{}0", made.key);
    for token in [&jane.access, &jane.refresh, &made.claim, &never, &"x".to_owned()] {
        let reply = app.client().post(PATH).bearer(token).await.expect_error(401, "unauthorized");
        assert!(reply.header("www-authenticate").unwrap().contains("invalid_token"));
    }
    app.client().me(&jane.access).await.expect(200);
});

#[actix_web::test]
async fn k3_who_presents_nothing_is_told_how() {
    let app = TestApp::memory().await;
    let made = newcomer(&app.client(), &anonymous()).await;
    let bare = app.client().post(PATH).await.expect_error(401, "unauthorized");
    let challenge = bare.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Bearer resource_metadata=\"") && !challenge.contains("error="));
    assert_eq!(bare.json()["error"], "unauthorized");
    let with_body = app.client().post(PATH).json(&json!({ "token": made.key }));
    with_body.await.expect_error(401, "unauthorized");
    let basic = app.client().post(PATH).basic(&made.agent, &made.key);
    basic.await.expect_error(401, "unauthorized");
    assert!(works(&app, &made.agent, &made.key).await);
}

#[actix_web::test]
async fn a_token_of_a_provider_is_received_and_changes_nothing() {
    let app = TestApp::memory().await;
    let made = newcomer(&app.client(), &anonymous()).await;
    for media_type in TOKENS_OF_PROVIDERS {
        for body in ["eyJhbGciOiJub25lIn0.e30.", "x", &made.key, ""] {
            let reply = app.client().post(PATH).body(media_type, body).await.expect(200);
            assert_eq!(reply.json(), json!({ "revoked": true }), "{media_type}");
            // Nor is the key that comes with it.
            app.client().post(PATH).bearer(&made.key).body(media_type, body).await.expect(200);
        }
        let large = "x".repeat(65 * 1024);
        let reply = app.client().post(PATH).body(media_type, large).await;
        reply.expect_error(413, "payload_too_large");
    }
    assert!(works(&app, &made.agent, &made.key).await);
}
