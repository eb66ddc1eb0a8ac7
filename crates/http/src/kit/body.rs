use actix_web::{
    HttpRequest,
    dev::Payload,
    http::{
        StatusCode,
        header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
    },
    web::{Bytes, BytesMut},
};
use futures_util::StreamExt as _;
use portcullis_kernel::{Field, FieldErrors, SecretString, codes};
use serde_json::{Map, Value};
use std::time::Duration;

use super::{Refusal, json::parse_object, refusal::INVALID};

/// The most bytes of a body that are read.
pub(super) const MOST_BYTES: usize = 64 * 1024;
/// How long a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);

/// The media type that a route reads.
#[derive(Clone, Copy)]
pub(super) enum MediaType {
    Json,
    Form,
    JsonOrForm,
    /// A logout token (`OpenID` Connect Back-Channel Logout §2.4) or security event token (RFC 8417).
    EventToken,
}

impl MediaType {
    fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
            Self::JsonOrForm => "application/json or application/x-www-form-urlencoded",
            Self::EventToken => "application/logout+jwt or application/secevent+jwt",
        }
    }

    /// Whether a request says that its body is of this type.
    pub(super) fn is_of(self, request: &HttpRequest) -> bool {
        let header = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = header.and_then(|value| value.split(';').next());
        let mut wanted = self.name().split(" or ");
        media_type.is_some_and(|t| wanted.any(|name| t.trim().eq_ignore_ascii_case(name)))
    }
}

/// Reads the whole body: 413 when it is too large, 415 when it is there and of another type.
pub(super) async fn read_bytes(
    request: &HttpRequest,
    payload: &mut Payload,
    wanted: MediaType,
) -> Result<Bytes, Refusal> {
    let bytes = actix_web::rt::time::timeout(ARRIVAL, read(request, payload))
        .await
        .unwrap_or_else(|_| Err(Refusal::from_status(StatusCode::REQUEST_TIMEOUT)))?;
    if !bytes.is_empty() && !is_plain(request, wanted) {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            codes::UNSUPPORTED_MEDIA_TYPE,
            format!("Send the body as {}, without Content-Encoding.", wanted.name()),
        ));
    }
    Ok(bytes)
}

async fn read(request: &HttpRequest, payload: &mut Payload) -> Result<Bytes, Refusal> {
    let too_large = || Refusal::from_status(StatusCode::PAYLOAD_TOO_LARGE);
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|n| n.parse::<usize>().ok()).is_some_and(|n| n > MOST_BYTES) {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Refusal::malformed("The body was cut off."))?;
        if body.len() + chunk.len() > MOST_BYTES {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn is_plain(request: &HttpRequest, wanted: MediaType) -> bool {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let right = wanted.is_of(request);
    let encoded = request.headers().contains_key(CONTENT_ENCODING)
        && header(&CONTENT_ENCODING).is_none_or(|e| !e.eq_ignore_ascii_case("identity"));
    right && !encoded
}

/// The members of a JSON body, each taken out as the field that a flow judges.
pub(crate) struct JsonBody {
    members: Map<String, Value>,
    faults: FieldErrors,
}

impl JsonBody {
    /// Reads an object whose members of interest are `known`; others are ignored, unless they
    /// stand twice or cannot be read.
    pub(crate) fn parse(bytes: &[u8], known: &[&str]) -> Result<Self, Refusal> {
        let strict = parse_object(bytes)
            .map_err(|_| Refusal::malformed("The body must be one JSON object."))?;
        let mut faults = FieldErrors::default();
        let twice = strict.repeated.iter().map(|name| (name, TWICE));
        let unreadable = strict.unreadable.iter().map(|name| (name, UNREADABLE));
        let mut unknown = false;
        for (name, fault) in twice.chain(unreadable) {
            let known = known.contains(&name.as_str());
            unknown |= !known;
            // Whoever sends thousands is told of some.
            if known || faults.iter().count() < MOST_FAULTS {
                let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
                faults.add(&shown, fault);
            }
        }
        if unknown {
            let mut refusal = Refusal::malformed(INVALID);
            refusal.fields = Some(faults);
            return Err(refusal);
        }
        Ok(Self { members: strict.members, faults })
    }

    /// The same where a request may have no body at all, which has no members.
    pub(crate) fn parse_optional(bytes: &[u8], known: &[&str]) -> Result<Self, Refusal> {
        Self::parse(if bytes.is_empty() { b"{}" } else { bytes }, known)
    }

    /// A string member.
    pub(crate) fn string(&mut self, name: &str) -> Field<String> {
        self.value(name, "must be a string", |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })
    }

    /// A string member that is a secret.
    pub(crate) fn secret(&mut self, name: &str) -> Field<SecretString> {
        self.string(name).map(SecretString::from)
    }

    /// A list of strings.
    pub(crate) fn strings(&mut self, name: &str) -> Field<Vec<String>> {
        let text = |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        };
        self.value(name, "must be a list of strings", |value| match value {
            Value::Array(values) => values.into_iter().map(text).collect(),
            _ => None,
        })
    }

    /// A whole number.
    pub(crate) fn integer(&mut self, name: &str) -> Field<i64> {
        self.value(name, "must be a whole number", |value| value.as_i64())
    }

    /// A yes or no.
    pub(crate) fn flag(&mut self, name: &str) -> Field<bool> {
        self.value(name, "must be true or false", |value| value.as_bool())
    }

    /// An object, whose members are read like those of a body.
    pub(crate) fn object(&mut self, name: &str) -> Field<Self> {
        self.value(name, "must be an object", |value| match value {
            Value::Object(members) => Some(Self { members, faults: FieldErrors::default() }),
            _ => None,
        })
    }

    fn value<T>(
        &mut self,
        name: &str,
        otherwise: &str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Field<T> {
        if let Some((_, fault)) = self.faults.iter().find(|(at_fault, _)| *at_fault == name) {
            return Field::Invalid(fault.to_owned());
        }
        match self.members.remove(name) {
            None | Some(Value::Null) => Field::Absent,
            Some(value) => {
                read(value).map_or_else(|| Field::Invalid(otherwise.into()), Field::Given)
            }
        }
    }

    /// Whether a member is there, be it `null`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// A string member that may be left out (`None`) or cleared with `null` (`Some(Absent)`).
    pub(crate) fn clearable(&mut self, name: &str) -> Option<Field<String>> {
        self.has(name).then(|| self.string(name))
    }
}

