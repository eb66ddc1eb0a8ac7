//! A mail server that does as it is told.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use rustls::{ServerConfig, ServerConnection};

/// What the server does for once, instead of what it should.
#[derive(Clone, Copy)]
pub(crate) enum Turn {
    Say(&'static str),
    /// Says what it should, and more.
    Add(&'static str),
    SayAndHangUp(&'static str),
    HangUp,
    /// Takes what comes and never answers again.
    Stall,
    /// Says this over and over, as fast as it is taken.
    Flood(&'static str),
    /// Says this, and then a letter at a time, never too late for the next.
    Drip(&'static str),
}

/// How a server is.
#[derive(Default)]
pub(crate) struct Script {
    /// Its certificate, if it has one.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Encrypted from the first byte.
    pub(crate) implicit: bool,
    /// What it says it can do.
    pub(crate) can: Vec<&'static str>,
    /// What it does at a command, once each; `HELLO` is its greeting and `.` the end of content.
    pub(crate) turns: Vec<(&'static str, Turn)>,
}

/// What came in.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) connections: usize,
    /// Every command, and whether it was encrypted.
    pub(crate) lines: Vec<(bool, String)>,
    /// The content of every mail that was taken.
    pub(crate) mails: Vec<String>,
    /// How many bytes of a flood or drip left before the other side hung up, once it did.
    pub(crate) poured: Option<usize>,
}

impl Seen {
    pub(crate) fn count(&self, command: &str) -> usize {
        self.lines.iter().filter(|(_, line)| line.starts_with(command)).count()
    }
}

pub(crate) struct Sink {
    port: u16,
    seen: Arc<Mutex<Seen>>,
}

type Turns = Arc<Mutex<HashMap<&'static str, VecDeque<Turn>>>>;

impl Sink {
    pub(crate) fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut turns = HashMap::<_, VecDeque<_>>::new();
        for (command, turn) in script.turns {
            turns.entry(command).or_default().push_back(turn);
        }
        let (tls, can, implicit) = (script.tls, script.can, script.implicit);
        let (turns, to_fill) = (Arc::new(Mutex::new(turns)), Arc::clone(&seen));
        thread::spawn(move || {
            for tcp in listener.incoming().map_while(Result::ok) {
                to_fill.lock().unwrap().connections += 1;
                let mut session = Session {
                    wire: Wire { tcp, tls: None },
                    tls: tls.clone(),
                    can: can.clone(),
                    turns: Arc::clone(&turns),
                    seen: Arc::clone(&to_fill),
                };
                thread::spawn(move || session.serve(implicit));
            }
        });
        Self { port, seen }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }
}

struct Session {
    wire: Wire,
    tls: Option<Arc<ServerConfig>>,
    can: Vec<&'static str>,
    turns: Turns,
    seen: Arc<Mutex<Seen>>,
}

impl Session {
    fn serve(&mut self, implicit: bool) -> io::Result<()> {
        if implicit {
            self.wire.encrypt(self.tls.as_ref().unwrap());
        }
        self.turn("HELLO", "220 sink")?;
        loop {
            let line = self.wire.line()?;
            let encrypted = self.wire.tls.is_some();
            self.seen.lock().unwrap().lines.push((encrypted, line.clone()));
            let command = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let usual = match command.as_str() {
                "EHLO" => self.hello(),
                "STARTTLS" => "220 go".to_owned(),
                "AUTH" => "235 2.7.0 welcome".to_owned(),
                "DATA" => "354 go on".to_owned(),
                "QUIT" => return self.wire.say("221 2.0.0 bye"),
                _ => "250 2.0.0 ok".to_owned(),
            };
            let as_usual = self.turn(&command, &usual)?;
            match command.as_str() {
                "STARTTLS" if as_usual => self.wire.encrypt(self.tls.as_ref().unwrap()),
                "DATA" if as_usual => self.content()?,
                _ => {}
            }
        }
    }

    fn hello(&self) -> String {
        let can: String = self.can.iter().map(|can| format!("250-{can}\r\n")).collect();
        format!("250-sink\r\n{can}250 HELP")
    }

    fn content(&mut self) -> io::Result<()> {
        let mut content = String::new();
        loop {
            let line = self.wire.line()?;
            if line == "." {
                break;
            }
            content.push_str(line.strip_prefix('.').unwrap_or(&line));
            content.push_str("\r\n");
        }
        if self.will_be_taken() {
            self.seen.lock().unwrap().mails.push(content);
        }
        self.turn(".", "250 2.0.0 queued").map(drop)
    }

    /// Whether the next answer to content is a yes.
    fn will_be_taken(&self) -> bool {
        match self.turns.lock().unwrap().get(".").and_then(VecDeque::front) {
            Some(Turn::Say(answer) | Turn::SayAndHangUp(answer)) => answer.starts_with('2'),
            Some(Turn::HangUp | Turn::Stall | Turn::Flood(_) | Turn::Drip(_)) => false,
            Some(Turn::Add(_)) | None => true,
        }
    }

    /// Answers as it should or as it is told; says whether as it should.
    fn turn(&mut self, command: &str, usual: &str) -> io::Result<bool> {
        let turn = self.turns.lock().unwrap().get_mut(command).and_then(VecDeque::pop_front);
        let gone = || io::Error::from(io::ErrorKind::ConnectionAborted);
        match turn {
            None => self.wire.say(usual).map(|()| true),
            Some(Turn::Add(more)) => self.wire.say(&format!("{usual}\r\n{more}")).map(|()| true),
            Some(Turn::Say(answer)) => self.wire.say(answer).map(|()| false),
            Some(Turn::SayAndHangUp(answer)) => {
                self.wire.say(answer)?;
                Err(gone())
            }
            Some(Turn::HangUp) => Err(gone()),
            Some(Turn::Stall) => loop {
                self.wire.line()?;
            },
            Some(Turn::Flood(words)) => {
                self.pour(&words.repeat(8192 / words.len()), Duration::ZERO)
            }
            Some(Turn::Drip(first)) => {
                self.wire.pour(first)?;
                self.pour("x", Duration::from_millis(50))
            }
        }
    }

    /// Ends when the other side hangs up, or takes what nobody should.
    fn pour(&mut self, words: &str, pause: Duration) -> io::Result<bool> {
        let mut poured = 0;
        while poured < 256 << 20 && self.wire.pour(words).is_ok() {
            poured += words.len();
            thread::sleep(pause);
        }
        self.seen.lock().unwrap().poured = Some(poured);
        Err(io::ErrorKind::ConnectionAborted.into())
    }
}

struct Wire {
    tcp: TcpStream,
    tls: Option<ServerConnection>,
}

impl Wire {
    fn encrypt(&mut self, config: &Arc<ServerConfig>) {
        self.tls = Some(ServerConnection::new(Arc::clone(config)).unwrap());
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        self.pour(&format!("{line}\r\n"))
    }

    fn pour(&mut self, words: &str) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => rustls::Stream::new(tls, &mut self.tcp).write_all(words.as_bytes()),
            None => self.tcp.write_all(words.as_bytes()),
        }
    }

    /// One line, byte by byte: what comes after `STARTTLS` is not for this reader.
    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            let read = match &mut self.tls {
                Some(tls) => rustls::Stream::new(tls, &mut self.tcp).read(&mut byte)?,
                None => self.tcp.read(&mut byte)?,
            };
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            line.extend(byte);
        }
        line.truncate(line.len() - 2);
        Ok(String::from_utf8(line).unwrap())
    }
}
