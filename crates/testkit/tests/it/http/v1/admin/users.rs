use portcullis_audit::Actor;
use portcullis_flows::admin::CreateUser;
use portcullis_identity::Role;
use portcullis_kernel::{Cursor, Field, Origin};
use portcullis_testkit::{
    app::{Person, Reply, TestApp},
    on_every_storage,
};
use serde_json::{Value, json};
use time::Duration;

use crate::http::routes::of_administrators;

const PATH: &str = "/v1/admin/users";

async fn list(app: &TestApp, admin: &Person, query: &str) -> Reply {
    app.client().get(&format!("{PATH}?{query}")).bearer(&admin.access).await
}

fn emails(reply: &Reply) -> Vec<String> {
    let body = reply.json();
    let users = body["users"].as_array().unwrap().iter();
    users.map(|user| user["email"].as_str().unwrap().to_owned()).collect()
}

/// An account that an operator makes, a second after the one before.
fn create(app: &TestApp, email: &str, role: &str) {
    app.clock().advance(Duration::SECOND);
    let email = Field::from(email);
    let input = CreateUser { email, role: role.into(), ..CreateUser::default() };
    app.engine().create_user(input, Actor::Operator, &Origin::local()).unwrap();
}

on_every_storage!(only_administrators_administer_by_their_role_as_it_is_now, |app| {
    let jane = app.client().register("jane@example.com").await;
    let (id, local) = (jane.user_id(), Origin::local());
    for role in [Role::User, Role::VerifiedUser, Role::Host] {
        app.engine().set_role(id, role, Actor::Operator, &local).unwrap();
        for route in of_administrators() {
            route.ask_as(&app.client(), &jane).await.expect_error(403, "forbidden");
        }
        app.clock().advance(Duration::MINUTE);
    }
    let statuses = async || {
        let mut statuses = Vec::new();
        for route in of_administrators() {
            statuses.push(route.ask_as(&app.client(), &jane).await.status);
        }
        statuses
    };
    // No new token is needed for a new role, and none keeps an old one.
    app.engine().set_role(id, Role::Admin, Actor::Operator, &local).unwrap();
    assert_eq!(
        statuses().await,
        [200, 404, 404, 404, 404, 404, 404, 201, 200, 404, 200, 201, 404, 404, 404, 404, 404, 404]
    );
    app.engine().set_role(id, Role::User, Actor::Operator, &local).unwrap();
    assert_eq!(statuses().await, [403; 18]);
});

#[actix_web::test]
async fn a_role_is_asked_for_before_the_content_is_looked_at() {
    let app = TestApp::memory().await;
    let jane = app.client().register("jane@example.com").await;
    for route in of_administrators() {
        let path = format!("{}?limit=x&limit=y&role=root", route.path);
        let request = app.client().request(route.method, &path).bearer(&jane.access);
        request.body("application/json", "{").await.expect_error(403, "forbidden");
        app.client().request(route.method, &path).await.expect_error(401, "unauthorized");
    }
}

