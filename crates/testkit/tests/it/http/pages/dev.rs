use portcullis_email::Message;
use portcullis_kernel::MailId;
use portcullis_testkit::{
    app::{AppOptions, Client, Reply, Request, TestApp},
    entropy::SeededEntropy,
    on_every_storage,
};

use super::browser::{Browser, FORM, forms, read};

const LIST: &str = "/dev/inbox";

async fn in_development() -> TestApp {
    TestApp::memory_with(AppOptions { dev_inbox: true, ..AppOptions::default() }).await
}

fn here(app: &TestApp) -> Client<'_> {
    app.client_at([127, 0, 0, 1])
}

fn ask<'a>(client: &Client<'a>, method: &str, path: &str) -> Request<'a> {
    client.request(method, path).header("host", "127.0.0.1:8080")
}

fn put(app: &TestApp, n: u8, subject: &str) -> MailId {
    let id = MailId::generate(&SeededEntropy::new(u64::from(n) + 100)).unwrap();
    let link = format!("http://127.0.0.1:8080/verify-email?token=uvt_{n}");
    let message = Message {
        to: format!("p{n}@example.com"),
        subject: subject.to_owned(),
        text: format!("Hello <b>,\n\n{link}\n\njavascript:alert(1)"),
        html: format!("<!doctype html><html><head><title>x</title></head><a href=\"{link}\">x</a>"),
    };
    app.engine().put_in_inbox(id, &message).unwrap();
    id
}

#[actix_web::test]
async fn mails_are_listed_shown_and_thrown_away() {
    let app = in_development().await;
    let client = here(&app);
    assert!(read(&ask(&client, "GET", LIST).await.expect(200)).contains("No mail yet."));
    put(&app, 1, "The first");
    app.clock().advance(time::Duration::MINUTE);
    let id = put(&app, 2, "The second <script>alert(1)</script>");
    let list = ask(&client, "GET", LIST).await.expect(200);
    let text = read(&list);
    assert!(text.find("The second <script>").unwrap() < text.find("The first").unwrap());
    assert!(text.contains("to p2@example.com · 4 March 2026, 05:07 UTC"), "{text}");

    let mail = ask(&client, "GET", &format!("{LIST}/{id}")).await.expect(200);
    let link = "http:&#x2f;&#x2f;127.0.0.1:8080&#x2f;verify-email?token=uvt_2";
    assert!(mail.text().contains(&format!("<a href=\"{link}\">{link}</a>")), "{}", mail.text());
    assert!(!mail.text().contains("<b>") && !mail.text().contains("href=\"javascript"), "W3");
    let frame = format!(
        "sandbox=\"allow-popups allow-popups-to-escape-sandbox\" src=\"/dev/inbox/{id}/html\""
    );
    assert!(mail.text().contains(&frame));
    let policy = mail.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-src 'self'"));

    let html = ask(&client, "GET", &format!("{LIST}/{id}/html")).await.expect(200);
    assert!(html.text().contains("<base target=\"_blank\">"));
    for unknown in ["eml_00000000000000000000000000000000", "x", "clear"] {
        for path in [format!("{LIST}/{unknown}"), format!("{LIST}/{unknown}/html")] {
            let reply = ask(&client, "GET", &path).await;
            assert!(matches!(reply.status, 404 | 405), "{path}");
        }
    }
    assert_eq!(forms(&list)[0].buttons, ["Empty the inbox"]);
    let clear = format!("{LIST}/clear");
    let foreign = ask(&client, "POST", &clear).header("origin", "https://evil.example");
    foreign.body(FORM, "").await.expect(403);
    ask(&client, "POST", &clear).body(FORM, "").await.expect(303);
    assert!(read(&ask(&client, "GET", LIST).await).contains("No mail yet."));
}

#[actix_web::test]
async fn the_inbox_is_there_for_whoever_sits_at_the_machine_alone() {
    let app = in_development().await;
    let id = put(&app, 1, "A mail");
    let paths = [
        ("GET", LIST.to_owned()),
        ("GET", format!("{LIST}/{id}")),
        ("GET", format!("{LIST}/{id}/html")),
        ("POST", format!("{LIST}/clear")),
    ];
    for (method, path) in &paths {
        let refused = |reply: Reply| {
            assert!(read(&reply.expect(404)).contains("There is no such page"), "{path}");
        };
        refused(ask(&app.client(), method, path).await);
        refused(ask(&app.client_at([192, 168, 0, 1]), method, path).await);
        for name in ["x-forwarded-for", "x-forwarded-host", "forwarded", "x-real-ip", "via"] {
            refused(ask(&here(&app), method, path).header(name, "127.0.0.1").await);
        }
        for host in
            ["evil.example", "localhost.evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1"]
        {
            refused(here(&app).request(method, path).header("host", host).await);
        }
        refused(here(&app).request(method, path).await);
        // Another method tells nobody else that there is something.
        refused(ask(&app.client(), "PUT", path).await);
        ask(&here(&app), "PUT", path).await.expect(405);
    }
    for host in ["localhost:8080", "[::1]:8080", "127.0.0.1"] {
        here(&app).get(LIST).header("host", host).await.expect(200);
    }
    let v6: std::net::Ipv6Addr = "::1".parse().unwrap();
    ask(&app.client_at(v6), "GET", LIST).await.expect(200);
}

#[actix_web::test]
async fn without_development_there_is_no_inbox() {
    let app = TestApp::memory().await;
    put(&app, 1, "A mail");
    for (method, path) in [("GET", LIST), ("POST", "/dev/inbox/clear"), ("PUT", LIST)] {
        ask(&here(&app), method, path).await.expect(404);
    }
    assert!(!app.client().get("/").await.text().contains("/dev"));
    let app = in_development().await;
    assert!(app.client().get("/").await.text().contains("href=\"/dev/inbox\""));
}

on_every_storage!(c1_a_mail_of_the_inbox_is_opened_by_its_own_server, |app| {
    let id = put(&app, 1, "A mail");
    let found = app.engine().find_in_inbox(id).unwrap().unwrap();
    assert_eq!(found.message.subject, "A mail");
    assert_eq!(app.engine().list_inbox().unwrap().len(), 1);
    assert!(!Browser::new(&app).is_signed_in().await);
});
