//! A server of a few pages.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

/// A page that nothing is wrong with, and whose script nobody misses.
const FORM: &str = r#"<!doctype html>
<html lang="en">
<title>Form</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<style>
  body { margin: 0; height: 2000px; background: #fff; color: #000 }
  a { color: inherit }
  @media (prefers-color-scheme: dark) { body { background: #111; color: #eee } }
</style>
<main>
  <h1>plain</h1>
  <noscript><p>without</p></noscript>
  <script>document.querySelector('h1').textContent = 'scripted'</script>
  <form method="post"><label>Name <input name="name"></label><button>Send</button></form>
  <a href="/else">Else</a>
</main>
"#;

/// A field without a label, letters that are hard to read, no language.
const BAD: &str = r#"<!doctype html><title>Bad</title><main><h1>Bad</h1>
<p style="color: #ccc; background: #fff">hard to read</p><form><input name="q"></form></main>"#;

const WIDE: &str = r#"<!doctype html><html lang="en"><title>Wide</title>
<meta name="viewport" content="width=device-width, initial-scale=1, minimum-scale=1">
<body style="margin: 0"><main style="width: 500px">wide</main>"#;

const ELSEWHERE: &str =
    r#"<!doctype html><title>Elsewhere</title><img src="http://elsewhere.example/x.png">"#;

const STRICT: &str = "Content-Security-Policy: default-src 'none'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'\r\n";

const COOKIES: &str = "Set-Cookie: hidden=a; HttpOnly; SameSite=Strict; Path=/else\r\n\
                       Set-Cookie: open=b; Max-Age=600\r\n";

/// It serves until the test process ends.
pub(crate) struct Server(SocketAddr);

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A browser opens connections that it may not use.
                thread::spawn(move || answer(stream));
            }
        });
        Self(address)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.0)
    }
}

fn answer(stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let (method, rest) = first.split_once(' ')?;
    let (path, _) = rest.split_once(' ')?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().ok()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (headers, page) = match (method, path) {
        ("GET", "/form") => ("", FORM.to_owned()),
        ("GET", "/strict") => (STRICT, FORM.to_owned()),
        ("GET", "/bad") => ("", BAD.to_owned()),
        ("GET", "/wide") => ("", WIDE.to_owned()),
        ("GET", "/elsewhere") => ("", ELSEWHERE.to_owned()),
        ("GET", "/cookies") => (COOKIES, FORM.to_owned()),
        _ => ("", format!("<p>{method} {path}: {}</p>", String::from_utf8_lossy(&body))),
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n{headers}\r\n",
        page.len()
    );
    reader.get_mut().write_all((head + &page).as_bytes()).ok()
}
