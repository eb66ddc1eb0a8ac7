//! A client with one connection, which it keeps alive.

use std::{
    io::{ErrorKind, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use socket2::{Domain, Socket, Type};

use super::wire::{Answer, Outcome, Request, read_answer};

/// Longer than any answer takes, the queue of password checks included.
const PATIENCE: Duration = Duration::from_secs(30);

/// One client, from an address of its own if it has one.
#[derive(Debug)]
pub(crate) struct Client {
    server: SocketAddr,
    source: Option<Ipv4Addr>,
    patience: Duration,
    stream: Option<TcpStream>,
    /// When the last request had been handed to the system.
    pub(crate) sent_at: Option<Instant>,
}

impl Client {
    pub(crate) fn new(server: SocketAddr) -> Self {
        Self { server, source: None, patience: PATIENCE, stream: None, sent_at: None }
    }

    /// The same from this address of 127.0.0.0/8.
    pub(crate) fn from(mut self, source: [u8; 4]) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Opens the connection ahead of the first request.
    pub(crate) fn connected(mut self) -> Self {
        self.stream = self.connect();
        self
    }

    /// Sends a request on the kept connection, or on a new one where that was closed meanwhile.
    pub(crate) fn send(&mut self, request: &Request) -> Outcome {
        let Some(mut stream) = self.stream.take().filter(is_open).or_else(|| self.connect()) else {
            return Outcome::Refused;
        };
        if stream.write_all(&request.bytes()).is_err() {
            return Outcome::Lost;
        }
        self.sent_at = Some(Instant::now());
        let outcome = read_answer(&mut stream);
        if matches!(&outcome, Outcome::Answered(answer) if !answer.closes()) {
            self.stream = Some(stream);
        }
        outcome
    }

    /// Sends a request that must be answered.
    #[track_caller]
    pub(crate) fn ask(&mut self, request: &Request) -> Answer {
        self.send(request).answer()
    }

    #[track_caller]
    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.ask(&Request::get(target))
    }

    /// Whether the kept connection is there, and open.
    pub(crate) fn is_connected(&self) -> bool {
        self.stream.as_ref().is_some_and(is_open)
    }

    /// A connection for bytes of any kind.
    pub(crate) fn raw(&self) -> TcpStream {
        self.connect().expect("the server listens")
    }

    fn connect(&self) -> Option<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        if let Some(source) = self.source {
            socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
        }
        socket.connect_timeout(&self.server.into(), self.patience).ok()?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(self.patience)).unwrap();
        stream.set_write_timeout(Some(self.patience)).unwrap();
        Some(stream)
    }
}

/// Nothing is to be read between requests but the end of the connection.
fn is_open(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
}
