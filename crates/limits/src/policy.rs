use portcullis_kernel::Instant;
use time::Duration;

/// Limits up to this many hits are decided hit by hit; larger ones are leased in slices.
const EXACT_UP_TO: u32 = 20;

/// What a limit does when the store cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStoreFailure {
    /// Refuse: what the limit protects is worse than not being served.
    Close,
    /// Let through.
    Open,
}

/// At most `limit` hits in any `window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A stable name, part of the bucket's key.
    pub name: &'static str,
    /// Hits in a window.
    pub limit: u32,
    /// The length of the window.
    pub window: Duration,
    /// What to do when the store cannot be asked.
    pub on_store_failure: OnStoreFailure,
    /// Decide hit by hit, however large the limit is.
    pub always_exact: bool,
}

impl Policy {
    /// A limit that lets through when the store cannot be asked.
    pub const fn new(name: &'static str, limit: u32, window: Duration) -> Self {
        let on_store_failure = OnStoreFailure::Open;
        Self { name, limit, window, on_store_failure, always_exact: false }
    }

    /// The same limit, refusing when the store cannot be asked.
    #[must_use]
    pub const fn closed_on_failure(mut self) -> Self {
        self.on_store_failure = OnStoreFailure::Close;
        self
    }

    /// The same limit, decided hit by hit.
    #[must_use]
    pub const fn exact(mut self) -> Self {
        self.always_exact = true;
        self
    }

    /// The largest slice that one instance takes at once.
    pub fn largest_slice(&self) -> u32 {
        if self.always_exact || self.limit <= EXACT_UP_TO { 1 } else { self.limit / 10 }
    }

    /// How long a slice may be used. Its hits are counted as of the end of that time, so that no
    /// window ever holds more than the limit.
    pub fn hold(&self) -> Duration {
        if self.largest_slice() > 1 { self.window / 12 } else { Duration::ZERO }
    }
}

/// How full a bucket is: what the `X-RateLimit-*` headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Hits in a window.
    pub limit: u32,
    /// Hits left now.
    pub remaining: u32,
    /// When the oldest hit leaves the window.
    pub reset: Instant,
}

impl Standing {
    /// Whole seconds from `now` until a hit may be let through again; at least 1.
    pub fn retry_after(&self, now: Instant) -> u64 {
        let wait = self.reset - now;
        let seconds = wait.whole_seconds() + i64::from(wait.subsec_nanoseconds() > 0);
        u64::try_from(seconds).unwrap_or(0).max(1)
    }
}
