use std::{
    any::Any,
    net::Shutdown,
    os::fd::AsFd as _,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use actix_web::{dev::Extensions, rt::net::TcpStream};
use socket2::{SockRef, Socket};

/// Answers over one connection before it is to end.
const MOST_ANSWERS: u64 = 1000;
/// Bytes of answers over one connection before it is to end, heads reckoned.
const MOST_BYTES: u64 = 512 * 1024;
/// What the head of an answer is reckoned at.
const HEAD_BYTES: u64 = 512;
/// Answers to what was sent before the client could know of the end.
const MOST_LATE: u64 = 16;
/// How long a client may leave answers untaken.
const UNTAKEN: Duration = Duration::from_secs(10);

/// What came over one connection. A client can send any number of requests without taking an answer,
/// and actix makes all the answers, and keeps them; so a connection has an end.
#[derive(Default)]
pub(crate) struct Connection {
    /// A second handle to it.
    socket: Option<Socket>,
    answers: AtomicU64,
    bytes: AtomicU64,
    late: AtomicU64,
}

impl Connection {
    /// Begins to count for a connection that was just accepted, and has the kernel reset it when
    /// its client takes nothing for 10 seconds.
    pub(crate) fn begin(io: &dyn Any, data: &mut Extensions) {
        let Some(stream) = io.downcast_ref::<TcpStream>() else { return };
        if let Err(error) = SockRef::from(stream).set_tcp_user_timeout(Some(UNTAKEN)) {
            tracing::debug!(%error, "a connection has no time-out for untaken answers");
        }
        let socket = stream.as_fd().try_clone_to_owned().ok().map(Socket::from);
        data.insert(Self { socket, ..Self::default() });
    }

    /// Counts an answer with a body of so many bytes; says whether it is to be the last. A client
    /// that goes on for long all the same is cut off.
    pub(super) fn is_spent_by(&self, body: u64) -> bool {
        let answers = self.answers.fetch_add(1, Ordering::Relaxed) + 1;
        let size = body.saturating_add(HEAD_BYTES);
        let bytes = self.bytes.fetch_add(size, Ordering::Relaxed).saturating_add(size);
        let spent = answers >= MOST_ANSWERS || bytes >= MOST_BYTES;
        if spent && self.late.fetch_add(1, Ordering::Relaxed) >= MOST_LATE {
            self.cut_off();
        }
        spent
    }

    fn cut_off(&self) {
        // It may be gone already.
        if let Some(Err(error)) = self.socket.as_ref().map(|s| s.shutdown(Shutdown::Both)) {
            tracing::debug!(%error, "a connection was not cut off");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_ends_by_number_or_size_of_its_answers() {
        let small = Connection::default();
        assert_eq!((1..2000).find(|_| small.is_spent_by(10)), Some(1000));
        let large = Connection::default();
        assert_eq!((1..2000).find(|_| large.is_spent_by(20_000)), Some(26));
    }
}
