//! The cluster itself.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{Error, ErrorKind, Read, Result},
    net::TcpListener,
    path::{Path, PathBuf},
    process,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    binaries::server_binaries,
    directory::Directory,
    supervisor::{Order, Supervisor, unprivileged},
    wire::Session,
};

const START_PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

/// Below the range that systems give to outgoing connections, so that a client of a stopped
/// server never sits on the port that the server wants back.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// How the server is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Survives power loss and writes as a real server does: for benchmarks. Off, commits wait
    /// for no disk.
    pub durable: bool,
    /// Connections that the server allows at a time.
    pub max_connections: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self { durable: false, max_connections: 200 }
    }
}

/// A private PostgreSQL server. Dropping it stops the server and removes its files.
#[derive(Debug)]
pub struct Cluster {
    // Fields drop in this order: the server ends before its directory goes.
    supervisor: Mutex<Supervisor>,
    directory: Directory,
    port: u16,
    password: String,
}

impl Cluster {
    /// Starts a cluster with the default [`Options`].
    ///
    /// The error is of kind [`ErrorKind::NotFound`] where PostgreSQL is not installed.
    pub fn start() -> Result<Self> {
        Self::start_with(&Options::default())
    }

    /// Starts a cluster with these options.
    pub fn start_with(options: &Options) -> Result<Self> {
        let binaries = server_binaries().ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "no PostgreSQL server programs: install PostgreSQL, or set PG_BIN_DIR",
            )
        })?;
        let port = free_port()?;
        let directory = Directory::create()?;
        let command_line = server_command(&binaries, directory.path(), port, options);
        let supervisor = Supervisor::spawn(&directory, command_line.iter().map(AsRef::as_ref))?;
        let password = random_password()?;
        let cluster = Self { supervisor: Mutex::new(supervisor), directory, port, password };
        cluster.initialise(&binaries)?;
        cluster.start_server()?;
        Ok(cluster)
    }

    /// The connection URL of a database of this cluster, for its superuser over loopback TCP.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// The loopback port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the cluster keeps its files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Runs one statement in the maintenance database `postgres`.
    pub fn execute(&self, sql: &str) -> Result<()> {
        Session::open(&self.socket())?.execute(sql)
    }

    /// Starts the stopped server again, on the same data and port, and waits until it answers.
    pub fn start_server(&self) -> Result<()> {
        self.order(Order::Start)?;
        let deadline = Instant::now() + START_PATIENCE;
        while Session::open(&self.socket()).is_err() {
            if Instant::now() > deadline || self.has_given_up() {
                let log = self.log();
                return Err(Error::other(format!("PostgreSQL did not start: {log}")));
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Stops the server as `pg_ctl stop -m fast` does: sessions are cut, the data stays.
    pub fn stop_server(&self) -> Result<()> {
        self.order(Order::Stop)
    }

    /// Stops the server as a crash does: the next start recovers from the write-ahead log.
    pub fn crash_server(&self) -> Result<()> {
        self.order(Order::Crash)
    }

    /// Stops the server and removes its files, as dropping does.
    pub fn stop(self) {
        drop(self);
    }

    fn order(&self, order: Order) -> Result<()> {
        self.supervisor.lock().unwrap_or_else(PoisonError::into_inner).order(order)
    }

    fn initialise(&self, binaries: &Path) -> Result<()> {
        let password_file = self.directory.write_private("password", &self.password)?;
        let output = unprivileged(binaries.join("initdb"), &self.directory)
            .args(["--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"])
            // Only the owner reaches the socket; any user of the machine reaches the port.
            .args(["--auth-local=trust", "--auth-host=scram-sha-256", "--no-instructions"])
            .arg("--pwfile")
            .arg(password_file)
            .arg("-D")
            .arg(self.directory.path().join("data"))
            .output()?;
        if output.status.success() {
            return Ok(());
        }
        let reason = String::from_utf8_lossy(&output.stderr);
        Err(Error::other(format!("initdb failed: {}", reason.trim())))
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join(format!(".s.PGSQL.{}", self.port))
    }

    /// Without a socket, a `FATAL` in the log (which each start begins anew) is the end.
    fn has_given_up(&self) -> bool {
        !self.socket().exists() && self.log().contains("FATAL:")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

fn server_command(
    binaries: &Path,
    directory: &Path,
    port: u16,
    options: &Options,
) -> Vec<OsString> {
    let mut command = vec![binaries.join("postgres").into_os_string()];
    command.extend(["-D".into(), directory.join("data").into_os_string()]);
    command.extend(["-k".into(), directory.into()]);
    command.extend(["-h", "127.0.0.1", "-p"].map(OsString::from));
    command.push(port.to_string().into());
    let mut settings = vec![
        format!("max_connections={}", options.max_connections),
        "log_min_messages=fatal".to_owned(),
    ];
    if !options.durable {
        settings.extend(
            [
                "fsync=off",
                "synchronous_commit=off",
                "full_page_writes=off",
                "wal_level=minimal",
                "max_wal_senders=0",
                "autovacuum=off",
                "shared_buffers=32MB",
            ]
            .map(str::to_owned),
        );
    }
    command.extend(settings.into_iter().flat_map(|s| [OsString::from("-c"), s.into()]));
    command
}

/// Different processes begin their search at different ports.
fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let span = u32::from(PORTS.end - PORTS.start);
    for _ in 0..span {
        let turn = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let offset = (process::id().wrapping_mul(37).wrapping_add(turn)) % span;
        let port = u16::try_from(u32::from(PORTS.start) + offset).map_err(Error::other)?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::new(ErrorKind::AddrInUse, "no free loopback port"))
}

fn random_password() -> Result<String> {
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_below_the_range_of_outgoing_connections() {
        assert!(PORTS.contains(&free_port().unwrap()));
    }

    #[test]
    fn passwords_differ() {
        assert_ne!(random_password().unwrap(), random_password().unwrap());
    }

    #[test]
    fn durability_is_asked_for() {
        let has_fsync_off = |options: &Options| {
            server_command(Path::new("/bin"), Path::new("/dir"), 1, options)
                .iter()
                .any(|argument| argument == "fsync=off")
        };
        assert!(has_fsync_off(&Options::default()));
        assert!(!has_fsync_off(&Options { durable: true, ..Options::default() }));
    }
}
