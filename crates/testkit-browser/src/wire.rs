//! WebDriver's commands over plain HTTP on loopback. See W3C "WebDriver", sections 6.3 to 6.6.

use std::{
    fmt,
    io::{BufRead, BufReader, Error, Read, Result as IoResult, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// Longer than the browser is allowed to take for anything.
const PATIENCE: Duration = Duration::from_mins(1);

/// The driver's answer to a command that it did not carry out.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// WebDriver's error code, or what kept the command from being sent.
    code: String,
    message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { code: "chromedriver does not answer".to_owned(), message: error.to_string() }
    }
}

/// Sends one command and gives the `value` of the answer.
pub(crate) fn call(
    port: u16,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, Refusal> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut answer: Value = serde_json::from_slice(&exchange(port, method, path, &body)?)
        .map_err(|error| Error::other(format!("no JSON: {error}")))?;
    let value = answer.get_mut("value").map(Value::take).unwrap_or_default();
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    match text("error") {
        // The driver's own stack follows on further lines.
        Some(code) => {
            let message = text("message").unwrap_or_default();
            let first = message.lines().next().unwrap_or_default().to_owned();
            Err(Refusal { code, message: first })
        }
        None => Ok(value),
    }
}

fn exchange(port: u16, method: &str, path: &str, body: &str) -> IoResult<Vec<u8>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut reader = BufReader::new(stream);
    let length = content_length(&mut reader)?;
    let mut content = vec![0; length];
    reader.read_exact(&mut content)?;
    Ok(content)
}

/// Reads the head of an answer.
fn content_length(reader: &mut impl BufRead) -> IoResult<usize> {
    let mut length = None;
    loop {
        let mut line = String::new();
        let read = reader.read_line(&mut line)?;
        let line = line.trim_end();
        if read == 0 || line.is_empty() {
            return length.ok_or_else(|| Error::other("an answer without Content-Length"));
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_an_answer_is_found_in_its_head() {
        let head = "HTTP/1.1 200 OK\r\ncontent-length:  12\r\nX: y\r\n\r\nrest";
        assert_eq!(content_length(&mut head.as_bytes()).unwrap(), 12);
        assert!(content_length(&mut "HTTP/1.1 200 OK\r\n\r\n".as_bytes()).is_err());
        assert!(content_length(&mut "".as_bytes()).is_err());
    }
}
