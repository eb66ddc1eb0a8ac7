use actix_web::{http::header::HeaderMap, web::Bytes};
use serde_json::Value;

/// An answer that kept the rules of all answers.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    pub(crate) fn new(status: u16, headers: HeaderMap, body: Bytes) -> Self {
        Self { status, headers, body }
    }

    /// The only value of a header.
    ///
    /// # Panics
    /// When there are several, or it is not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name);
        let value = values.next()?.to_str().expect("a header of text");
        assert!(values.next().is_none(), "two headers {name}");
        Some(value)
    }

    /// Every `Set-Cookie`.
    ///
    /// # Panics
    /// When one is not text.
    pub fn cookies(&self) -> Vec<&str> {
        let all = self.headers.get_all("set-cookie");
        all.map(|cookie| cookie.to_str().expect("a header of text")).collect()
    }

    /// A header that must be an integer.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn number(&self, name: &str) -> i64 {
        let value = self.header(name).unwrap_or_else(|| panic!("no header {name}: {self:?}"));
        value.parse().unwrap_or_else(|_| panic!("{name} is {value}, which is no integer"))
    }

    /// What is left in the bucket that the headers show.
    ///
    /// # Panics
    /// When they show none.
    #[track_caller]
    pub fn remaining(&self) -> i64 {
        self.number("x-ratelimit-remaining")
    }

    /// The names of the headers, sorted.
    pub fn header_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    }

    /// The body as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body of UTF-8")
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{} is not JSON: {e}", self.text()))
    }

    /// A string member of a JSON body, by its JSON pointer.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn string(&self, pointer: &str) -> String {
        let body = self.json();
        let member = body.pointer(pointer).and_then(Value::as_str);
        member.unwrap_or_else(|| panic!("no string at {pointer}: {body}")).to_owned()
    }

    /// The code of an error, in whichever envelope it came.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn code(&self) -> String {
        let body = self.json();
        let code = [&body["error"]["code"], &body["code"], &body["error"]];
        let code = code.into_iter().find_map(Value::as_str);
        code.unwrap_or_else(|| panic!("no error: {body}")).to_owned()
    }

    /// The fields that a `validation_error` names, sorted.
    ///
    /// # Panics
    /// When it names none.
    #[track_caller]
    pub fn broken_fields(&self) -> Vec<String> {
        let body = self.json();
        let details = body["error"]["details"].as_object();
        let details = details.unwrap_or_else(|| panic!("no details: {body}"));
        assert!(details.values().all(|why| why.as_str().is_some_and(|w| !w.is_empty())), "{body}");
        let mut fields: Vec<String> = details.keys().cloned().collect();
        fields.sort_unstable();
        fields
    }

    /// The answer, if it has this status.
    ///
    /// # Panics
    /// When it has another.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "often the status is all there is to see")]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// The answer, if it is this error.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "often the error is all there is to see")]
    pub fn expect_error(self, status: u16, code: &str) -> Self {
        let reply = self.expect(status);
        assert_eq!(reply.code(), code);
        reply
    }
}
