//! The little of HTTP that readies a server for its clients: one exchange a connection, on loopback.

use std::{
    io::{Error, Read, Result, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

/// What the server said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

pub(super) fn get(server: SocketAddr, path: &str) -> Result<Answer> {
    exchange(server, &format!("GET {path} HTTP/1.1\r\n{}\r\n", head(server)))
}

pub(super) fn post(
    server: SocketAddr,
    path: &str,
    authorization: Option<&str>,
    body: &Value,
) -> Result<Answer> {
    let body = body.to_string();
    let credential = authorization.map(|value| format!("Authorization: {value}\r\n"));
    let request = format!(
        "POST {path} HTTP/1.1\r\n{}{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        head(server),
        credential.unwrap_or_default(),
        body.len()
    );
    exchange(server, &request)
}

fn head(server: SocketAddr) -> String {
    format!("Host: {server}\r\nConnection: close\r\n")
}

fn exchange(server: SocketAddr, request: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    parsed(&answer).ok_or_else(|| Error::other("what came back is no answer"))
}

fn parsed(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_status_and_a_body() {
        let answer = parsed("HTTP/1.1 201 Created\r\nA: b\r\n\r\n{}\r\n\r\n").unwrap();
        assert_eq!(answer, Answer { status: 201, body: "{}\r\n\r\n".to_owned() });
        for text in ["", "HTTP/1.1 201 Created\r\n", "HTTP/1.1 2\r\n\r\n", "SSH-2.0\r\n\r\n"] {
            assert_eq!(parsed(text), None, "{text:?}");
        }
    }
}
