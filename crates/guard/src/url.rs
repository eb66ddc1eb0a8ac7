//! The little of URLs that has to be understood.

use std::net::IpAddr;

use http::{Uri, uri::Scheme};

/// Reads an absolute http or https URL without user, query and fragment.
pub(crate) fn parse(raw: &str) -> Option<Uri> {
    // Quotes and backslashes would break out of the headers that it is written in.
    let plain = raw.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\#?@".contains(&b));
    let uri: Uri = raw.parse().ok().filter(|_| plain)?;
    let known = [Scheme::HTTP, Scheme::HTTPS].iter().any(|known| uri.scheme() == Some(known));
    let host = uri.host().is_some_and(|host| !host.is_empty());
    (known && host).then_some(uri)
}

/// Whether what is sent there cannot be read on the way: https, or a loopback address.
pub(crate) fn is_private(url: &Uri) -> bool {
    let scheme = url.scheme();
    let is_local = scheme == Some(&Scheme::HTTP) && url.host().is_some_and(is_loopback);
    scheme == Some(&Scheme::HTTPS) || is_local
}

fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_absolute_web_addresses_are_read() {
        for good in ["https://api.example.com", "http://[::1]:8080/v1", "https://a/b/"] {
            assert!(parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "api.example.com",
            "/v1",
            "https://",
            "https:///v1",
            "ftp://a",
            "https://a?b",
            "https://a#b",
            "https://u@a",
            "https://a/\"",
            "https://a/\\",
            "https://a/ b",
            "https://\u{e9}",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn only_loopback_goes_without_https() {
        let private = |raw: &str| is_private(&parse(raw).unwrap());
        for good in ["https://a", "http://localhost:1", "http://127.9.9.9", "http://[::1]:80/"] {
            assert!(private(good), "{good}");
        }
        for bad in ["http://a", "http://localhost.example", "http://10.0.0.1", "http://127.0.0.1.a"]
        {
            assert!(!private(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged(raw in any::<String>(), path in "[ -~]*") {
            let _ = parse(&raw);
            if let Some(url) = parse(&format!("https://a/{path}")) {
                prop_assert!(is_private(&url));
            }
        }
    }
}
