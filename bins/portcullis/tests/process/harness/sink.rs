//! A mail server on loopback that behaves as a test wants it to.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread::{self, JoinHandle},
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{Arrivals, Mail, POLL, free_port};

/// How the sink treats a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Takes it.
    Take,
    /// Says nothing at all until the manner changes.
    Silent,
    /// Takes the content, and answers it once the manner changes.
    Ponder,
    /// Refuses its recipient for now.
    NotNow,
    /// Refuses it for now when its recipient is `@nowhere.example`, and takes any other.
    NowhereLater,
    /// Refuses its recipient for good, by name.
    Never,
    /// Takes the content of one mail and hangs up without an answer. `NotNow` from then on.
    HangUp,
}

/// A running mail server. It ends with this value.
pub(crate) struct Sink {
    pub(crate) port: u16,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

struct State {
    inner: Mutex<Inner>,
    tls: Option<Arc<ServerConfig>>,
}

struct Inner {
    manner: Manner,
    mails: Vec<Mail>,
    tries: usize,
    open: bool,
    connections: Vec<TcpStream>,
}

impl Sink {
    pub(crate) fn start(manner: Manner) -> Self {
        Self::with(manner, None)
    }

    /// One that wants STARTTLS before it takes anything.
    pub(crate) fn encrypted(tls: Arc<ServerConfig>) -> Self {
        Self::with(Manner::Take, Some(tls))
    }

    fn with(manner: Manner, tls: Option<Arc<ServerConfig>>) -> Self {
        let inner =
            Inner { manner, mails: Vec::new(), tries: 0, open: false, connections: Vec::new() };
        let state = Arc::new(State { inner: Mutex::new(inner), tls });
        let mut sink = Self { port: free_port(), state, accepting: None };
        sink.up();
        sink
    }

    /// Changes the manner, for the conversations under way as well.
    pub(crate) fn be(&self, manner: Manner) {
        self.state.inner().manner = manner;
    }

    /// How many recipients were named to it.
    pub(crate) fn tries(&self) -> usize {
        self.state.inner().tries
    }

    /// How many connections it has accepted since it was up.
    pub(crate) fn connections(&self) -> usize {
        self.state.inner().connections.len()
    }

    /// Hangs up and listens no more.
    pub(crate) fn down(&mut self) {
        let mut inner = self.state.inner();
        inner.open = false;
        for connection in inner.connections.drain(..) {
            // The other side may have gone before.
            let _ = connection.shutdown(Shutdown::Both);
        }
        drop(inner);
        if let Some(accepting) = self.accepting.take() {
            accepting.join().unwrap();
        }
    }

    /// Listens, always at the same port.
    pub(crate) fn up(&mut self) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        self.state.inner().open = true;
        let state = Arc::clone(&self.state);
        self.accepting = Some(thread::spawn(move || accept(&listener, &state)));
    }
}

impl Arrivals for Sink {
    fn mails(&self) -> Vec<Mail> {
        self.state.inner().mails.clone()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.down();
    }
}

impl State {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Waits while the sink is in this manner.
    fn wait_while(&self, manner: Manner) {
        while self.inner().manner == manner && self.inner().open {
            thread::sleep(POLL);
        }
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    while state.inner().open {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                let connection = stream.try_clone().unwrap();
                state.inner().connections.push(stream.try_clone().unwrap());
                let state = Arc::clone(state);
                thread::spawn(move || {
                    // A client that hangs up ends its conversation, whatever was being said.
                    let _ = converse(stream, &state);
                    let _ = connection.shutdown(Shutdown::Both);
                });
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(POLL),
            Err(error) => panic!("{error}"),
        }
    }
}

/// How a part of a conversation ended.
enum End {
    Bye,
    Starttls,
}

fn converse(mut stream: TcpStream, state: &State) -> io::Result<()> {
    state.wait_while(Manner::Silent);
    say(&mut stream, "220 sink")?;
    let ended = obey(&mut stream, state, state.tls.is_none())?;
    if let (End::Starttls, Some(tls)) = (ended, &state.tls) {
        let session = ServerConnection::new(Arc::clone(tls)).map_err(io::Error::other)?;
        obey(&mut StreamOwned::new(session, stream), state, true)?;
    }
    Ok(())
}

fn obey<S: Read + Write>(stream: &mut S, state: &State, takes_mail: bool) -> io::Result<End> {
    loop {
        let line = read_line(stream)?;
        state.wait_while(Manner::Silent);
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" if takes_mail => "250 sink".to_owned(),
            "EHLO" => "250-sink\r\n250 STARTTLS".to_owned(),
            "STARTTLS" if !takes_mail => {
                say(stream, "220 go on")?;
                return Ok(End::Starttls);
            }
            "QUIT" => {
                say(stream, "221 bye")?;
                return Ok(End::Bye);
            }
            "RCPT" if takes_mail => recipient(state, &line),
            "DATA" if takes_mail => {
                say(stream, "354 go on")?;
                let mail = read_content(stream)?;
                match take(state, &mail) {
                    Some(answer) => answer,
                    None => return Ok(End::Bye),
                }
            }
            "MAIL" if !takes_mail => "530 5.7.0 Must issue a STARTTLS command first".to_owned(),
            _ => "250 good".to_owned(),
        };
        say(stream, &answer)?;
    }
}

fn recipient(state: &State, line: &str) -> String {
    let mut inner = state.inner();
    inner.tries += 1;
    match inner.manner {
        Manner::NotNow => "451 4.7.1 Greylisted, try again".to_owned(),
        Manner::NowhereLater if line.contains("@nowhere.example>") => {
            "450 4.1.2 Domain not found".to_owned()
        }
        Manner::Never => format!("550 5.1.1 {}: no such user", &line["RCPT TO:".len()..]),
        _ => "250 good".to_owned(),
    }
}

/// The answer to a mail; none when the connection is to end instead.
fn take(state: &State, mail: &str) -> Option<String> {
    state.wait_while(Manner::Ponder);
    let mut inner = state.inner();
    inner.mails.push(Mail::parse(mail));
    if inner.manner == Manner::HangUp {
        inner.manner = Manner::NotNow;
        return None;
    }
    Some("250 taken".to_owned())
}

fn say(stream: &mut impl Write, line: &str) -> io::Result<()> {
    stream.write_all(format!("{line}\r\n").as_bytes())?;
    stream.flush()
}

/// A line without its end. Byte by byte, so that nothing of what follows is taken.
fn read_line(stream: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    line.truncate(line.len() - 2);
    Ok(String::from_utf8(line).expect("a line is text"))
}

fn read_content(stream: &mut impl Read) -> io::Result<String> {
    let mut content = String::new();
    loop {
        let line = read_line(stream)?;
        if line == "." {
            return Ok(content);
        }
        content.push_str(line.strip_prefix('.').unwrap_or(&line));
        content.push_str("\r\n");
    }
}
