use portcullis_audit::{Action, Outcome};
use portcullis_testkit::{
    app::{AppOptions, Client, PASSWORD, Person, Reply, TestApp, all},
    on_every_storage,
};
use serde_json::json;
use time::Duration;

use crate::http::{jwt, routes::limit_headers};

const PATH: &str = "/v1/users/me/email";
const CONFIRM: &str = "/v1/users/me/email/confirm";
const NEW: &str = "jane.new@example.com";
const WRONG: &str = "a-wrong-Passw0rd";

async fn change(client: &Client<'_>, person: &Person, email: &str, password: &str) -> Reply {
    let body = json!({ "email": email, "password": password });
    client.post(PATH).bearer(&person.access).json(&body).await
}

async fn confirm(client: &Client<'_>, person: &Person, code: &str) -> Reply {
    client.post(CONFIRM).bearer(&person.access).json(&json!({ "code": code })).await
}

/// Asks for a change to [`NEW`] and gives the code that was mailed.
async fn asked(app: &TestApp, person: &Person) -> String {
    change(&app.client(), person, NEW, PASSWORD).await.expect(202);
    app.mailed("confirm_new_email")
}

/// A code that is not this one.
fn other(code: &str, n: u32) -> String {
    let number: u32 = code.parse().unwrap();
    format!("{:06}", (number + 1 + n) % 1_000_000)
}

#[track_caller]
fn assert_refused(reply: Reply) {
    reply.expect_error(401, "invalid_token");
}

on_every_storage!(o1_the_code_to_the_new_address_changes_it_once_and_the_old_one_is_told, |app| {
    let (client, jane) = (app.client(), app.verified("jane@example.com").await);
    let reply = change(&client, &jane, " Jane.New@Example.com ", PASSWORD).await.expect(202);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.json().as_object().unwrap().keys().collect::<Vec<_>>(), ["message"]);
    assert_eq!(client.me(&jane.access).await.json()["email"], "jane@example.com", "not yet");
    let mails = app.mails();
    let mut told: Vec<_> = mails.iter().map(|mail| (mail.to(), mail.kind())).collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [("Jane.New@example.com", "confirm_new_email"), ("jane@example.com", "email_change_asked")]
    );
    let code = mails.iter().find_map(|mail| mail.secret()).unwrap();
    assert!(code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()), "O1 {code}");

    let reply = confirm(&client, &jane, code).await.expect(200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!((limit_headers(&reply).0, reply.header("cache-control")), (100, Some("no-store")));
    assert_eq!(
        reply.json(),
        json!({
            "id": jane.id, "email": NEW, "display_name": "Jane Smith",
            "role": "verified_user", "email_verified": true, "created_at": "2026-03-04T05:06:07Z",
        })
    );
    assert_eq!(client.me(&jane.access).await.expect(200).json(), reply.json());
    assert_eq!(app.told(), [("jane@example.com".to_owned(), "email_changed")]);
    let again = client.try_sign_in(NEW, PASSWORD).await.expect(200);
    assert_eq!(again.string("/user/id"), jane.id);
    assert_eq!(jwt::claims(&again.string("/access_token"))["email"], NEW);
    let old = client.try_sign_in("jane@example.com", PASSWORD).await;
    old.expect_error(401, "invalid_credentials");
    client.refresh(&jane.refresh).await.expect(200);
    // O1: once is all it was good for, and the old address is free.
    assert_refused(confirm(&client, &jane, code).await);
    client.register("jane@example.com").await;
    let events = app.read(|uow| uow.audit().list_for(jane.user_id(), 20));
    let count = |action| events.iter().filter(|event| event.action == action).count();
    assert_eq!((count(Action::EmailChangeAsked), count(Action::EmailChanged)), (1, 1), "G3");
});

on_every_storage!(e1_a_taken_address_gets_the_same_answer_and_its_owner_is_told, |app| {
    let jane = app.verified("jane@example.com").await;
    app.client().register("John@example.com").await;
    app.mails();
    let free = change(&app.client(), &jane, NEW, PASSWORD).await.expect(202);
    app.mails();
    let taken = change(&app.client(), &jane, "john@example.com", PASSWORD).await.expect(202);
    assert_eq!(free.text(), taken.text());
    assert_eq!(free.header_names(), taken.header_names());
    assert_eq!(limit_headers(&free), limit_headers(&taken));
    let told =
        [("John@example.com", "new_email_taken"), ("jane@example.com", "email_change_asked")];
    assert_eq!(app.told(), told.map(|(to, kind)| (to.to_owned(), kind)));
    for n in 0..5 {
        assert_refused(confirm(&app.client(), &jane, &other("000000", n)).await);
    }
    assert_eq!(app.client().me(&jane.access).await.json()["email"], "jane@example.com");
});

