//! The real binary, started as a user would start it, and clients that talk to it.

pub(crate) mod agents;
mod client;
pub(crate) mod database;
mod failures;
mod home;
mod load;
mod mailbox;
pub(crate) mod newcomers;
pub(crate) mod people;
mod server;
mod sink;
mod wire;

use std::{
    fs::File,
    io::Read,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

pub(crate) use agents::{Agent, AgentToken, ApiKey, ResourceServer};
pub(crate) use client::Client;
pub(crate) use home::{Home, each_database, free_port};
pub(crate) use load::{Load, check_diaries};
pub(crate) use mailbox::{Arrivals, Mail, Mailbox};
pub(crate) use newcomers::Newcomer;
pub(crate) use people::{Account, Tokens};
pub(crate) use server::Server;
pub(crate) use sink::{Manner, Sink};
pub(crate) use wire::{Answer, Outcome, Request, read_answer};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(10);

/// Waits for a condition that must come true.
pub(crate) fn wait_until(what: &str, patience: Duration, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !is_true() {
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        thread::sleep(POLL);
    }
}

/// 64 random bits, so that no two tests, nor two runs on one database, meet.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).unwrap();
    u64::from_ne_bytes(bytes)
}

/// Runs `work` on one thread for each item, all of which begin together.
pub(crate) fn at_once<T: Send, R: Send>(
    items: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let items: Vec<T> = items.into_iter().collect();
    let barrier = Barrier::new(items.len());
    let run = |item| {
        barrier.wait();
        work(item)
    };
    let run = &run;
    thread::scope(|scope| {
        let threads: Vec<_> =
            items.into_iter().map(|item| scope.spawn(move || run(item))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
