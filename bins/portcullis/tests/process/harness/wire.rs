//! The little of HTTP/1.1 that the tests speak.

use std::io::{ErrorKind, Read};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

/// A request, before it has a connection.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn post(target: &str, body: &Value) -> Self {
        Self::new("POST", target).json(body)
    }

    pub(crate) fn put(target: &str, body: &Value) -> Self {
        Self::new("PUT", target).json(body)
    }

    /// A POST without a body.
    pub(crate) fn bare_post(target: &str) -> Self {
        Self::new("POST", target)
    }

    pub(crate) fn delete(target: &str) -> Self {
        Self::new("DELETE", target)
    }

    /// A form whose values need no escaping.
    pub(crate) fn form(target: &str, fields: &[(&str, &str)]) -> Self {
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = Self::new("POST", target);
        request.body = fields.join("&").into_bytes();
        request.header("Content-Type", "application/x-www-form-urlencoded")
    }

    fn new(method: &'static str, target: &str) -> Self {
        Self { method, target: target.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.header("Content-Type", "application/json")
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn bearer(self, access_token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {access_token}"))
    }

    pub(crate) fn basic(self, id: &str, secret: &str) -> Self {
        self.header(
            "Authorization",
            &format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))),
        )
    }

    /// As it goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut lines =
            vec![format!("{} {} HTTP/1.1", self.method, self.target), "Host: localhost".to_owned()];
        lines.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        if self.method != "GET" {
            lines.push(format!("Content-Length: {}", self.body.len()));
        }
        [lines.join("\r\n").as_bytes(), b"\r\n\r\n", &self.body].concat()
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Head and body, as far as they are text.
    pub(crate) fn whole(&self) -> String {
        let lines: String = self.headers.iter().map(|(n, v)| format!("{n}: {v}\n")).collect();
        format!("{}\n{lines}\n{}", self.status, self.text())
    }

    pub(crate) fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// The answer, which must have this status.
    #[track_caller]
    pub(crate) fn with_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.whole());
        self
    }

    /// A refusal for now must say when to come again.
    pub(crate) fn is_unavailable(&self) -> bool {
        let seconds = self.header("retry-after").and_then(|value| value.parse::<u32>().ok());
        self.status == 503 && seconds.is_some_and(|seconds| (1..=30).contains(&seconds))
    }
}

/// What became of a request.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// It has its whole answer.
    Answered(Answer),
    /// Nobody listened, so nothing was sent.
    Refused,
    /// The connection ended before the first byte of an answer: it may have had its effect.
    Lost,
    /// The connection ended within the answer.
    Cut,
    /// No answer within the client's patience.
    Late,
}

impl Outcome {
    #[track_caller]
    pub(crate) fn answer(self) -> Answer {
        match self {
            Self::Answered(answer) => answer,
            other => panic!("no answer: {other:?}"),
        }
    }

    /// The status of the answer; 0 where there is none.
    pub(crate) fn status(&self) -> u16 {
        if let Self::Answered(answer) = self { answer.status } else { 0 }
    }
}

/// Reads one answer.
pub(crate) fn read_answer(stream: &mut impl Read) -> Outcome {
    let mut received = Vec::new();
    loop {
        if let Some(answer) = parse(&received) {
            return Outcome::Answered(answer);
        }
        let mut chunk = [0; 16 * 1024];
        match stream.read(&mut chunk) {
            Ok(0) => return ended(&received),
            Ok(count) => received.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Outcome::Late;
            }
            Err(_) => return ended(&received),
        }
    }
}

fn ended(received: &[u8]) -> Outcome {
    if received.is_empty() { Outcome::Lost } else { Outcome::Cut }
}

/// The answer, once all of it is there.
fn parse(received: &[u8]) -> Option<Answer> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&received[..end]).expect("a head is text");
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().expect("a status");
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').expect("a header"))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut answer = Answer { status, headers, body: Vec::new() };
    let length = answer.header("content-length").map_or(0, |value| value.parse().unwrap());
    answer.body = received.get(end + 4..end + 4 + length)?.to_vec();
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_or_cut_or_lost() {
        let whole =
            b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 2\r\n\r\n{}";
        let Outcome::Answered(answer) = read_answer(&mut &whole[..]) else { panic!("whole") };
        assert!(answer.is_unavailable());
        assert_eq!(answer.body, b"{}");
        assert!(matches!(read_answer(&mut &whole[..whole.len() - 1]), Outcome::Cut));
        assert!(matches!(read_answer(&mut &b""[..]), Outcome::Lost));
    }
}