on_every_storage!(o3_five_wrong_codes_and_the_right_one_is_dead, |app| {
    let jane = app.verified("jane@example.com").await;
    let code = asked(&app, &jane).await;
    for n in 0..4 {
        assert_refused(confirm(&app.client(), &jane, &other(&code, n)).await);
    }
    confirm(&app.client(), &jane, &code).await.expect(200);

    let john = app.verified("john@example.com").await;
    change(&app.client(), &john, "john.new@example.com", PASSWORD).await.expect(202);
    let code = app.mailed("confirm_new_email");
    for n in 0..5 {
        assert_refused(confirm(&app.client(), &john, &other(&code, n)).await);
    }
    assert_refused(confirm(&app.client(), &john, &code).await);
    assert_eq!(app.client().me(&john.access).await.json()["email"], "john@example.com");
    let events = app.read(|uow| uow.audit().list_for(john.user_id(), 20));
    let tries = events.iter().filter(|event| event.action == Action::EmailChanged);
    assert!(tries.clone().all(|event| event.outcome == Outcome::Failure));
    assert_eq!(tries.count(), 5, "G3");
});

on_every_storage!(o4_parallel_wrong_codes_do_not_outrun_the_count, |app| {
    let jane = app.verified("jane@example.com").await;
    let code = asked(&app, &jane).await;
    let requests = (0..40).map(|n| {
        let body = json!({ "code": other(&code, n) });
        app.client().post(CONFIRM).bearer(&jane.access).json(&body).into_future()
    });
    for reply in all(requests.collect()).await {
        assert_refused(reply);
    }
    assert_refused(confirm(&app.client(), &jane, &code).await);
});

on_every_storage!(o2_of_parallel_right_codes_one_succeeds, |app| {
    let jane = app.verified("jane@example.com").await;
    let body = json!({ "code": asked(&app, &jane).await });
    let requests =
        (0..4).map(|_| app.client().post(CONFIRM).bearer(&jane.access).json(&body).into_future());
    let statuses: Vec<u16> =
        all(requests.collect()).await.iter().map(|reply| reply.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 401)), "{statuses:?}");
});

on_every_storage!(o6_only_the_session_that_asked_may_confirm, |app| {
    let (client, jane) = (app.client(), app.verified("jane@example.com").await);
    let phone = client.sign_in(&jane.email).await;
    let john = app.client().register("john@example.com").await;
    let code = asked(&app, &jane).await;
    for someone_else in [&phone, &john] {
        assert_refused(confirm(&client, someone_else, &code).await);
    }
    confirm(&client, &jane, &code).await.expect(200);
});

on_every_storage!(o7_a_code_is_good_for_a_quarter_of_an_hour, |app| {
    app.verified("jane@example.com").await;
    let mut email = "jane@example.com";
    for (new, age, status) in [
        (NEW, Duration::minutes(15) - Duration::SECOND, 200),
        ("jane.late@example.com", Duration::minutes(15), 401),
    ] {
        let jane = app.client().sign_in(email).await;
        change(&app.client(), &jane, new, PASSWORD).await.expect(202);
        let code = app.mailed("confirm_new_email");
        app.clock().advance(age);
        // The same session, and an access token that has not expired.
        let refreshed = app.client().refresh(&jane.refresh).await.expect(200);
        let jane = Person { access: refreshed.string("/access_token"), ..jane };
        confirm(&app.client(), &jane, &code).await.expect(status);
        email = new;
    }
});

on_every_storage!(o11_only_the_newest_code_counts, |app| {
    let jane = app.verified("jane@example.com").await;
    let older = asked(&app, &jane).await;
    change(&app.client(), &jane, "other@example.com", PASSWORD).await.expect(202);
    let newer = app.mailed("confirm_new_email");
    if older != newer {
        assert_refused(confirm(&app.client(), &jane, &older).await);
    }
    let reply = confirm(&app.client(), &jane, &newer).await.expect(200);
    assert_eq!(reply.string("/email"), "other@example.com");
});

on_every_storage!(a_pending_change_dies_with_its_session_and_its_mail_with_it, |app| {
    let (client, jane) = (app.client(), app.verified("jane@example.com").await);
    change(&client, &jane, NEW, PASSWORD).await.expect(202);
    client.sign_out(&jane.access, &jane.refresh).await.expect(204);
    // A code that nobody can use any more is not mailed.
    assert_eq!(app.told(), [("jane@example.com".to_owned(), "email_change_asked")]);
    let again = client.sign_in(&jane.email).await;
    assert_refused(confirm(&client, &again, "000000").await);
    assert_eq!(client.me(&again.access).await.json()["email"], "jane@example.com");
});

on_every_storage!(a_pending_change_dies_with_a_proof_of_the_mailbox, |app| {
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let link = app.mailed("verify_email");
    let code = asked(&app, &jane).await;
    client.post("/v1/auth/verify-email").json(&json!({ "token": link })).await.expect(200);
    assert_refused(confirm(&client, &jane, &code).await);
});

on_every_storage!(what_went_to_the_old_address_proves_nothing_of_the_new_one, |app| {
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let link = app.mailed("verify_email");
    let body = json!({ "email": jane.email });
    client.post("/v1/auth/password/reset").json(&body).await.expect(202);
    let reset = app.mailed("reset_password");
    let code = asked(&app, &jane).await;
    let reply = confirm(&client, &jane, &code).await.expect(200);
    // The code proved the new address.
    assert_eq!(
        (reply.json()["role"].as_str(), &reply.json()["email_verified"]),
        (Some("verified_user"), &json!(true))
    );
    assert_refused(client.post("/v1/auth/verify-email").json(&json!({ "token": link })).await);
    let body = json!({ "token": reset, "password": WRONG });
    assert_refused(client.post("/v1/auth/password/reset/confirm").json(&body).await);
    client.sign_in(NEW).await;
});

