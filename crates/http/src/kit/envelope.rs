use serde_json::{Map, Value, json};

use super::{Refusal, html::HTML};

/// Where browsers are served.
const PAGES: [&str; 5] = ["/verify-email", "/reset-password", "/claim", "/account", "/dev"];

/// The type of a problem that a payment solves (draft-httpauth-payment-01).
const PAYMENT_REQUIRED: &str = "https://paymentauth.org/problems/payment-required";

/// In which form a path's errors are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Envelope {
    /// `{"error":{"code":"snake_case","message","details"}}`
    People,
    /// `{"error":{"code":"UPPER_SNAKE","message"}}`
    Agents,
    /// RFC 6749 §5.2: `{"error","error_description"}`
    OAuth,
    /// RFC 9457 problem+json, with `code` and, equal to it, `error`
    Problem,
    /// A page
    Html,
}

impl Envelope {
    /// The envelope of the surface that a path belongs to, whether a route serves it or not.
    pub(crate) fn of(path: &str) -> Self {
        let under = |prefix: &str| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if path.starts_with("/v1/auth/agent") {
            Self::Problem
        } else if under("/v1/auth") || under("/v1/users") || under("/v1/admin") {
            Self::People
        } else if under("/api") || under("/health") || under("/ready") {
            Self::Agents
        } else if under("/oauth2") {
            Self::OAuth
        } else if PAGES.into_iter().any(under) {
            Self::Html
        } else {
            Self::Problem
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Problem => "application/problem+json",
            Self::People | Self::Agents | Self::OAuth => "application/json",
            Self::Html => HTML,
        }
    }

    /// The body of an error, where it is JSON.
    pub(crate) fn render(self, refusal: &Refusal) -> Value {
        let (code, message) = (self.code(refusal), refusal.told());
        match self {
            Self::People => {
                let message = refusal.message.as_str();
                let details = details(refusal);
                json!({ "error": { "code": code, "message": message, "details": details } })
            }
            Self::Agents => json!({ "error": { "code": code, "message": message } }),
            Self::OAuth => json!({ "error": code, "error_description": message }),
            Self::Problem => problem(refusal, &code, &message),
            Self::Html => Value::Null,
        }
    }

    /// The surface's own spelling of a code.
    fn code(self, refusal: &Refusal) -> String {
        use portcullis_kernel::codes as c;
        let code = refusal.code;
        match (self, code) {
            (Self::Agents, c::VALIDATION_ERROR) => "INVALID_REQUEST".into(),
            (Self::Agents, c::RATE_LIMITED) => "RATE_LIMIT_EXCEEDED".into(),
            (Self::Agents, _) => code.to_ascii_uppercase(),
            (Self::OAuth, c::RATE_LIMITED) => "slow_down".into(),
            (Self::OAuth, c::UNAUTHORIZED) if refusal.token_refused => "invalid_token".into(),
            (Self::OAuth, c::UNAUTHORIZED) => "invalid_client".into(),
            (Self::OAuth, c::FORBIDDEN) => "insufficient_scope".into(),
            (Self::OAuth, c::INTERNAL_ERROR) => "server_error".into(),
            (Self::OAuth, c::SERVICE_UNAVAILABLE) => "temporarily_unavailable".into(),
            (
                Self::OAuth,
                c::INVALID_CLIENT
                | c::UNAUTHORIZED_CLIENT
                | c::UNSUPPORTED_GRANT_TYPE
                | c::INVALID_SCOPE
                | c::INVALID_TARGET,
            ) => code.to_owned(),
            (Self::OAuth, _) | (Self::Problem, c::VALIDATION_ERROR) => "invalid_request".into(),
            (Self::People | Self::Problem | Self::Html, _) => code.to_owned(),
        }
    }
}

/// RFC 9457, with what is to be paid where that is what is wrong.
fn problem(refusal: &Refusal, code: &str, message: &str) -> Value {
    let mut body = json!({
        "type": "about:blank",
        "title": refusal.status.canonical_reason().unwrap_or("Error"),
        "status": refusal.status.as_u16(),
        "detail": message,
        "code": code,
        "error": code,
    });
    if let (Some(payment), Some(members)) = (&refusal.payment, body.as_object_mut()) {
        members.insert("type".to_owned(), PAYMENT_REQUIRED.into());
        members.insert("required".to_owned(), payment.required.into());
        members.insert("balance".to_owned(), payment.balance.into());
        if let Some(url) = &payment.topup_url {
            members.insert("topupUrl".to_owned(), url.as_str().into());
        }
    }
    body
}

