//! Where servers live: a directory, a database and settings.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU16, AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use portcullis_testkit::{database::TestDatabase, scratch};
use tempfile::TempDir;

use super::{Mailbox, Server, Sink, failures::tell_failures_at_once};

/// The real binary.
const PROGRAM: &str = env!("CARGO_BIN_EXE_portcullis");

/// Below those of the throw-away PostgreSQL and those of outgoing connections.
const PORTS: std::ops::Range<u16> = 10_000..20_000;

/// How long a command may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Mounts each scenario once for every database.
macro_rules! each_database {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $name() {
                super::$name(&mut crate::harness::Home::on_sqlite());
            })+
        }
        mod postgres {
            $(#[test]
            fn $name() {
                let Some(mut home) = crate::harness::Home::on_postgres() else { return };
                super::$name(&mut home);
            })+
        }
    };
}
pub(crate) use each_database;

/// A directory, a database and the settings that a server is started with.
pub(crate) struct Home {
    directory: TempDir,
    settings: BTreeMap<String, String>,
    port: u16,
    starts: AtomicU32,
    /// Dropped with this value, after the servers that borrowed its settings have ended.
    database: Option<TestDatabase>,
}

impl Home {
    pub(crate) fn on_sqlite() -> Self {
        let mut home = Self::without_database();
        let url = format!("sqlite://{}", home.sqlite_file().display());
        home.set("database.url", &url);
        home
    }

    /// `None` where there is no PostgreSQL.
    pub(crate) fn on_postgres() -> Option<Self> {
        let database = TestDatabase::empty()?;
        let mut home = Self::on_database(database.url());
        home.database = Some(database);
        Some(home)
    }

    pub(crate) fn on_database(url: &str) -> Self {
        let mut home = Self::without_database();
        home.set("database.url", url);
        home
    }

    fn without_database() -> Self {
        tell_failures_at_once();
        let directory = scratch::directory().unwrap();
        for name in ["data", "keys", "logs"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let port = free_port();
        let mut home = Self {
            settings: BTreeMap::new(),
            port,
            starts: AtomicU32::new(0),
            database: None,
            directory,
        };
        home.set("public_url", &format!("http://127.0.0.1:{port}"));
        home.set("master_key_file", &home.key_file().display().to_string());
        home
    }

    /// Sets a setting by its name in the settings file.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.settings.insert(variable(key), value.to_owned());
    }

    pub(crate) fn unset(&mut self, key: &str) {
        self.settings.remove(&variable(key));
    }

    pub(crate) fn without_limits(&mut self) {
        self.set("rate_limits.enabled", "false");
    }

    /// A real mail transport, which a server outside development mode wants.
    pub(crate) fn with_mail(&mut self) -> Mailbox {
        let directory = self.path().join("mail");
        self.set("mail.transport", "directory");
        self.set("mail.from", "Portcullis <auth@example.com>");
        self.set("mail.directory", &directory.display().to_string());
        Mailbox(directory)
    }

    /// Mail goes to this mail server.
    pub(crate) fn with_sink(&mut self, sink: &Sink) {
        self.set("mail.transport", "smtp");
        self.set("mail.from", "Portcullis <auth@example.com>");
        self.set("mail.smtp.host", "127.0.0.1");
        self.set("mail.smtp.port", &sink.port.to_string());
        self.set("mail.smtp.tls", "none");
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.path().join("keys/master.key")
    }

    pub(crate) fn sqlite_file(&self) -> PathBuf {
        self.path().join("data/portcullis.db")
    }

    pub(crate) fn database_url(&self) -> &str {
        &self.settings[&variable("database.url")]
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.database_url().starts_with("sqlite:")
    }

    /// The address of the server that [`start`](Self::start) starts.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Starts the server, always at the same address, and waits until it serves.
    pub(crate) fn start(&self) -> Server {
        let mut server = self.spawn(&["serve", "--dev"]);
        server.wait_ready();
        server
    }

    /// Starts another server on the same database and keys.
    pub(crate) fn start_another(&self) -> Server {
        let mut server = self.spawn_at(free_port(), &["serve", "--dev"]);
        server.wait_ready();
        server
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> Server {
        self.spawn_at(self.port, arguments)
    }

    pub(crate) fn spawn_at(&self, port: u16, arguments: &[&str]) -> Server {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let serial = self.starts.fetch_add(1, Ordering::Relaxed);
        let log = self.path().join(format!("logs/{serial}"));
        let mut command = self.command(arguments);
        command.env(variable("http.bind"), address.to_string());
        command.stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        Server::new(command.spawn().unwrap(), address, log)
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        self.run_with(arguments, &[], "")
    }

    /// Runs a command to its end with more settings, and with this on its standard input.
    pub(crate) fn run_with(
        &self,
        arguments: &[&str],
        more: &[(&str, &str)],
        input: &str,
    ) -> Finished {
        let mut command = self.command(arguments);
        command.env(variable("http.bind"), self.address().to_string());
        command.envs(more.iter().map(|(key, value)| (variable(key), value)));
        Finished::of(command, input)
    }

    /// The program with these settings and nothing else of this process's environment.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments.iter().map(OsString::from)).current_dir(self.path());
        command.env_clear().envs(&self.settings).stdin(Stdio::null());
        command
    }

    /// Every byte of every file below a directory of this home.
    pub(crate) fn files(&self, below: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        collect(&self.path().join(below), &mut files);
        files
    }
}

fn collect(directory: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            let bytes = fs::read(&path).unwrap();
            files.push((path, bytes));
        }
    }
}

/// `http.bind` is `PORTCULLIS__HTTP__BIND`.
fn variable(key: &str) -> String {
    format!("PORTCULLIS__{}", key.to_uppercase().replace('.', "__"))
}

/// A loopback port that nobody listens on. Different processes begin their search at different ones.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let span = u32::from(PORTS.end - PORTS.start);
    let ports = (0..span).map(|_| {
        let turn = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let offset = std::process::id().wrapping_mul(97).wrapping_add(turn) % span;
        PORTS.start + u16::try_from(offset).unwrap()
    });
    let mut free = ports.filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    free.next().expect("a free loopback port")
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    fn of(mut command: Command, input: &str) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // One that does not read it has ended, which is no failure of the test.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let stdout = thread::spawn(move || io::read_to_string(&mut stdout).unwrap());
        let stderr = thread::spawn(move || io::read_to_string(&mut stderr).unwrap());
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() < deadline => thread::sleep(super::POLL),
                None => {
                    child.kill().unwrap();
                    panic!("it does not end: {}", stderr.join().unwrap());
                }
            }
        };
        Self { code: status.code(), stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
    }

    /// The output of a command that must succeed.
    #[track_caller]
    pub(crate) fn succeeded(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// The one line with which a command must fail.
    #[track_caller]
    pub(crate) fn failed(self) -> String {
        assert!(self.code.is_some_and(|code| code != 0), "{self:?}");
        let lines: Vec<_> = self.stderr.lines().filter(|line| is_complaint(line)).collect();
        assert_eq!(lines.len(), 1, "one clear line: {self:?}");
        lines[0].to_owned()
    }
}

/// Log lines are JSON here.
fn is_complaint(line: &str) -> bool {
    !line.is_empty() && !line.starts_with('{')
}
