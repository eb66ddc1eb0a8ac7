//! Cookies.

use serde_json::Value;

/// A cookie that the browser keeps, whether scripts can see it or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Cookie {
    /// The name, prefix included.
    pub name: String,
    /// The value.
    pub value: String,
    /// The host, with a dot in front where its subdomains get the cookie too.
    pub domain: String,
    /// The path below which it is sent.
    pub path: String,
    /// Whether it is kept from scripts.
    pub is_http_only: bool,
    /// Whether it is sent over HTTPS (and to loopback) only.
    pub is_secure: bool,
    /// `Strict`, `Lax` or `None`; nothing where the server did not say.
    pub same_site: Option<String>,
    /// Unix time in seconds; nothing for one that ends with the browser.
    pub expires: Option<f64>,
}

impl Cookie {
    /// From a `Network.Cookie` of the DevTools protocol.
    pub(crate) fn from_devtools(cookie: &Value) -> Self {
        let text = |name: &str| cookie.get(name).and_then(Value::as_str).map(str::to_owned);
        let flag = |name: &str| cookie.get(name).and_then(Value::as_bool).unwrap_or_default();
        let expires = cookie.get("expires").and_then(Value::as_f64);
        Self {
            name: text("name").unwrap_or_default(),
            value: text("value").unwrap_or_default(),
            domain: text("domain").unwrap_or_default(),
            path: text("path").unwrap_or_default(),
            is_http_only: flag("httpOnly"),
            is_secure: flag("secure"),
            same_site: text("sameSite"),
            expires: expires.filter(|_| !flag("session")),
        }
    }
}
