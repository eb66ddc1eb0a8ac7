//! What every answer must keep, whatever was asked.

use std::sync::OnceLock;

use serde_json::Value;

use super::{Declared, Reply};

/// Texts that show the inside of the server (G4).
const INTERNALS: [&str; 11] = [
    "diesel",
    "sqlite",
    "postgres",
    "libpq",
    "SELECT ",
    "INSERT ",
    "panicked",
    "backtrace",
    ".rs:",
    "portcullis_",
    "registry/src",
];

/// The media type of pages.
const PAGE: &str = "text/html; charset=utf-8";

/// Where a page is told instead of JSON, to who prefers it.
const PAGE_OF_AGENTS: &str = "/api/auth/verify-email";

/// Where pages are.
const PAGES: [&str; 5] = ["/verify-email", "/reset-password", "/claim", "/account", "/dev"];

/// What pages of any origin may read.
const FOR_EVERYBODY: [&str; 3] =
    ["/.well-known/oauth-protected-resource", "/.well-known/oauth-authorization-server", MANIFEST];

/// What tells agents in words how to sign up.
const MANIFEST: &str = "/auth.md";

/// The form of a surface's errors.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Surface {
    People,
    Agents,
    OAuth,
    Problem,
    Page,
}

impl Surface {
    /// By the prefix, as the table in the specification says; percent-encoded letters are letters.
    fn of(uri: &str) -> Self {
        let path = decoded(uri.split('?').next().unwrap_or_default());
        let path = path.as_str();
        let is_under = |prefix: &str| path == prefix || path.starts_with(&format!("{prefix}/"));
        if path.starts_with("/v1/auth/agent") {
            Self::Problem
        } else if ["/v1/auth", "/v1/users", "/v1/admin"].into_iter().any(is_under) {
            Self::People
        } else if ["/api", "/health", "/ready"].into_iter().any(is_under) {
            Self::Agents
        } else if is_under("/oauth2") {
            Self::OAuth
        } else if PAGES.into_iter().any(is_under) {
            Self::Page
        } else {
            Self::Problem
        }
    }
}

/// A path whose percent-encoded ASCII letters are letters.
fn decoded(path: &str) -> String {
    let mut parts = path.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let letter = part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let Some((letter, rest)) = letter.filter(u8::is_ascii_alphanumeric).zip(part.get(2..)) {
            text.push(char::from(letter));
            text.push_str(rest);
        } else {
            text.push('%');
            text.push_str(part);
        }
    }
    text
}

/// # Panics
/// When the answer breaks a rule.
pub(super) fn check(method: &str, uri: &str, reply: &Reply) {
    let asked =
        format!("{method} {uri}: {} {}", reply.status, String::from_utf8_lossy(&reply.body));
    check_headers(reply, &asked);
    check_cors(uri, reply, &asked);
    check_places(Surface::of(uri), reply, &asked);
    check_body(method, uri, reply, &asked);
    check_declared(method, uri, reply, &asked);
}

fn check_headers(reply: &Reply, asked: &str) {
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{asked}");
    let id = reply.header("x-request-id").unwrap_or_default();
    assert!((8..=64).contains(&id.len()), "{asked}: {id}");
    assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)), "{asked}: {id}");
    for banner in ["server", "x-powered-by", "via"] {
        assert_eq!(reply.header(banner), None, "{asked}");
    }
    let has = |name: &str| reply.headers.contains_key(name);
    match reply.status {
        401 | 402 => assert!(has("www-authenticate"), "W6 {asked}"),
        405 => assert!(has("allow"), "I10 {asked}"),
        429 => {
            assert!(reply.number("retry-after") >= 1, "{asked}");
            assert_eq!(reply.remaining(), 0, "{asked}");
        }
        503 => assert!(reply.number("retry-after") >= 1, "{asked}"),
        500 => panic!("{asked}"),
        _ => {}
    }
    let challenged = matches!(reply.status, 401 | 402);
    assert_eq!(has("www-authenticate"), challenged, "{asked}");
    assert_eq!(has("allow"), reply.status == 405, "{asked}");
    let limits = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];
    if limits.into_iter().any(has) || reply.status == 429 {
        for name in limits {
            assert!(reply.number(name) >= 0, "L10 {asked}");
        }
        assert!(reply.number("x-ratelimit-remaining") <= reply.number("x-ratelimit-limit"));
    }
}

