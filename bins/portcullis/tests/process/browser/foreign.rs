//! Pages of other origins cannot act for somebody who is signed in, nor sign them in.

use portcullis_testkit_browser::{Browser, Page, Settings};
use serde_json::{Value, json};

use super::{
    Person,
    stranger::{Form, Stranger},
};
use crate::harness::{Account, Home, Request, Server, Tokens};

const MALLORY: &str = "mallory@example.com";

/// Somebody who is signed in, and what is known of their account by other means.
struct Scene {
    person: Person,
    account: Account,
    tokens: Tokens,
    server: Server,
    _home: Home,
}

fn scene(browser: &Browser) -> Scene {
    let mut home = Home::on_sqlite();
    home.without_limits();
    let (server, account) = (home.start(), Account::new());
    let tokens = account.register(&mut server.client());
    let page = browser.open(Settings::default());
    let person = Person::with(page, &server);
    person.sign_in(&account);
    Scene { person, account, tokens, server, _home: home }
}

impl Scene {
    /// All that a stranger would want to change.
    fn state(&self) -> (Value, Value, usize) {
        let ask = |request: Request| self.server.client().ask(&request).with_status(200);
        let get = |path: &str| ask(Request::get(path).bearer(&self.tokens.access)).json();
        let mut sessions = get("/v1/auth/sessions");
        for session in sessions["sessions"].as_array_mut().unwrap() {
            session["last_used_at"].take();
        }
        let mails = ask(Request::get("/dev/inbox")).text();
        (get("/v1/users/me"), sessions, mails.matches("/dev/inbox/eml_").count())
    }

    /// Every form that changes something, with the best that a stranger can put into it.
    fn forms(&self) -> Vec<Form> {
        let password = self.account.password.as_str();
        let session = self.tokens.claims()["sid"].as_str().unwrap().to_owned();
        self.person.open("/account");
        let csrf = self.person.page.find("[name=csrf]").attribute("value").unwrap();
        let csrf = ("csrf", csrf.as_str());
        [
            ("/account/profile", vec![("display_name", "Mallory")]),
            ("/account/profile", vec![csrf, ("display_name", "Mallory")]),
            (
                "/account/password",
                vec![
                    csrf,
                    ("current_password", password),
                    ("new_password", "the choice of Mallory"),
                ],
            ),
            ("/account/email", vec![csrf, ("email", MALLORY), ("password", password)]),
            ("/account/email/resend", vec![csrf]),
            ("/account/sessions/end", vec![csrf, ("session", &session)]),
            ("/account/sessions/end-others", vec![csrf]),
            ("/account/delete", vec![csrf, ("password", password)]),
            ("/account/sign-out", vec![csrf]),
            ("/account/sign-in", vec![("email", &self.account.email), ("password", password)]),
            ("/account/register", vec![("email", MALLORY), ("password", password)]),
            ("/reset-password", vec![("email", &self.account.email)]),
            ("/verify-email/resend", vec![("email", &self.account.email)]),
            ("/dev/inbox/clear", vec![]),
        ]
        .iter()
        .map(|(path, fields)| Form::new(&self.person.url(path), fields))
        .collect()
    }

    /// Opens the stranger's page and sends each of its forms.
    #[track_caller]
    fn fall_for(&self, url: &str, forms: usize, refused: impl Fn(&Page) -> bool) {
        let page = &self.person.page;
        for number in 0..forms {
            page.goto(url);
            page.find(&format!("#f{number} button")).follow();
            assert!(refused(page), "form {number} of {url}: {} {}", page.url(), page.source());
        }
    }
}

fn html(forms: &[Form]) -> String {
    let forms: String = forms.iter().enumerate().map(|(n, form)| form.html(n)).collect();
    format!("<!doctype html><title>A prize</title>{forms}")
}

#[test]
fn w5_no_form_of_another_origin_does_anything() {
    let Some(browser) = Browser::for_tests() else { return };
    let scene = scene(&browser);
    let (forms, before) = (scene.forms(), scene.state());
    let page = html(&forms);
    let told = |page: &Page| page.text("main").contains("This form was sent by another site.");
    // A page may hide where it is (`Origin: null`), or have no origin at all.
    for (headers, host) in [
        ("", "127.0.0.1"),
        ("", "localhost"),
        ("Referrer-Policy: no-referrer\r\n", "127.0.0.1"),
        ("Content-Security-Policy: sandbox allow-forms\r\n", "127.0.0.1"),
    ] {
        let stranger = Stranger::start(headers, &page);
        // The check is the same for all of them; the first round shows that each has it.
        let count = if headers.is_empty() && host == "127.0.0.1" { forms.len() } else { 3 };
        scene.fall_for(&stranger.url(host), count, told);
        assert_eq!(scene.state(), before, "{headers}{host}");
    }
    scene.person.open("/account");
    assert!(scene.person.is_signed_in());
}

