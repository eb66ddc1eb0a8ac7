//! The chromedriver process, and the shell that outlives it.

use std::{
    io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::directory::Directory;

const SUPERVISOR: &str = include_str!("supervisor.sh");

const START_PATIENCE: Duration = Duration::from_secs(30);

/// A running chromedriver. Dropping it ends it, and its browsers, and waits for that.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) port: u16,
    pub(crate) browser: PathBuf,
    child: Child,
    // Fields drop in this order: the processes end before their directory goes.
    supervisor: Supervisor,
    directory: Directory,
}

impl Driver {
    pub(crate) fn start(driver: &Path, browser: &Path) -> Result<Self> {
        let directory = Directory::create()?;
        let mut supervisor = Supervisor::spawn(directory.path())?;
        // Of no kind of its own: a driver that is named and not there is not one that is missing.
        let mut child = command(driver, directory.path()).spawn().map_err(|error| {
            Error::other(format!("{} does not start: {error}", driver.display()))
        })?;
        supervisor.watch(child.id())?;
        let output = child.stdout.take().ok_or_else(|| Error::other("no pipe"))?;
        let browser = browser.to_owned();
        let mut started = Self { port: 0, browser, child, supervisor, directory };
        started.port = announced_port(output)?;
        Ok(started)
    }

    pub(crate) fn process_group(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.supervisor.end();
        // Nothing can be done about a failure here, and a destructor must not fail.
        let _ = self.child.wait();
    }
}

/// The driver, and so its browsers, in a process group of their own, with all their files in one
/// place. Nothing of the user's own settings, language and time zone gets into a page.
fn command(driver: &Path, directory: &Path) -> Command {
    let mut command = Command::new(driver);
    command.args(["--port=0", "--log-level=SEVERE"]).process_group(0);
    command.env("HOME", directory).env("TMPDIR", directory);
    command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_CACHE_HOME");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// The driver takes a free port itself and says which; what else it says is read, so that it does
/// not block, and dropped.
fn announced_port(output: impl Read + Send + 'static) -> Result<u16> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(port) = port_in(&line) {
                // The receiver has given up, or has its port.
                let _ = sender.send(port);
            }
        }
    });
    receiver.recv_timeout(START_PATIENCE).map_err(|_| {
        Error::new(ErrorKind::TimedOut, "chromedriver does not say on which port it listens")
    })
}

/// `ChromeDriver was started successfully on port 36291.`
fn port_in(line: &str) -> Option<u16> {
    let (_, port) = line.split_once("started successfully on port ")?;
    port.trim_end_matches('.').parse().ok()
}

#[derive(Debug)]
struct Supervisor {
    child: Child,
    lifeline: Option<ChildStdin>,
}

impl Supervisor {
    fn spawn(directory: &Path) -> Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SUPERVISOR, "portcullis-browser"]).arg(directory);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // A group of its own, so that Ctrl-C ends the owner and leaves the clearing up to us.
        let mut child = command.current_dir("/").process_group(0).spawn()?;
        let lifeline = child.stdin.take();
        Ok(Self { child, lifeline })
    }

    fn watch(&mut self, group: u32) -> Result<()> {
        let lifeline = self.lifeline.as_mut().ok_or_else(|| Error::other("no pipe"))?;
        writeln!(lifeline, "{group}")
    }

    fn end(&mut self) {
        drop(self.lifeline.take());
        let _ = self.child.wait();
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_what_the_driver_says() {
        let said = "Starting ChromeDriver 1.2 on port 0\nPlease see\n\
                    ChromeDriver was started successfully on port 36291.\n";
        assert_eq!(announced_port(said.as_bytes()).unwrap(), 36_291);
        assert_eq!(announced_port("".as_bytes()).unwrap_err().kind(), ErrorKind::TimedOut);
    }
}