fn details(refusal: &Refusal) -> Value {
    refusal.fields.as_ref().filter(|fields| !fields.is_empty()).map_or(Value::Null, |fields| {
        let members: Map<String, Value> =
            fields.iter().map(|(field, why)| (field.to_owned(), why.into())).collect();
        Value::Object(members)
    })
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;

    use super::*;

    #[test]
    fn every_path_has_the_envelope_of_its_surface() {
        let cases = [
            ("/v1/auth/login", Envelope::People),
            ("/v1/auth/nothing/here", Envelope::People),
            ("/v1/auth/agent", Envelope::Problem),
            ("/v1/auth/agent/claim", Envelope::Problem),
            ("/v1/users/me", Envelope::People),
            ("/v1/admin/users", Envelope::People),
            ("/v1/balance", Envelope::Problem),
            ("/v1/meter/charge", Envelope::Problem),
            ("/v1/credits/topups", Envelope::Problem),
            ("/v1/authx", Envelope::Problem),
            ("/api/auth/token", Envelope::Agents),
            ("/health", Envelope::Agents),
            ("/ready", Envelope::Agents),
            ("/oauth2/token", Envelope::OAuth),
            ("/", Envelope::Problem),
            ("/nothing", Envelope::Problem),
            ("/.well-known/jwks.json", Envelope::Problem),
            ("/verify-email", Envelope::Html),
            ("/verify-email/x", Envelope::Html),
            ("/reset-password", Envelope::Html),
            ("/claim", Envelope::Html),
            ("/claim/undo", Envelope::Html),
            ("/account", Envelope::Html),
            ("/account/delete", Envelope::Html),
            ("/accounts", Envelope::Problem),
            ("/dev/inbox", Envelope::Html),
            ("/assets/x.css", Envelope::Problem),
        ];
        for (path, envelope) in cases {
            assert_eq!(Envelope::of(path), envelope, "{path}");
        }
    }

    /// The table of the specification.
    #[test]
    fn every_code_has_its_spelling_in_every_envelope() {
        use portcullis_kernel::codes as c;
        let invalid = "invalid_request";
        let table = [
            (c::VALIDATION_ERROR, "INVALID_REQUEST", invalid, invalid),
            (c::NOT_FOUND, "NOT_FOUND", invalid, c::NOT_FOUND),
            (c::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", invalid, c::METHOD_NOT_ALLOWED),
            (c::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", invalid, c::PAYLOAD_TOO_LARGE),
            (
                c::UNSUPPORTED_MEDIA_TYPE,
                "UNSUPPORTED_MEDIA_TYPE",
                invalid,
                c::UNSUPPORTED_MEDIA_TYPE,
            ),
            (c::UNAUTHORIZED, "UNAUTHORIZED", "invalid_client", c::UNAUTHORIZED),
            (c::FORBIDDEN, "FORBIDDEN", "insufficient_scope", c::FORBIDDEN),
            (c::CONFLICT, "CONFLICT", invalid, c::CONFLICT),
            (c::RATE_LIMITED, "RATE_LIMIT_EXCEEDED", "slow_down", c::RATE_LIMITED),
            (c::INTERNAL_ERROR, "INTERNAL_ERROR", "server_error", c::INTERNAL_ERROR),
            (
                c::SERVICE_UNAVAILABLE,
                "SERVICE_UNAVAILABLE",
                "temporarily_unavailable",
                c::SERVICE_UNAVAILABLE,
            ),
        ];
        for (code, agents, oauth, problem) in table {
            let refusal = Refusal::new(StatusCode::BAD_REQUEST, code, "Why.");
            let told = |envelope: Envelope| envelope.render(&refusal);
            assert_eq!(told(Envelope::People)["error"]["code"], code);
            assert_eq!(told(Envelope::Agents)["error"]["code"], agents);
            assert_eq!(told(Envelope::OAuth)["error"], oauth);
            assert_eq!(told(Envelope::Problem)["code"], problem);
            assert_eq!(told(Envelope::Problem)["error"], problem);
        }
    }

    #[test]
    fn the_same_refusal_in_every_envelope() {
        let refusal = Refusal::from_status(StatusCode::NOT_FOUND);
        let people = json!({"error":{"code":"not_found","message":"No such path.","details":null}});
        assert_eq!(Envelope::People.render(&refusal), people);
        let agents = json!({"error":{"code":"NOT_FOUND","message":"No such path."}});
        assert_eq!(Envelope::Agents.render(&refusal), agents);
        let oauth = json!({"error":"invalid_request","error_description":"No such path."});
        assert_eq!(Envelope::OAuth.render(&refusal), oauth);
        let problem = json!({"type":"about:blank","title":"Not Found","status":404,
            "detail":"No such path.","code":"not_found","error":"not_found"});
        assert_eq!(Envelope::Problem.render(&refusal), problem);
    }
}
