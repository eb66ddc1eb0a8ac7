//! The little of PostgreSQL's wire protocol that readiness and set-up statements need.
//!
//! It speaks over the cluster's own socket, which lies in a private directory and therefore
//! asks for no password. See "Frontend/Backend Protocol" in the PostgreSQL documentation.

use std::{
    io::{Error, ErrorKind, Read, Result, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

const PROTOCOL_3_0: u32 = 196_608;
const STARTUP: &[u8] = b"user\0postgres\0database\0postgres\0\0";

/// Longer than any set-up statement takes, `CREATE DATABASE` on a busy machine included.
const PATIENCE: Duration = Duration::from_mins(1);

/// A session of the superuser in the maintenance database.
pub(crate) struct Session(UnixStream);

impl Session {
    /// Fails while the server is still starting or is not there.
    pub(crate) fn open(socket: &Path) -> Result<Self> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let body = [PROTOCOL_3_0.to_be_bytes().as_slice(), STARTUP].concat();
        stream.write_all(&framed(&body)?)?;
        let mut session = Self(stream);
        session.until_ready()?;
        Ok(session)
    }

    /// Runs one statement that returns no rows of interest.
    pub(crate) fn execute(&mut self, sql: &str) -> Result<()> {
        if sql.contains('\0') {
            return Err(Error::new(ErrorKind::InvalidInput, "a statement holds no NUL byte"));
        }
        let body = [sql.as_bytes(), b"\0"].concat();
        self.0.write_all(b"Q")?;
        self.0.write_all(&framed(&body)?)?;
        self.until_ready()
    }

    /// Reads messages up to `ReadyForQuery`; an `ErrorResponse` on the way becomes the error.
    fn until_ready(&mut self) -> Result<()> {
        let mut refusal = None;
        loop {
            let (kind, body) = match self.message() {
                Ok(message) => message,
                // After a fatal error the server hangs up instead of getting ready.
                Err(end) => return Err(refusal.unwrap_or(end)),
            };
            match kind {
                b'Z' => return refusal.map_or(Ok(()), Err),
                b'E' => refusal = Some(Error::other(human_part(&body))),
                _ => {}
            }
        }
    }

    fn message(&mut self) -> Result<(u8, Vec<u8>)> {
        let mut kind = [0_u8; 1];
        let mut length = [0_u8; 4];
        self.0.read_exact(&mut kind)?;
        self.0.read_exact(&mut length)?;
        let rest = u64::from(u32::from_be_bytes(length)).saturating_sub(4);
        let mut body = Vec::new();
        (&mut self.0).take(rest).read_to_end(&mut body)?;
        let [kind] = kind;
        Ok((kind, body))
    }
}

/// The length counts itself.
fn framed(body: &[u8]) -> Result<Vec<u8>> {
    let length = u32::try_from(body.len() + 4).map_err(Error::other)?;
    Ok([length.to_be_bytes().as_slice(), body].concat())
}

/// An `ErrorResponse` is a list of fields, each a letter and a text; `M` is the message.
fn human_part(body: &[u8]) -> String {
    body.split(|byte| *byte == 0)
        .find_map(|field| field.strip_prefix(b"M"))
        .map_or_else(|| "refused".to_owned(), |text| String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_counts_its_own_length() {
        assert_eq!(framed(b"ab").unwrap(), [0, 0, 0, 6, b'a', b'b']);
    }

    #[test]
    fn the_message_is_taken_from_an_error() {
        assert_eq!(human_part(b"SERROR\0C42P04\0Mit exists\0\0"), "it exists");
        assert_eq!(human_part(b""), "refused");
    }
}
