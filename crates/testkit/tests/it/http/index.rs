use portcullis_testkit::app::TestApp;

#[actix_web::test]
async fn w2_the_front_page_is_plain_html_under_a_strict_policy() {
    let app = TestApp::memory().await;
    let reply = app.client().get("/").await.expect(200);
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    let policy = reply.header("content-security-policy").unwrap();
    for rule in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'"] {
        assert!(policy.contains(rule), "{policy}");
    }
    let page = reply.text();
    assert!(page.starts_with("<!doctype html>"), "{page}");
    for stranger in ["http://", "//cdn", "<script", " style=", "@import"] {
        assert!(!page.contains(stranger), "{stranger}");
    }
}

#[actix_web::test]
async fn w3_i14_nothing_of_the_request_is_reflected() {
    let app = TestApp::memory().await;
    for path in [
        "/?token=%3Cscript%3E",
        "/?next=//evil.example",
        "/?next=https://evil.example",
        "/?redirect_uri=https:evil.example&rd=/%5cevil.example",
    ] {
        let reply = app.client().get(path).header("host", "evil.example").await.expect(200);
        assert!(!reply.text().contains("evil") && !reply.text().contains("<script"), "{path}");
    }
    let lost = app.client().get("/%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert!(!lost.expect_error(404, "not_found").text().contains("script"));
}