#[test]
fn w5_json_that_another_origin_sends_as_text_is_refused() {
    let Some(browser) = Browser::for_tests() else { return };
    let scene = scene(&browser);
    let before = scene.state();
    let (email, password) = (&scene.account.email, &scene.account.password);
    let objects = [
        ("/v1/auth/register", json!({ "email": MALLORY, "password": password, "x": "=" })),
        ("/v1/auth/login", json!({ "email": email, "password": password, "x": "=" })),
        ("/v1/auth/password/reset", json!({ "email": email, "x": "=" })),
        ("/v1/auth/verify-email/resend", json!({ "email": email, "x": "=" })),
        ("/account/profile", json!({ "display_name": "Mallory", "x": "=" })),
        ("/account/sign-out", json!({ "x": "=" })),
    ];
    let url = |path: &str| scene.person.url(path);
    let forms = objects.iter().map(|(path, object)| Form::json(&url(path), &object.to_string()));
    let forms: Vec<Form> = forms.collect();
    let stranger = Stranger::start("", &html(&forms)).url("127.0.0.1");
    scene.fall_for(&stranger, forms.len(), |page| {
        let source = page.source();
        source.contains("unsupported_media_type")
            || source.contains("This page takes what a form of a browser sends.")
    });
    // A script may send text as it likes, and has to ask first for anything else.
    scene.person.page.goto(&stranger);
    for (path, object) in &objects {
        let sent = fetch(&url(path), "POST", "no-cors", "text/plain", &object.to_string());
        assert_eq!(scene.person.page.evaluate(&sent), "opaque", "{path}");
        let sent = fetch(&url(path), "POST", "cors", "application/json", &object.to_string());
        assert_eq!(scene.person.page.evaluate(&sent), "refused", "{path}");
    }
    for (path, method) in [("/v1/users/me", "DELETE"), ("/v1/auth/sessions", "DELETE")] {
        let sent = fetch(&url(path), method, "cors", "application/json", "{}");
        assert_eq!(scene.person.page.evaluate(&sent), "refused", "{path}");
    }
    assert_eq!(scene.state(), before);
    scene.person.open("/account");
    assert!(scene.person.is_signed_in());
}

/// A script that sends this with all cookies; it gives the type of the answer.
fn fetch(url: &str, method: &str, mode: &str, kind: &str, body: &str) -> String {
    let options = json!({
        "method": method, "mode": mode, "credentials": "include", "body": body,
        "headers": { "Content-Type": kind },
    });
    format!("fetch('{url}', {options}).then(answer => answer.type, () => 'refused')")
}

/// Another server on the machine can plant cookies, since those are for every port.
#[test]
fn w5_a_stranger_signs_nobody_in_as_themselves() {
    let Some(browser) = Browser::for_tests() else { return };
    let mut home = Home::on_sqlite();
    home.without_limits();
    let (server, mallory) = (home.start(), Account::new());
    mallory.register(&mut server.client());
    // Their own form, with the cookie that belongs to it.
    let own = server.client().get("/account").with_status(200);
    let cookie = own.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let text = own.text();
    let (_, rest) = text.split_once("name=\"csrf\" value=\"").unwrap();
    let csrf = rest.split('"').next().unwrap();
    let person = Person::new(&browser, &server);
    let fields =
        [("csrf", csrf), ("email", mallory.email.as_str()), ("password", &mallory.password)];
    let form = Form::new(&person.url("/account/sign-in"), &fields);
    let stranger = Stranger::start(&format!("Set-Cookie: {cookie}; Path=/\r\n"), &html(&[form]));
    person.page.goto(&stranger.url("127.0.0.1"));
    assert!(person.page.cookie("portcullis-form").is_some(), "the cookie is planted");
    person.press("Win a prize");
    assert!(person.reads().contains("This form was sent by another site."), "{}", person.reads());
    assert_eq!(person.page.cookie("portcullis"), None);
    person.open("/account");
    assert!(!person.is_signed_in());
}

#[test]
fn w2_no_page_is_shown_inside_another() {
    let Some(browser) = Browser::for_tests() else { return };
    let scene = scene(&browser);
    let paths = ["/account", "/account/delete", "/reset-password", "/dev/inbox"];
    let frames = paths.map(|path| format!("<iframe src='{}'></iframe>", scene.person.url(path)));
    let frames = format!("<!doctype html><title>A prize</title>{}", frames.concat());
    let stranger = Stranger::start("", &frames);
    let page = &scene.person.page;
    page.goto(&stranger.url("127.0.0.1"));
    let mut console = Vec::new();
    page.wait_for("refusals of frames", || {
        console.extend(page.console());
        let refused = |line: &&String| line.contains("frame-ancestors 'none'");
        (console.iter().filter(refused).count() == paths.len()).then_some(())
    });
}
