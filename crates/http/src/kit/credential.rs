//! What a request authenticates with: the `Authorization` header, and nothing else.

use actix_web::{HttpRequest, http::header::AUTHORIZATION};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;
use portcullis_flows::agents::PresentedBasic;

/// How a client is told to authenticate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// By a bearer token (RFC 6750).
    #[default]
    Bearer,
    /// By id and secret (RFC 7617).
    Basic,
    /// By either.
    Either,
}

/// The token of `Authorization: Bearer`, in the header and nowhere else (RFC 6750 §2.1). A header
/// that stands twice gives a token that nobody has.
pub(super) fn bearer(request: &HttpRequest) -> Option<String> {
    let (token, twice) = of_scheme(request, "bearer")?;
    Some(if twice { String::new() } else { token })
}

/// Id and secret of `Authorization: Basic`. Both are form-decoded, as standard clients encode them
/// (RFC 6749 §2.3.1), and taken as sent where that fails. A header that stands twice gives nothing.
pub(super) fn basic(request: &HttpRequest) -> Option<PresentedBasic> {
    let (encoded, twice) = of_scheme(request, "basic")?;
    let bytes = STANDARD.decode(encoded).ok().filter(|_| !twice)?;
    let text = String::from_utf8(bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some(PresentedBasic { id: form_decoded(id), secret: form_decoded(secret).into() })
}

/// What stands after the scheme, and whether there is another header.
fn of_scheme(request: &HttpRequest, scheme: &str) -> Option<(String, bool)> {
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let header = headers.next()?.to_str().ok()?;
    let (named, rest) = header.trim().split_once(' ')?;
    named.eq_ignore_ascii_case(scheme).then(|| (rest.trim().to_owned(), headers.next().is_some()))
}

fn form_decoded(raw: &str) -> String {
    let spaced = raw.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(decoded) if is_encoded(raw) => decoded.into_owned(),
        _ => raw.to_owned(),
    }
}

/// Whether every percent sign is followed by two hexadecimal digits.
fn is_encoded(raw: &str) -> bool {
    raw.split('%').skip(1).all(|rest| {
        rest.get(..2).is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use portcullis_kernel::ExposeSecret as _;
    use proptest::prelude::*;

    use super::*;

    fn request(values: &[&str]) -> HttpRequest {
        values
            .iter()
            .fold(TestRequest::default(), |r, v| r.append_header((AUTHORIZATION, *v)))
            .to_http_request()
    }

    fn read(text: &str) -> Option<(String, String)> {
        let header = format!("Basic {}", STANDARD.encode(text));
        let read = basic(&request(&[&header]))?;
        Some((read.id, read.secret.expose_secret().to_owned()))
    }

    #[test]
    fn only_one_bearer_header_is_a_token() {
        let read = |values: &[&str]| bearer(&request(values));
        assert_eq!(read(&["Bearer a.b.c"]).as_deref(), Some("a.b.c"));
        assert_eq!(read(&["bEaReR  a.b.c "]).as_deref(), Some("a.b.c"));
        assert_eq!(read(&["Bearer a.b.c", "Bearer a.b.c"]).as_deref(), Some(""));
        for none in ["", "Bearer", "bearer ", "Basic YTpi", "a.b.c"] {
            assert_eq!(read(&[none]), None, "{none}");
        }
    }

    #[test]
    fn k5_id_and_secret_are_read_form_encoded_and_as_sent() {
        let pair = |id: &str, secret: &str| Some((id.to_owned(), secret.to_owned()));
        assert_eq!(read("agt_1:sk_2"), pair("agt_1", "sk_2"));
        assert_eq!(read("agt%5F1:sk%5F2"), pair("agt_1", "sk_2"));
        assert_eq!(read("agt%5f1:a%3Ab:c"), pair("agt_1", "a:b:c"));
        assert_eq!(read("a:50%"), pair("a", "50%"), "not encoded: as sent");
        assert_eq!(read("a:%zz+x"), pair("a", "%zz+x"));
        assert_eq!(read("a:%ff"), pair("a", "%ff"), "not UTF-8 when decoded: as sent");
        assert_eq!(read(":"), pair("", ""));
        assert_eq!(read("no colon"), None);
        for none in ["Basic", "Basic !", "Bearer YTpi", "Basic /w=="] {
            assert!(basic(&request(&[none])).is_none(), "{none}");
        }
        assert!(basic(&request(&["Basic YTpi", "Basic YTpi"])).is_none());
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_not(raw in any::<String>()) {
            let _ = read(&raw);
            let encoded: String = form_urlencoded::byte_serialize(raw.as_bytes()).collect();
            prop_assert_eq!(form_decoded(&encoded), raw);
        }
    }
}
