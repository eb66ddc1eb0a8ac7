//! A site of somebody who means harm, on the same machine.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

/// One page, whatever is asked for. It is there until the test process ends.
pub(super) struct Stranger(SocketAddr);

impl Stranger {
    /// A page with these headers, each with its line's end.
    pub(super) fn start(headers: &str, page: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Connection: close\r\n{headers}\r\n{page}",
            page.len()
        );
        let answer: Arc<str> = answer.into();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answer = Arc::clone(&answer);
                // A browser opens connections that it may not use.
                thread::spawn(move || serve(stream, &answer));
            }
        });
        Self(address)
    }

    /// The URL of the page. A host that is not the server's makes it of another site too, and not
    /// only of another origin (a port is no part of a site, nor of whom a cookie is for).
    pub(super) fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/", self.0.port())
    }
}

fn serve(stream: TcpStream, answer: &str) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 2 {
        line.clear();
    }
    reader.get_mut().write_all(answer.as_bytes()).ok()
}

/// A form of a page.
pub(super) struct Form {
    /// Its path, or its URL.
    pub(super) action: String,
    pub(super) kind: &'static str,
    pub(super) fields: Vec<(String, String)>,
}

impl Form {
    pub(super) fn new(action: &str, fields: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let kind = "application/x-www-form-urlencoded";
        Self { action: action.to_owned(), kind, fields: fields.iter().map(owned).collect() }
    }

    /// Sends a JSON object as plain text: a browser writes `name=value` and a line's end.
    pub(super) fn json(action: &str, object: &str) -> Self {
        let (name, value) = object.rsplit_once('=').expect("a text with an equals sign");
        Self { kind: "text/plain", ..Self::new(action, &[(name, value)]) }
    }

    pub(super) fn html(&self, number: usize) -> String {
        let fields = self.fields.iter().map(|(name, value)| {
            format!("<input type=hidden name='{}' value='{}'>", escaped(name), escaped(value))
        });
        let fields: String = fields.collect();
        let (action, kind) = (&self.action, self.kind);
        format!(
            "<form id=f{number} method=post action='{action}' enctype='{kind}'>{fields}\
             <button>Win a prize</button></form>"
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('\'', "&#39;").replace('<', "&lt;")
}
