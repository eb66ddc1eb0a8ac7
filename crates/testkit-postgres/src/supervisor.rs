//! The shell that keeps the server and clears up after its owner.

use std::{
    io::{BufRead, BufReader, Error, Result, Write},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use crate::directory::Directory;

const SCRIPT: &str = include_str!("supervisor.sh");

/// What the owner may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Start,
    /// A fast shutdown: sessions are cut, the data is written out.
    Stop,
    /// An immediate shutdown: the next start recovers from the log.
    Crash,
}

impl Order {
    fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Crash => "crash",
        }
    }
}

/// A running supervisor; dropping it ends the server and waits for that.
#[derive(Debug)]
pub(crate) struct Supervisor {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Supervisor {
    /// Starts the shell, not yet the server, for this command line.
    pub(crate) fn spawn<'a>(
        directory: &Directory,
        server: impl IntoIterator<Item = &'a std::ffi::OsStr>,
    ) -> Result<Self> {
        let mut command = unprivileged("/bin/sh", directory);
        command.args(["-c", SCRIPT, "portcullis-pg"]).arg(directory.path()).args(server);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // A group of its own, so that Ctrl-C ends the owner and leaves the clearing up to us.
        let mut child = command.process_group(0).spawn()?;
        let orders = child.stdin.take();
        let answers = child.stdout.take().ok_or_else(|| Error::other("no pipe"))?;
        Ok(Self { child, orders, answers: BufReader::new(answers) })
    }

    /// Gives an order and waits until it is carried out (a start: until the process exists).
    pub(crate) fn order(&mut self, order: Order) -> Result<()> {
        let orders = self.orders.as_mut().ok_or_else(|| Error::other("the supervisor is gone"))?;
        writeln!(orders, "{}", order.word())?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        if answer.trim_end() == order.word() {
            return Ok(());
        }
        Err(Error::other("the supervisor has ended"))
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.orders.take());
        // Nothing can be done about a failure here, and a destructor must not fail.
        let _ = self.child.wait();
    }
}

/// A command under the account that owns the directory, away from the caller's own directory
/// (which that account may not be allowed to enter).
pub(crate) fn unprivileged(program: impl AsRef<std::ffi::OsStr>, directory: &Directory) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").env_remove("PGDATA").stdin(Stdio::null());
    if let Some(account) = directory.account() {
        command.uid(account.uid).gid(account.gid);
    }
    command
}