/// W4: pages of other origins may read what describes the server to everybody, and nothing else.
fn check_cors(uri: &str, reply: &Reply, asked: &str) {
    let open = reply.status == 200 && FOR_EVERYBODY.contains(&uri.split('?').next().unwrap_or(uri));
    let mut names = reply.header_names();
    names.retain(|name| name.starts_with("access-control-"));
    let wanted: &[&str] = if open { &["access-control-allow-origin"] } else { &[] };
    assert_eq!(names, wanted, "W4 {asked}");
    assert_eq!(reply.header("access-control-allow-origin"), open.then_some("*"), "W4 {asked}");
}

/// Cookies, and where a browser is sent.
fn check_places(surface: Surface, reply: &Reply, asked: &str) {
    let location = reply.header("location");
    assert_eq!(location.is_some(), reply.status == 303, "{asked}");
    if let Some(to) = location {
        assert!(surface == Surface::Page && to.starts_with('/'), "I14 {asked}: {to}");
        assert!(!to.contains("//") && !to.contains('\\'), "I14 {asked}: {to}");
    }
    for cookie in reply.cookies() {
        assert!(surface == Surface::Page, "{asked}: {cookie}");
        let (pair, flags) = cookie.split_once("; ").expect("flags");
        let (name, value) = pair.split_once('=').expect("a value");
        let (plain, secure) = (name.trim_start_matches("__Host-"), name.starts_with("__Host-"));
        assert!(["portcullis", "portcullis-form"].contains(&plain), "{asked}: {cookie}");
        let mut wanted = "Path=/; HttpOnly; SameSite=Lax".to_owned();
        wanted.push_str(if secure { "; Secure" } else { "" });
        wanted.push_str(if value.is_empty() { "; Max-Age=0" } else { "" });
        assert_eq!(flags, wanted, "{asked}: {cookie}");
    }
}

fn check_body(method: &str, uri: &str, reply: &Reply, asked: &str) {
    let text = reply.text();
    for internal in INTERNALS {
        assert!(!text.contains(internal), "G4 {asked}");
    }
    let path = uri.split('?').next();
    let is_manifest = path == Some(MANIFEST);
    // Public by purpose, and random: any of the prefixes may stand in a key.
    let is_key_set = path == Some("/.well-known/jwks.json");
    let prefixes = ["rt_", "eyJ", "rk_", "sk_", "evt_", "clm_", "cvt_", "crt_", "anon_", "live_"];
    let holds_secret = prefixes.into_iter().any(|prefix| text.contains(prefix));
    if holds_secret && !uri.starts_with("/openapi") && !is_manifest && !is_key_set {
        assert_eq!(reply.header("cache-control"), Some("no-store"), "W1 {asked}");
    }
    let media_type = reply.header("content-type");
    if text.is_empty() {
        let revoked = uri == "/oauth2/revoke" && reply.status == 200;
        let bare = revoked || matches!(reply.status, 204 | 303);
        assert!(method == "HEAD" || bare, "no body: {asked}");
        return;
    }
    assert_ne!(reply.status, 204, "{asked}");
    let surface = Surface::of(uri);
    if media_type == Some(PAGE) {
        check_page(reply, uri, asked);
    }
    if reply.status < 400 {
        let known = ["application/json", PAGE, "text/css; charset=utf-8", "image/svg+xml"];
        let known = known.into_iter().chain(is_manifest.then_some("text/markdown; charset=utf-8"));
        assert!(
            media_type.is_some_and(|m| known.into_iter().any(|k| k == m)),
            "I12 {asked}: {media_type:?}"
        );
        assert!(surface != Surface::Page || media_type == Some(PAGE), "I12 {asked}");
        return;
    }
    if media_type == Some(PAGE) && uri.split('?').next() == Some(PAGE_OF_AGENTS) {
        return;
    }
    let wanted = match surface {
        Surface::Problem => "application/problem+json",
        Surface::Page => PAGE,
        _ => "application/json",
    };
    assert_eq!(media_type, Some(wanted), "I12 {asked}");
    if surface != Surface::Page {
        check_envelope(surface, reply, asked);
    }
}

