//! The server that clients are run against.

use std::{
    env,
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::http::{self, Answer};

/// The first start makes an RSA key, which takes a while on a busy machine.
const READY: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);

/// Below those of outgoing connections.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// How much of the log is shown.
const LAST_LINES: usize = 60;

/// What the resource server guards; nobody looks there.
const AUDIENCE: &str = "https://api.example.com/messages";
const SCOPE: &str = "messages:read";

/// A server process with a directory. Both end with this value.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    program: PathBuf,
    directory: PathBuf,
    address: SocketAddr,
    algorithm: &'static str,
}

impl Server {
    /// Starts the server and waits until it serves.
    pub(super) fn start(program: &Path, work: &Path, algorithm: &'static str) -> Result<Self> {
        let directory = work.join(format!("server-{}-{algorithm}", std::process::id()));
        fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
        let address = free_address()?;
        let mut command = command(program, &directory, address, algorithm);
        let log = File::create(log_file(&directory))?;
        command.args(["serve", "--dev"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().with_context(|| program.display().to_string())?;
        let program = program.to_owned();
        let mut server = Self { child, program, directory, address, algorithm };
        server.wait_ready()?;
        eprintln!("xtask: the server signs with {algorithm} at {}", server.url());
        Ok(server)
    }

    pub(super) fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    /// The end of its log.
    pub(super) fn last_words(&self) -> String {
        let log = fs::read(log_file(&self.directory)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        let (_, last) = lines.split_at(lines.len().saturating_sub(LAST_LINES));
        format!("--- the end of the server's log:\n{}\n---", last.join("\n"))
    }

    /// Makes everything that a client needs.
    pub(super) fn account(&self) -> Result<Account<'_>> {
        let name = json!({"agent_name": "standard-clients"});
        let agent = self.created("/api/auth/register", None, &name)?;
        let (agent_id, recovery_key) = (text(&agent, "agent_id")?, text(&agent, "recovery_key")?);
        let path = format!("/api/agents/{agent_id}");
        let credential = BASE64_STANDARD.encode(format!("{agent_id}:{recovery_key}"));
        let name = json!({"name": "standard clients"});
        let key = self.created(&path, Some(&format!("Basic {credential}")), &name)?;
        let api_key = text(&key, "api_key")?;
        let (resource_id, resource_secret) = self.resource_server()?;
        Ok(Account { server: self, agent_id, api_key, resource_id, resource_secret })
    }

    fn created(&self, path: &str, authorization: Option<&str>, body: &Value) -> Result<Value> {
        let Answer { status, body } = http::post(self.address, path, authorization, body)?;
        if status != 201 {
            bail!("POST {path} was answered by {status}: {body}");
        }
        serde_json::from_str(&body).with_context(|| format!("POST {path}"))
    }

    /// The id and the secret of a new resource server.
    fn resource_server(&self) -> Result<(String, String)> {
        let mut command = command(&self.program, &self.directory, self.address, self.algorithm);
        command.args(["resources", "add", "messages", "--scope", SCOPE, "--audience", AUDIENCE]);
        let output = command.args(["--dev", "--json"]).output()?;
        if !output.status.success() {
            bail!("resources add: {}", String::from_utf8_lossy(&output.stderr));
        }
        let added = serde_json::from_slice(&output.stdout).context("resources add")?;
        Ok((text(&added, "id")?, text(&added, "secret")?))
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn wait_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY;
        while !http::get(self.address, "/ready").is_ok_and(|answer| answer.status == 200) {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}\n{}", self.last_words());
            }
            if Instant::now() > deadline {
                bail!("the server did not get ready\n{}", self.last_words());
            }
            thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, which is no failure.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// An agent with a key, and a resource server.
pub(super) struct Account<'s> {
    server: &'s Server,
    agent_id: String,
    api_key: String,
    resource_id: String,
    resource_secret: String,
}

impl Account<'_> {
    /// What a client finds in its environment.
    pub(super) fn variables(&self) -> [(&'static str, String); 7] {
        [
            ("SERVER_URL", self.server.url()),
            ("ALGORITHM", self.server.algorithm.to_owned()),
            ("AGENT_ID", self.agent_id.clone()),
            ("API_KEY", self.api_key.clone()),
            ("RESOURCE_ID", self.resource_id.clone()),
            ("RESOURCE_SECRET", self.resource_secret.clone()),
            ("RESOURCE_AUDIENCE", AUDIENCE.to_owned()),
        ]
    }
}

/// The program with the settings of this server and no others.
fn command(program: &Path, directory: &Path, address: SocketAddr, algorithm: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(directory);
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("PORTCULLIS__") {
            command.env_remove(name);
        }
    }
    command.env("PORTCULLIS__HTTP__BIND", address.to_string());
    command.env("PORTCULLIS__AGENTS__ALGORITHM", algorithm);
    command
}

fn log_file(directory: &Path) -> PathBuf {
    directory.join("log")
}

/// An address that nobody listens on. Different processes begin their search at different ones.
fn free_address() -> Result<SocketAddr> {
    let span = u32::from(PORTS.end - PORTS.start);
    for turn in 0..span {
        let offset = std::process::id().wrapping_mul(61).wrapping_add(turn) % span;
        let port = PORTS.start + u16::try_from(offset)?;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return Ok(listener.local_addr()?);
        }
    }
    bail!("no free loopback port");
}

fn text(object: &Value, member: &str) -> Result<String> {
    let text = object.get(member).and_then(Value::as_str);
    Ok(text.with_context(|| format!("the answer has no {member}"))?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_lacks_is_named() {
        let object = json!({"a": "b", "c": 1});
        assert_eq!(text(&object, "a").unwrap(), "b");
        assert!(text(&object, "c").unwrap_err().to_string().contains('c'));
    }
}
