//! What `serve` asks of the settings beyond what every command asks.

use super::{
    loaded::Loaded,
    mail,
    problem::{Problem, Problems},
};

/// How the server is to be started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StartMode {
    /// An http `public_url` was said out loud.
    pub(crate) insecure_http: bool,
}

impl Loaded {
    /// Whether the server may be started with these settings.
    pub(crate) fn check_start(&self, mode: StartMode) -> Result<(), Problems> {
        let mut problems = if self.dev { self.development() } else { self.deployment(mode) };
        problems.extend(self.database().err());
        problems.extend(self.master_key().err());
        problems.extend(self.webhook_secrets().err());
        problems.extend(mail::check(self));
        Problems::or(problems, ())
    }

    /// Whether mail can leave with these settings.
    pub(crate) fn check_mail(&self) -> Result<(), Problems> {
        Problems::or(mail::check(self), ())
    }

    /// Development mode opens doors that only this machine may reach.
    fn development(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let bind = self.settings.http.bind.0;
        if !bind.ip().to_canonical().is_loopback() {
            let text = format!(
                "--dev listens on a loopback address only, such as 127.0.0.1:{}, not {bind}; \
                 to serve others, start without --dev",
                bind.port()
            );
            problems.push(self.problem("http.bind", text));
        }
        if let Some(url) = self.settings.public_url.as_ref().filter(|url| !url.is_loopback()) {
            let text = format!(
                "--dev wants a loopback address such as http://127.0.0.1:{}, not {url}; \
                 to serve others, start without --dev",
                bind.port()
            );
            problems.push(self.problem("public_url", text));
        }
        problems
    }

    fn deployment(&self, mode: StartMode) -> Vec<Problem> {
        let problem = match &self.settings.public_url {
            None => Problem::of(
                "public_url",
                "is not set; give the origin under which clients reach the server, such as \
                 https://auth.example.com (to try Portcullis out, start it with --dev)",
            ),
            Some(url) if !url.is_https() && !mode.insecure_http => self.problem(
                "public_url",
                format!(
                    "must be an https origin, not {url}; with --insecure-http passwords and tokens \
                     may travel in the clear"
                ),
            ),
            Some(_) => return Vec::new(),
        };
        vec![problem]
    }
}
