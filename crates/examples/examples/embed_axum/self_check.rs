//! The service's own client, which asks for everything once.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use serde_json::{Value, json};

use super::AnyError;

/// Registers, signs in and refreshes at the server, rightly and wrongly.
pub(crate) fn run(server: SocketAddr) -> Result<(), AnyError> {
    let jane = json!({ "email": "jane@example.com", "password": "correct horse battery" });
    let wrong = json!({ "email": "jane@example.com", "password": "incorrect horse" });
    expect(201, server, "/register", &jane)?;
    expect(409, server, "/register", &jane)?;
    expect(400, server, "/register", &json!({ "email": 1, "password": "short" }))?;
    expect(401, server, "/login", &wrong)?;
    let entered = expect(200, server, "/login", &jane)?;
    let rotated = expect(200, server, "/refresh", &entered)?;
    expect(401, server, "/refresh", &entered)?;
    expect(200, server, "/refresh", &rotated)?;
    println!("all as it should be");
    Ok(())
}

/// Posts, and gives the answer's body if its status is the expected one.
fn expect(status: u16, server: SocketAddr, path: &str, body: &Value) -> Result<Value, AnyError> {
    let body = body.to_string();
    let mut stream = TcpStream::connect(server)?;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {server}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("not an HTTP answer")?;
    println!("POST {path:<10} {}", head.lines().next().unwrap_or_default());
    if !head.starts_with(&format!("HTTP/1.1 {status} ")) {
        return Err(format!("{status} was expected: {answer}").into());
    }
    Ok(serde_json::from_str(body)?)
}
