//! Which page sent a form, as far as its browser says.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, ORIGIN};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a browser says that a page of another origin sent the form. Of a page that gives no
/// referrer, as ours do not, it may say `null` (Fetch §3.2), which therefore says nothing.
pub(super) fn is_foreign(headers: &HeaderMap, ours: &str) -> bool {
    let values = |name: HeaderName| headers.get_all(name).map(HeaderValue::as_bytes);
    values(ORIGIN).any(|origin| !origin.eq_ignore_ascii_case(ours.as_bytes()) && origin != b"null")
        || values(FETCH_SITE).any(|site| site != b"same-origin" && site != b"none")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(headers: &[(HeaderName, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.clone(), HeaderValue::from_static(value));
        }
        is_foreign(&map, "https://auth.example.com")
    }

    #[test]
    fn w5_a_form_of_another_origin_is_told_by_the_browser() {
        for headers in [
            &[(ORIGIN, "https://evil.example")][..],
            &[(ORIGIN, "https://auth.example.com.evil.example")],
            &[(ORIGIN, "http://auth.example.com")],
            &[(ORIGIN, "https://auth.example.com:8443")],
            &[(ORIGIN, "https://auth.example.com"), (ORIGIN, "https://evil.example")],
            &[(ORIGIN, "")],
            &[(FETCH_SITE, "cross-site")],
            &[(FETCH_SITE, "same-site")],
            &[(ORIGIN, "null"), (FETCH_SITE, "cross-site")],
            &[(ORIGIN, "https://auth.example.com"), (FETCH_SITE, "cross-site")],
        ] {
            assert!(foreign(headers), "{headers:?}");
        }
        for headers in [
            &[][..],
            &[(ORIGIN, "https://auth.example.com")],
            &[(ORIGIN, "null"), (FETCH_SITE, "same-origin")],
            &[(FETCH_SITE, "none")],
        ] {
            assert!(!foreign(headers), "{headers:?}");
        }
    }
}
