use std::time::Duration;

use diesel::{Connection, ConnectionError, PgConnection, connection::SimpleConnection};
use portcullis_kernel::{ExposeSecret, SecretString};

use crate::pool::{Connect, ConnectError};

/// Opens connections to a server.
pub(super) struct Connector {
    url: SecretString,
    /// Statements that every pooled connection begins with.
    session: String,
}

impl Connector {
    pub(super) fn new(
        url: &SecretString,
        connect_timeout: Duration,
        lock_timeout: Duration,
        statement_timeout: Duration,
    ) -> Self {
        let session = format!(
            "SET lock_timeout = {}; SET statement_timeout = {}",
            lock_timeout.as_millis(),
            statement_timeout.as_millis()
        );
        let url = with_defaults(url.expose_secret(), connect_timeout).into();
        Self { url, session }
    }

    /// A connection without a limit on how long its statements take or wait.
    pub(super) fn connect_patient(&self) -> Result<PgConnection, ConnectError> {
        self.establish("SET lock_timeout = 0; SET statement_timeout = 0")
    }

    fn establish(&self, session: &str) -> Result<PgConnection, ConnectError> {
        let url = self.url.expose_secret();
        let mut conn =
            PgConnection::establish(url).map_err(|error| ConnectError(speakable(url, &error)))?;
        conn.batch_execute(session)
            .map_err(|error| ConnectError(format!("cannot set up a session: {error}")))?;
        Ok(conn)
    }
}

impl Connect for Connector {
    type Conn = PgConnection;

    const PING_AFTER: Option<Duration> = Some(Duration::from_millis(500));

    fn connect(&self) -> Result<PgConnection, ConnectError> {
        self.establish(&self.session)
    }
}

/// The URL with parameters that its own override. A peer that is gone without a word is noticed
/// after ten seconds.
fn with_defaults(url: &str, connect_timeout: Duration) -> String {
    let defaults = [
        ("application_name", "portcullis".to_owned()),
        ("connect_timeout", connect_timeout.as_secs().max(1).to_string()),
        ("keepalives_idle", "5".to_owned()),
        ("keepalives_interval", "2".to_owned()),
        ("keepalives_count", "3".to_owned()),
        ("tcp_user_timeout", "10000".to_owned()),
    ];
    let pairs = |separator: &str| {
        defaults
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect::<Vec<_>>()
            .join(separator)
    };
    let Some(authority) = url.find("://").map(|at| at + 3) else {
        return format!("{} {url}", pairs(" "));
    };
    // As libpq reads it: what stands before the first `@` is no place for parameters.
    let rest = url.get(authority..).unwrap_or_default();
    let host = rest.find(['@', '/']).filter(|at| rest.as_bytes().get(*at) == Some(&b'@'));
    let query = rest.get(host.unwrap_or(0)..).and_then(|tail| tail.find('?'));
    match query.map(|at| authority + host.unwrap_or(0) + at) {
        Some(at) => {
            let (before, own) = url.split_at(at);
            format!("{before}?{}&{}", pairs("&"), own.trim_start_matches('?'))
        }
        None => format!("{url}?{}", pairs("&")),
    }
}

/// What may be said of a failed attempt. libpq quotes parts of a URL that it cannot read, and so of
/// the password; of one that it can, it quotes host, port, user and database only.
fn speakable(url: &str, error: &ConnectionError) -> String {
    let text = match error {
        ConnectionError::BadConnection(text) => text.trim(),
        ConnectionError::CouldntSetupConfiguration(error) => {
            return format!("cannot set up a session: {error}");
        }
        _ => "",
    };
    let from_server = text.starts_with("connection to server");
    let no_such_host = text.starts_with("could not translate host name");
    if from_server || (no_such_host && url.matches('@').count() < 2) {
        text.to_owned()
    } else {
        "libpq cannot read the connection URL; special characters of a password must be \
         percent-encoded"
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: &str = "application_name=portcullis&connect_timeout=2&keepalives_idle=5\
        &keepalives_interval=2&keepalives_count=3&tcp_user_timeout=10000";

    #[test]
    fn parameters_of_the_url_come_after_the_defaults() {
        for (url, expected) in [
            ("postgres://h/d", format!("postgres://h/d?{DEFAULTS}")),
            ("postgres://h/d?a=1", format!("postgres://h/d?{DEFAULTS}&a=1")),
            ("postgres://u:p?x@h/d?a=1", format!("postgres://u:p?x@h/d?{DEFAULTS}&a=1")),
            ("postgres://u:p?x@h/d", format!("postgres://u:p?x@h/d?{DEFAULTS}")),
            ("postgres:///d?host=/a@b", format!("postgres:///d?{DEFAULTS}&host=/a@b")),
            ("host=h dbname=d", format!("{} host=h dbname=d", DEFAULTS.replace('&', " "))),
        ] {
            assert_eq!(with_defaults(url, Duration::from_secs(2)), expected, "{url}");
        }
    }

    #[test]
    fn a_password_is_never_part_of_an_error() {
        for url in [
            "postgres://user:hunter2%zz@127.0.0.1:1/db",
            "postgres://user:hunter2/x@127.0.0.1:1/db",
            "postgres://user:x@hunter2@127.0.0.1:1/db",
            "postgres://user:hunter2@127.0.0.1:1/db",
            "postgres://user:hunter2@[::1/db",
            "postgres://127.0.0.1:1/db?password=hunter2&hunter2",
            "host=127.0.0.1 port=1 password=x hunter2",
            "host=127.0.0.1 port=1 password='hunter2",
        ] {
            let timeout = Duration::from_secs(1);
            let connector = Connector::new(&url.into(), timeout, timeout, timeout);
            let error = connector.connect().err().unwrap().to_string();
            assert!(!error.contains("hunter2"), "{url}: {error}");
        }
    }
}