const MOST_FAULTS: usize = 16;
const TWICE: &str = "must be given only once";
const UNREADABLE: &str = "is not well-formed";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_become_fields() {
        let text = br#"{"a":"x","b":null,"c":5,"d":"1","d":"2","e":null,"f":"\ud800","z":[]}"#;
        let mut body = JsonBody::parse(text, &["a", "b", "c", "d", "e", "f"]).unwrap();
        assert_eq!(body.string("a"), Field::from("x"));
        assert_eq!(body.string("b"), Field::Absent);
        assert_eq!(body.string("c"), Field::Invalid("must be a string".into()));
        assert_eq!(body.string("d"), Field::Invalid(TWICE.into()));
        assert_eq!(body.string("f"), Field::Invalid(UNREADABLE.into()));
        assert_eq!(body.string("nothing"), Field::Absent);
        assert_eq!(body.clearable("e"), Some(Field::Absent));
        assert_eq!(body.clearable("nothing"), None);
        let text =
            br#"{"l":["a","b"],"m":["a",1],"i":5,"j":5.5,"f":true,"g":0,"o":{"x":"y"},"p":[]}"#;
        let mut body = JsonBody::parse(text, &[]).unwrap();
        assert_eq!(body.strings("l"), Field::Given(vec!["a".into(), "b".into()]));
        assert!(matches!(body.strings("m"), Field::Invalid(_)));
        assert_eq!((body.integer("i"), body.flag("f")), (Field::Given(5), Field::Given(true)));
        assert!(matches!(body.integer("j"), Field::Invalid(_)));
        assert!(matches!(body.flag("g"), Field::Invalid(_)));
        assert!(matches!(body.object("o"), Field::Given(_)));
        assert!(matches!(body.object("p"), Field::Invalid(_)));
    }

    #[test]
    fn an_unknown_member_at_fault_is_refused_by_name() {
        let text = br#"{"role":1,"role":2,"x":1e999,"email":"a","email":"b"}"#;
        let Err(refusal) = JsonBody::parse(text, &["email"]) else { panic!("accepted") };
        let fields = refusal.fields.unwrap();
        let named: Vec<_> = fields.iter().collect();
        assert_eq!(named, [("email", TWICE), ("role", TWICE), ("x", UNREADABLE)]);
    }
}
