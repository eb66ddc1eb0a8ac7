use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use actix_web::{App, HttpServer, dev::ServerHandle, middleware::from_fn, rt::System, web::Data};
use portcullis_http::{AppState, configure, finish};

/// How long a test waits for bytes before it fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// The routes behind a socket on loopback, until this value goes.
pub struct Socket {
    address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Socket {
    pub(crate) fn open(state: Data<AppState>) -> Self {
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    App::new().app_data(state.clone()).wrap(from_fn(finish)).configure(configure)
                })
                .workers(1)
                .disable_signals()
                .client_request_timeout(PATIENCE)
                .bind((Ipv4Addr::LOCALHOST, 0))
                .expect("a port on loopback");
                let address = server.addrs()[0];
                let server = server.run();
                tell.send((address, server.handle())).expect("the test waits");
                server.await.expect("the server runs");
            });
        });
        let (address, handle) = told.recv().expect("the server starts");
        Self { address, handle, thread: Some(thread) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends these bytes and reads until the server closes the connection; `Connection: close` is
    /// for the test to say, where it wants an answer.
    ///
    /// # Panics
    /// When nothing can be sent, or the server neither answers nor closes.
    pub fn send(&self, bytes: &[u8]) -> Raw {
        self.exchange(bytes, false)
    }

    /// Sends these bytes, says that no more will come, and reads until the server closes.
    ///
    /// # Panics
    /// As [`send`](Self::send).
    pub fn send_and_close(&self, bytes: &[u8]) -> Raw {
        self.exchange(bytes, true)
    }

    fn exchange(&self, bytes: &[u8], is_all: bool) -> Raw {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time-out");
        // A server that has heard enough closes while it is still written to.
        let sent = stream.write_all(bytes);
        if is_all {
            let _: io::Result<()> = stream.shutdown(Shutdown::Write);
        }
        let mut answer = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
        }
        assert!(sent.is_ok() || !answer.is_empty() || is_closed(sent.as_ref().err()));
        Raw(answer)
    }

    /// Sends a request line, `Host`, `Connection: close` and these header lines and body.
    pub fn ask(&self, line: &str, headers: &[&str], body: &[u8]) -> Raw {
        let mut request = format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        for header in headers {
            request.push_str(header);
            request.push_str("\r\n");
        }
        if !body.is_empty() {
            request.push_str("Content-Length: ");
            request.push_str(&body.len().to_string());
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body);
        self.send(&bytes)
    }
}

fn is_closed(error: Option<&std::io::Error>) -> bool {
    let closed = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
    error.is_some_and(|error| closed.contains(&error.kind()))
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Dropped unawaited, the command is sent all the same.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let _: thread::Result<()> = thread.join();
        }
    }
}

/// The bytes that came back on one connection.
#[derive(Clone, Debug)]
pub struct Raw(Vec<u8>);

impl Raw {
    /// How many answers there are.
    pub fn answers(&self) -> usize {
        self.text().matches("HTTP/1.1 ").count()
    }

    /// The status of the first answer; `None` when the connection was closed without any.
    pub fn status(&self) -> Option<u16> {
        let text = self.text();
        text.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
    }

    /// The head of the first answer, in lower case.
    pub fn head(&self) -> String {
        self.text().split("\r\n\r\n").next().unwrap_or_default().to_ascii_lowercase()
    }

    /// Everything after the first head.
    pub fn body(&self) -> String {
        self.text().split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}
