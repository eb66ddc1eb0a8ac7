//! A connection on which neither the server nor anybody between can take more time or memory than it is
//! given. lettre's own has a limit for the silence between two bytes only, and none for a line.

use std::{
    fmt::Display,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use lettre::transport::smtp::response::Response;
use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};

/// How many bytes are taken in clear, for all answers to one mail.
const CLEAR: usize = 64 * 1024;
/// How many bytes are taken encrypted, for all answers to one mail and the certificates.
const ENCRYPTED: usize = 256 * 1024;
/// The longest line of an answer; RFC 5321 §4.5.3.1.5 allows 512 bytes.
const LINE: usize = 4 * 1024;

/// Why there is no answer that means yes.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection, or its encryption.
    Connection(io::Error),
    /// The server said no.
    No(Response),
    /// What came is no answer, or none to a question.
    Nonsense(&'static str),
    /// The server lacks what is needed.
    Lacks(&'static str),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Connection(error)
    }
}

/// A conversation, question by question.
pub(super) struct Connection {
    wire: Wire,
    unread: Vec<u8>,
}

enum Wire {
    Clear(Metered),
    Encrypted(Box<StreamOwned<ClientConnection, Metered>>),
}

/// The socket, with what may still come out of it and until when.
struct Metered {
    tcp: TcpStream,
    by: Instant,
    allowance: usize,
}

impl Connection {
    /// A connection in clear; nothing is said yet.
    pub(super) fn open(address: SocketAddr, by: Instant) -> Result<Self, Failure> {
        let tcp = TcpStream::connect_timeout(&address, left(by)?)?;
        let wire = Wire::Clear(Metered { tcp, by, allowance: CLEAR });
        Ok(Self { wire, unread: Vec::new() })
    }

    /// Shakes hands. What came in clear before is not taken for the server's word: whoever stands
    /// between could have added it.
    pub(super) fn encrypt(
        self,
        config: &Arc<ClientConfig>,
        name: &ServerName<'static>,
    ) -> Result<Self, Failure> {
        self.nothing_waits()?;
        let Wire::Clear(mut socket) = self.wire else { return Ok(self) };
        socket.allowance = ENCRYPTED;
        let mut tls = ClientConnection::new(Arc::clone(config), name.clone())
            .map_err(|error| Failure::Connection(io::Error::other(error)))?;
        tls.complete_io(&mut socket)?;
        let wire = Wire::Encrypted(Box::new(StreamOwned::new(tls, socket)));
        Ok(Self { wire, unread: self.unread })
    }

    /// Sets by when the next answer is to be there.
    pub(super) fn wait_until(&mut self, by: Instant) {
        self.wire.socket().by = by;
    }

    /// Allows for the answers to one more mail.
    pub(super) fn renew_allowance(&mut self) {
        let allowance = match self.wire {
            Wire::Clear(_) => CLEAR,
            Wire::Encrypted(_) => ENCRYPTED,
        };
        self.wire.socket().allowance = allowance;
    }

    /// Says this, and waits for an answer that means yes.
    pub(super) fn ask(&mut self, question: impl Display) -> Result<Response, Failure> {
        self.nothing_waits()?;
        self.wire.say(question.to_string().as_bytes())?;
        self.answer()
    }

    /// Waits for an answer that means yes.
    pub(super) fn answer(&mut self) -> Result<Response, Failure> {
        let mut answer = Vec::new();
        loop {
            let line = self.line()?;
            answer.extend_from_slice(&line);
            if line.get(3) != Some(&b'-') {
                break;
            }
        }
        let answer = String::from_utf8(answer).ok().and_then(|answer| answer.parse().ok());
        let answer: Response = answer.ok_or(Failure::Nonsense("an answer that is none"))?;
        if answer.is_positive() { Ok(answer) } else { Err(Failure::No(answer)) }
    }

    fn line(&mut self) -> Result<Vec<u8>, Failure> {
        loop {
            if let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') {
                return Ok(self.unread.drain(..=end).collect());
            }
            if self.unread.len() > LINE {
                return Err(Failure::Nonsense("a line without end"));
            }
            let mut bytes = [0; LINE];
            match self.wire.read(&mut bytes) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(read) => self.unread.extend(bytes.iter().take(read)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn nothing_waits(&self) -> Result<(), Failure> {
        let why = "an answer to nothing, as if somebody meddled";
        if self.unread.is_empty() { Ok(()) } else { Err(Failure::Nonsense(why)) }
    }
}

impl Wire {
    fn socket(&mut self) -> &mut Metered {
        match self {
            Self::Clear(socket) => socket,
            Self::Encrypted(tls) => &mut tls.sock,
        }
    }

    fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Clear(socket) => socket.write_all(bytes),
            Self::Encrypted(tls) => tls.write_all(bytes).and_then(|()| tls.flush()),
        }
    }

    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.read(bytes),
            Self::Encrypted(tls) => tls.read(bytes),
        }
    }
}

impl Read for Metered {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.allowance == 0 {
            return Err(io::Error::other("the mail server says too much"));
        }
        self.tcp.set_read_timeout(Some(left(self.by)?))?;
        let most = bytes.len().min(self.allowance);
        let read = self.tcp.read(bytes.split_at_mut(most).0).map_err(late)?;
        self.allowance -= read;
        Ok(read)
    }
}

impl Write for Metered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.set_write_timeout(Some(left(self.by)?))?;
        self.tcp.write(bytes).map_err(late)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

fn left(by: Instant) -> io::Result<Duration> {
    let left = by.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Time that ran out has two names, and rustls takes one of them for another try.
fn late(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { error }
}
