//! What is told of a test that fails.

use std::{
    io::{self, Write},
    panic,
    sync::Once,
    thread,
};

/// Says why a test fails when it does, and not only when all others have ended, minutes later: what
/// is written to the stream itself is not kept back until then.
pub(super) fn tell_failures_at_once() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |failure| {
            let thread = thread::current();
            let name = thread.name().unwrap_or("a thread of a test");
            // A failure that cannot be told here is still told at the end.
            let _ = writeln!(io::stderr(), "\n{name}: {failure}\n");
            usual(failure);
        }));
    });
}