/// W2: a strict policy, nothing of other sites, no script and no style of its own.
fn check_page(reply: &Reply, uri: &str, asked: &str) {
    assert_eq!(reply.header("cache-control"), Some("no-store"), "W1 {asked}");
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"), "W2 {asked}");
    assert_eq!(reply.header("cross-origin-opener-policy"), Some("same-origin"), "{asked}");
    let policy = reply.header("content-security-policy").unwrap_or_default();
    let rules: Vec<&str> = policy.split("; ").collect();
    assert!(rules.contains(&"default-src 'none'") && rules.contains(&"base-uri 'none'"), "{asked}");
    assert!(!policy.contains("script") && !policy.contains("http"), "W2 {asked}: {policy}");
    let page = reply.text();
    assert!(page.starts_with("<!doctype html>"), "{asked}");
    if uri.starts_with("/dev/inbox/") && uri.ends_with("/html") && reply.status == 200 {
        assert!(rules.contains(&"frame-ancestors 'self'"), "{asked}: {policy}");
        assert!(policy.contains("; sandbox ") && !policy.contains("allow-scripts"), "{asked}");
        return;
    }
    for rule in ["frame-ancestors 'none'", "form-action 'self'", "style-src 'self'"] {
        assert!(rules.contains(&rule), "W2 {asked}: {policy}");
    }
    for foreign in ["<script", " style=", "<style", "@import", " on", "javascript:"] {
        let tags = page.split('<').filter_map(|part| part.split_once('>')).map(|(tag, _)| tag);
        assert!(!tags.into_iter().any(|tag| format!("<{tag}").contains(foreign)), "W2 {asked}");
    }
    for tag in ["<h1>", "<html lang=\"en\">", "<main id=\"main\"", "<title>"] {
        assert_eq!(page.matches(tag).count(), 1, "W9 {tag} {asked}");
    }
}

fn check_envelope(surface: Surface, reply: &Reply, asked: &str) {
    let body = reply.json();
    let names = |value: &Value| {
        let object = value.as_object();
        let mut names: Vec<_> = object.into_iter().flat_map(|o| o.keys().cloned()).collect();
        names.sort_unstable();
        names
    };
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let spelled = |code: &str, upper: bool| {
        code.bytes()
            .all(|b| b == b'_' || (b.is_ascii_alphabetic() && b.is_ascii_uppercase() == upper))
    };
    let error = &body["error"];
    match surface {
        Surface::People => {
            assert_eq!(names(&body), ["error"], "{asked}");
            assert_eq!(names(error), ["code", "details", "message"], "{asked}");
            let details = &error["details"];
            let may_have_details = error["code"] == "validation_error";
            assert!(details.is_null() || (may_have_details && details.is_object()), "{asked}");
        }
        Surface::Agents => {
            assert_eq!(names(&body), ["error"], "{asked}");
            assert_eq!(names(error), ["code", "message"], "{asked}");
        }
        Surface::OAuth => {
            assert_eq!(names(&body), ["error", "error_description"], "{asked}");
            assert!(is_text(&body["error_description"]), "{asked}");
            let told = body["error_description"].as_str().unwrap_or_default();
            let allowed = |b: u8| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\';
            assert!(told.bytes().all(allowed), "RFC 6749 \u{a7}5.2 {asked}");
        }
        Surface::Page => {}
        Surface::Problem => {
            assert_eq!(body["status"], reply.status, "W8 {asked}");
            assert_eq!(body["code"], body["error"], "{asked}");
            for member in ["type", "title", "detail", "code"] {
                assert!(is_text(&body[member]), "W8 {asked}");
            }
        }
    }
    if matches!(surface, Surface::People | Surface::Agents) {
        assert!(is_text(&error["message"]), "{asked}");
    }
    assert!(spelled(&reply.code(), surface == Surface::Agents), "{asked}");
}

/// Whatever a route answers stands in the OpenAPI document.
fn check_declared(method: &str, uri: &str, reply: &Reply, asked: &str) {
    static DECLARED: OnceLock<Declared> = OnceLock::new();
    let path = uri.split('?').next().unwrap_or_default();
    match DECLARED.get_or_init(Declared::read_all).statuses(method, path) {
        Some(statuses) => assert!(statuses.contains(&reply.status), "undeclared: {asked}"),
        // Percent-encoded spellings are looked up by nobody.
        None => assert!(path.contains('%') || matches!(reply.status, 404 | 405), "{asked}"),
    }
}