on_every_storage!(accounts_are_listed_in_pages_the_oldest_first, |app| {
    let admin = app.admin("admin@example.com").await;
    for n in 0..5 {
        create(&app, &format!("p{n}@example.com"), "user");
    }
    let reply = list(&app, &admin, "limit=4").await.expect(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(
        reply.json()["users"][0],
        json!({
            "id": admin.id, "email": "admin@example.com", "display_name": "Jane Smith",
            "role": "admin", "email_verified": false, "created_at": "2026-03-04T05:06:07Z",
            "status": "active",
        })
    );
    assert_eq!(
        emails(&reply),
        ["admin@example.com", "p0@example.com", "p1@example.com", "p2@example.com"]
    );
    let next = reply.string("/next_cursor");
    let rest = list(&app, &admin, &format!("limit=4&cursor={next}")).await.expect(200);
    assert_eq!(emails(&rest), ["p3@example.com", "p4@example.com"]);
    assert_eq!(rest.json()["next_cursor"], Value::Null);
    // A page that ends with the list says so.
    let exact = list(&app, &admin, &format!("limit=2&cursor={next}")).await.expect(200);
    assert_eq!((emails(&exact).len(), &exact.json()["next_cursor"]), (2, &Value::Null));
});

on_every_storage!(accounts_are_filtered_by_every_parameter_given, |app| {
    let admin = app.admin("admin@example.com").await;
    for (email, role) in [
        ("jane@example.com", "user"),
        ("john@example.com", "host"),
        ("jane@other.example", "host"),
        ("100%_sure@example.com", "user"),
    ] {
        create(&app, email, role);
    }
    let john = app.engine().find_user("john@example.com").unwrap().id;
    app.engine().suspend_user(john, Actor::Operator, &Origin::local()).unwrap();
    for (query, wanted) in [
        ("email=JANE%40", vec!["jane@example.com", "jane@other.example"]),
        ("email=+jane+", vec!["jane@example.com", "jane@other.example"]),
        ("email=%25", vec!["100%_sure@example.com"]),
        ("email=_", vec!["100%_sure@example.com"]),
        ("email=%27%20OR%201%3D1--", vec![]),
        ("role=host", vec!["john@example.com", "jane@other.example"]),
        ("status=suspended", vec!["john@example.com"]),
        ("role=host&status=active", vec!["jane@other.example"]),
        ("role=host&email=john&status=active", vec![]),
        ("role=admin&anything=else&anything=twice", vec!["admin@example.com"]),
    ] {
        let reply = list(&app, &admin, query).await.expect(200);
        assert_eq!(emails(&reply), wanted, "I8 {query}");
        assert_eq!(reply.json()["next_cursor"], Value::Null);
    }
});

on_every_storage!(i17_every_bad_parameter_is_named_and_reaches_no_database, |app| {
    let admin = app.admin("admin@example.com").await;
    let foreign = Cursor::after(format!("ivt_{}", "0".repeat(32))).encode();
    let shown = Cursor::after(admin.email.clone()).encode();
    for (query, named) in [
        ("limit=0", vec!["limit"]),
        ("limit=201", vec!["limit"]),
        ("limit=4294967296", vec!["limit"]),
        ("limit=18446744073709551617", vec!["limit"]),
        ("limit=-1", vec!["limit"]),
        ("limit=%2B5", vec!["limit"]),
        ("limit=1e1", vec!["limit"]),
        ("limit=", vec!["limit"]),
        ("limit", vec!["limit"]),
        ("limit=5&limit=5", vec!["limit"]),
        ("limit=5&%6cimit=5", vec!["limit"]),
        ("cursor=x", vec!["cursor"]),
        ("cursor=", vec!["cursor"]),
        (&format!("cursor={foreign}"), vec!["cursor"]),
        (&format!("cursor={shown}"), vec!["cursor"]),
        (&format!("cursor={}", "A".repeat(10_000)), vec!["cursor"]),
        ("email=%00", vec!["email"]),
        ("email=%ff", vec!["email"]),
        ("email=", vec!["email"]),
        (&format!("email={}", "x".repeat(300)), vec!["email"]),
        ("role=guest", vec!["role"]),
        ("role=Admin", vec!["role"]),
        ("role=", vec!["role"]),
        ("role=user&role=host", vec!["role"]),
        ("status=deleted", vec!["status"]),
        (
            "limit=x&cursor=x&email=%00&role=x&status=x",
            vec!["cursor", "email", "limit", "role", "status"],
        ),
    ] {
        let reply = list(&app, &admin, query).await.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), named, "{query}");
        assert_eq!(reply.string("/error/message"), "Request validation failed.");
    }
    for query in ["", "&&", "limit=200", "limit=1", "x=%ff", "email=%F0%9F%A6%80"] {
        list(&app, &admin, query).await.expect(200);
    }
});

#[actix_web::test]
async fn a_page_has_fifty_rows_unless_asked_otherwise() {
    let app = TestApp::memory().await;
    let admin = app.admin("admin@example.com").await;
    for n in 0..60 {
        create(&app, &format!("p{n}@example.com"), "user");
    }
    assert_eq!(emails(&list(&app, &admin, "").await.expect(200)).len(), 50);
    assert_eq!(emails(&list(&app, &admin, "limit=200").await.expect(200)).len(), 61);
}
