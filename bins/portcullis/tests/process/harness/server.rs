//! A running server.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use super::{Client, Outcome, Request, wait_until};

/// The first start makes an RSA key, which takes a while on a busy machine.
const READY: Duration = Duration::from_mins(1);

/// A server process. It ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Server {
    pub(super) fn new(child: Child, address: SocketAddr, log: PathBuf) -> Self {
        Self { child, address, log }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_ready(&self) -> bool {
        let outcome = self.client().send(&Request::get("/ready"));
        matches!(outcome, Outcome::Answered(answer) if answer.status == 200)
    }

    /// Waits until it serves; panics with its log when it ends instead.
    pub(crate) fn wait_ready(&mut self) {
        let deadline = Instant::now() + READY;
        while !self.is_ready() {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the server ended with {status}:\n{}", self.log());
            }
            assert!(Instant::now() < deadline, "not ready within {READY:?}:\n{}", self.log());
            std::thread::sleep(super::POLL);
        }
    }

    /// What it has written to its standard error so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn terminate(&self) {
        signal(self.pid(), "TERM");
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for it to end by itself.
    pub(crate) fn wait_end(&mut self, patience: Duration) -> ExitStatus {
        wait_until("the server has ended", patience, || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap()
    }

    /// A figure of `/proc/PID/status` in KiB.
    pub(crate) fn memory_kib(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the figure");
        line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, which is no failure.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<_> = log.lines().rev().take(40).collect();
            let tail: Vec<_> = tail.into_iter().rev().collect();
            eprintln!("--- the end of {}\n{}\n---", self.log.display(), tail.join("\n"));
        }
    }
}

/// Sends a signal to a process of this test, by its id.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("/bin/sh").args(["-c", &format!("kill -{name} {pid}")]).status();
    assert!(sent.unwrap().success(), "SIG{name} to {pid}");
}