on_every_storage!(an_address_taken_in_the_meantime_is_a_conflict, |app| {
    let jane = app.verified("jane@example.com").await;
    let code = asked(&app, &jane).await;
    app.client().register(NEW).await;
    confirm(&app.client(), &jane, &code).await.expect_error(409, "conflict");
    assert_eq!(app.client().me(&jane.access).await.json()["email"], "jane@example.com");
});

on_every_storage!(a_wrong_password_asks_for_nothing_and_counts, |app| {
    let (client, jane) = (app.client(), app.verified("jane@example.com").await);
    for (left, wrong) in [(4, WRONG), (3, ""), (2, " ")] {
        let reply = change(&client, &jane, NEW, wrong).await;
        let reply = reply.expect_error(401, "invalid_credentials");
        assert_eq!((limit_headers(&reply).0, reply.remaining()), (5, left));
    }
    assert_eq!(client.try_sign_in(&jane.email, PASSWORD).await.expect(200).remaining(), 1);
    assert_eq!(change(&client, &jane, NEW, PASSWORD).await.expect(202).remaining(), 0);
    change(&client, &jane, NEW, PASSWORD).await.expect_error(429, "rate_limited");
    assert_eq!(app.mails().len(), 2);
});

#[actix_web::test]
async fn o5_l9_three_codes_an_hour_to_one_address_and_the_same_answers() {
    let app = TestApp::memory().await;
    let jane = app.verified("jane@example.com").await;
    let mut answers = Vec::new();
    let mut codes = 0;
    for _ in 0..6 {
        answers.push(change(&app.client(), &jane, NEW, PASSWORD).await.expect(202));
        codes += app.mails().iter().filter(|mail| mail.kind() == "confirm_new_email").count();
    }
    assert!(answers.iter().all(|answer| answer.text() == answers[0].text()));
    assert_eq!(codes, 3);
}

#[actix_web::test]
async fn o8_a_code_is_six_ascii_digits_in_a_string() {
    let app = TestApp::memory().await;
    let jane = app.verified("jane@example.com").await;
    let code = asked(&app, &jane).await;
    let number: u32 = code.parse().unwrap();
    for value in [json!(number), json!([code]), json!(null), json!({ "code": code }), json!("")] {
        let request = app.client().post(CONFIRM).bearer(&jane.access);
        let reply = request.json(&json!({ "code": value })).await;
        let reply = reply.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), ["code"], "{value}");
    }
    let full_width: String =
        code.chars().filter_map(|c| char::from_u32(c as u32 + 0xfee0)).collect();
    for text in [
        format!(" {code}"),
        format!("{code}\n"),
        format!("{code}0"),
        format!("+{}", &code[1..]),
        code[..5].to_owned(),
        format!("{}-{}", &code[..3], &code[3..]),
        full_width,
        "x".repeat(60_000),
    ] {
        assert_refused(confirm(&app.client(), &jane, &text).await);
    }
    confirm(&app.client(), &jane, &code).await.expect(200);
}

#[actix_web::test]
async fn every_broken_field_is_named_and_checks_no_password() {
    let app = TestApp::memory().await;
    let jane = app.verified("jane@example.com").await;
    for (body, fields) in [
        (json!({}), vec!["email", "password"]),
        (json!({ "email": "x", "password": 5 }), vec!["email", "password"]),
        (json!({ "email": [NEW], "password": PASSWORD }), vec!["email"]),
        (json!({ "email": "JANE@example.com", "password": PASSWORD }), vec!["email"]),
        (json!({ "email": NEW }), vec!["password"]),
    ] {
        let reply = app.client().post(PATH).bearer(&jane.access).json(&body).await;
        let reply = reply.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), fields, "{body}");
        assert_eq!(limit_headers(&reply).0, 100);
    }
    assert!(app.mails().is_empty());
}

#[actix_web::test]
async fn an_address_of_a_domain_that_is_not_admitted_is_forbidden() {
    let mut options = AppOptions::default();
    options.engine.registration.domains = vec!["example.com".to_owned()];
    let app = TestApp::memory_with(options).await;
    let jane = app.verified("jane@example.com").await;
    let reply = change(&app.client(), &jane, "jane@elsewhere.example", PASSWORD).await;
    reply.expect_error(403, "forbidden");
    change(&app.client(), &jane, NEW, PASSWORD).await.expect(202);
}

#[actix_web::test]
async fn without_a_pending_change_there_is_nothing_to_confirm() {
    let app = TestApp::memory().await;
    let jane = app.verified("jane@example.com").await;
    assert_refused(confirm(&app.client(), &jane, "000000").await);
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        for path in [PATH, CONFIRM] {
            app.client().request(method, path).bearer(&jane.access).await.expect(405);
        }
    }
}
