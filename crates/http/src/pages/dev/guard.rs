use std::net::{Ipv4Addr, Ipv6Addr};

use actix_web::{
    guard::GuardContext,
    http::header::{HOST, HeaderMap},
    web::Data,
};

use crate::kit::AppState;

/// Whether there is an inbox for this request: in development, for somebody on this machine, over no
/// proxy, who means this machine. A page of a stranger may have its name point here (DNS rebinding).
pub(super) fn is_for_us(context: &GuardContext<'_>) -> bool {
    let head = context.head();
    context.app_data::<Data<AppState>>().is_some_and(|state| state.dev_inbox)
        && head.peer_addr.is_some_and(|peer| peer.ip().to_canonical().is_loopback())
        && !is_forwarded(head.headers())
        // A target with a host of its own goes before the header (RFC 9112 §3.2.2).
        && head.uri.authority().is_none()
        && is_local(head.headers())
}

/// What proxies and tunnels say of whom they speak for.
const PROXY_PREFIXES: [&str; 4] = ["x-forwarded", "x-original", "cf-", "fastly-"];
const PROXY_NAMES: [&str; 6] =
    ["forwarded", "via", "x-real-ip", "true-client-ip", "x-client-ip", "x-cluster-client-ip"];

fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        let name = name.as_str();
        PROXY_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || PROXY_NAMES.contains(&name)
    })
}

fn is_local(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST);
    let (Some(host), None) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next())
    else {
        return false;
    };
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, ""),
    };
    if !port.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    if let Some(v6) = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        return v6.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback());
    }
    let name = name.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    #[test]
    fn only_names_of_this_machine_are_local() {
        for host in [
            "localhost",
            "localhost:8080",
            "LOCALHOST",
            "127.0.0.1:8080",
            "127.1.2.3",
            "[::1]:8080",
            "[::1]",
            "auth.localhost:1",
        ] {
            assert!(is_local(&headers(&[("host", host)])), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "localhost:80@evil.example",
            "::1",
            "[::2]",
            "0.0.0.0",
            "xlocalhost",
            "localhost.",
            "localhost:8080:evil",
            "127.0.0.1:x",
        ] {
            assert!(!is_local(&headers(&[("host", host)])), "{host}");
        }
        assert!(!is_local(&headers(&[])));
        assert!(!is_local(&headers(&[("host", "localhost"), ("host", "localhost")])));
    }

    #[test]
    fn a_request_over_a_proxy_is_told_by_its_headers() {
        for name in [
            "X-Forwarded-For",
            "x-forwarded-host",
            "Forwarded",
            "X-Real-IP",
            "Via",
            "CF-Connecting-IP",
            "True-Client-IP",
            "X-Client-IP",
            "X-Original-URL",
        ] {
            assert!(is_forwarded(&headers(&[(name, "x")])), "{name}");
        }
        assert!(!is_forwarded(&headers(&[("host", "localhost"), ("accept", "*/*")])));
    }
}
