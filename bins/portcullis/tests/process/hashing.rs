//! Password checks keep nobody else waiting and stay within their memory.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::harness::{Account, Home, at_once, each_database};

/// How long 99 of 100 who read the key set meanwhile may wait.
const KEY_SET_P99: Duration = Duration::from_millis(100);

/// What the requirement grants: 64 MiB, and 19 for each hash that runs.
fn memory_allowed_kib() -> u64 {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    (64 + 19 * cores) * 1024
}

fn p7_100_parallel_sign_ins_starve_nobody(home: &mut Home) {
    home.without_limits();
    let server = home.start();
    let account = Account::new();
    account.register(&mut server.client());
    let done = AtomicBool::new(false);
    let (outcomes, mut waits) = thread::scope(|scope| {
        let poll = scope.spawn(|| {
            let (mut client, mut waits) = (server.client(), Vec::new());
            while !done.load(Ordering::Relaxed) {
                let begun = Instant::now();
                client.get("/.well-known/jwks.json").with_status(200);
                waits.push(begun.elapsed());
                thread::sleep(Duration::from_millis(10));
            }
            waits
        });
        let clients = (0..100).map(|_| server.client().connected());
        let outcomes = at_once(clients, |mut client| client.send(&account.sign_in()));
        done.store(true, Ordering::Relaxed);
        (outcomes, poll.join().unwrap())
    });
    let signed_in = outcomes.iter().filter(|outcome| outcome.status() == 200).count();
    for outcome in outcomes {
        let answer = outcome.answer();
        assert!(answer.status == 200 || answer.is_unavailable(), "{}", answer.whole());
    }
    assert!(signed_in > 0);
    waits.sort_unstable();
    let (p99, worst) = (waits[(waits.len() - 1) * 99 / 100], waits[waits.len() - 1]);
    assert!(worst < Duration::from_secs(1), "the key set took {worst:?}");
    // The requirement is one of the server as it is shipped; a debug build may be slower.
    assert!(cfg!(debug_assertions) || p99 < KEY_SET_P99, "p99 of the key set is {p99:?}");
    // Nor is its code, several times that of the shipped one, part of what is granted.
    let code = if cfg!(debug_assertions) { server.memory_kib("RssFile") } else { 0 };
    let peak = server.memory_kib("VmHWM") - code;
    eprintln!(
        "{signed_in} of 100 signed in; key set: {} answers, p99 {p99:?}, worst {worst:?}; \
         peak memory {peak} KiB of {}",
        waits.len(),
        memory_allowed_kib()
    );
    assert!(peak < memory_allowed_kib(), "{peak} KiB");
}

each_database!(p7_100_parallel_sign_ins_starve_nobody);
