use portcullis_audit::{Action, Actor};
use portcullis_email::Content;
use portcullis_flows::admin::CreateUser;
use portcullis_kernel::{Clock as _, Origin};
use portcullis_testkit::{
    app::{Reply, TestApp},
    on_every_storage,
};
use serde_json::json;
use time::Duration;

use crate::http::routes::limit_headers;

const PATH: &str = "/v1/auth/password/reset";

async fn ask(app: &TestApp, email: &str) -> Reply {
    app.client().post(PATH).json(&json!({ "email": email })).await
}

/// Everything of an answer that does not differ from request to request.
fn shown(reply: &Reply) -> (u16, String, Vec<String>, (i64, i64, i64)) {
    (reply.status, reply.text().to_owned(), reply.header_names(), limit_headers(reply))
}

on_every_storage!(e1_e3_every_address_gets_the_same_answer, |app| {
    app.verified("verified@example.com").await;
    app.client().register("new@example.com").await;
    let create = CreateUser { email: "bare@example.com".into(), ..CreateUser::default() };
    app.engine().create_user(create, Actor::Operator, &Origin::local()).unwrap();
    let shut = app.client().register("shut@example.com").await;
    app.engine().suspend_user(shut.user_id(), Actor::Operator, &Origin::local()).unwrap();
    app.mails();
    let mut answers = Vec::new();
    for name in ["verified", "new", "bare", "shut", "nobody"] {
        answers.push(shown(&ask(&app, &format!("{name}@example.com")).await.expect(202)));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    assert!(answers[0].1.starts_with(r#"{"message":""#), "{}", answers[0].1);
    let told = ["bare", "new", "verified"];
    let told = told.map(|name| (format!("{name}@example.com"), "reset_password"));
    assert_eq!(app.told(), told);
});

on_every_storage!(l1_ten_requests_an_hour_from_one_address, |app| {
    let client = app.client();
    let reset = app.clock().now().unix_timestamp() + 3600 + 1;
    for left in (0..10).rev() {
        let body = json!({ "email": format!("p{left}@example.com") });
        let reply = client.post(PATH).json(&body).await.expect(202);
        assert_eq!(limit_headers(&reply), (10, left, reset));
    }
    let body = json!({ "email": "jane@example.com" });
    let over = client.post(PATH).json(&body).await.expect_error(429, "rate_limited");
    assert_eq!((limit_headers(&over), over.number("retry-after")), ((10, 0, reset), 3600));
    ask(&app, "jane@example.com").await.expect(202);
    app.clock().advance(Duration::HOUR);
    client.post(PATH).json(&body).await.expect(202);
});

on_every_storage!(l9_three_mails_an_hour_to_one_address_and_the_same_answers, |app| {
    app.verified("jane@example.com").await;
    let mut answers = Vec::new();
    let mut mails = 0;
    for email in ["jane@example.com", "nobody@example.com"] {
        for _ in 0..12 {
            answers.push(shown(&ask(&app, email).await.expect(202)));
            mails += app.mails().len();
        }
    }
    assert_eq!(mails, 3);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "E6 {answers:#?}");
    app.clock().advance(Duration::HOUR);
    ask(&app, "jane@example.com").await.expect(202);
    assert_eq!(app.mails().len(), 1);
});

on_every_storage!(g3_the_request_is_written_down_when_it_becomes_a_mail, |app| {
    let jane = app.verified("jane@example.com").await;
    let client = app.client();
    let body = json!({ "email": " JANE@example.com" });
    let reply = client.post(PATH).json(&body).await.expect(202);
    let mails = app.mails();
    assert_eq!(mails.len(), 1);
    let letter = &mails[0].0;
    assert_eq!(letter.asked.client, Some(client.address()), "M9");
    let Content::ResetPassword { expires_at, .. } = &letter.content else { panic!("{letter:?}") };
    let in_an_hour = app.clock().now() + Duration::HOUR;
    assert_eq!(expires_at.unix_timestamp(), in_an_hour.unix_timestamp());
    let events = app.read(|uow| uow.audit().list_for(jane.user_id(), 10));
    let asked: Vec<_> =
        events.iter().filter(|event| event.action == Action::PasswordResetAsked).collect();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].actor, Actor::Anonymous);
    assert_eq!(asked[0].client, Some(client.address()));
    assert_eq!(asked[0].request_id.as_deref(), reply.header("x-request-id"));
});

on_every_storage!(m4_a_look_alike_of_an_address_is_another_mailbox, |app| {
    for email in ["mike@example.com", "kim@xn--bcher-kva.example"] {
        app.client().register(email).await;
    }
    app.mails();
    for look_alike in [
        "m\u{131}ke@example.com",
        "mi\u{212a}e@example.com",
        "m\u{456}ke@example.com",
        "\u{ff4d}ike@example.com",
        "mike\u{200b}@example.com",
        "mike+x@example.com",
        "m.ike@example.com",
        "mike@example.com.evil.example",
        "mike@ex\u{430}mple.com",
        "kim@bucher.example",
        "\u{212a}im@bücher.example",
    ] {
        let reply = ask(&app, look_alike).await;
        assert!(matches!(reply.status, 202 | 400), "{look_alike}: {}", reply.status);
    }
    assert!(app.mails().is_empty(), "M4");
    // The same domain in its other form, or in compatible letters, is the same domain.
    for (same, to) in [
        ("kim@bücher.example", "kim@xn--bcher-kva.example"),
        ("mike@\u{ff45}xample.com", "mike@example.com"),
    ] {
        ask(&app, same).await.expect(202);
        assert_eq!(app.told(), [(to.to_owned(), "reset_password")]);
    }
});
