//! Which questions about keys are asked: strangers must not use up what an API may ask.

use portcullis_kernel::{Instant, TokenDigest};
use time::Duration;

use crate::{IntrospectionPolicy, rate::Rate, server::Away, shelf::Shelf};

/// For how long a key is known that was live.
const KNOWN: Duration = Duration::minutes(10);
/// How many known keys are remembered at least, of which a shelf may forget half: more than can be asked
/// about while they are known, by the limit that the auth server has.
const MOST_KNOWN: usize = 20_000;
/// How long known keys wait once the auth server was asked too often. It says for how long there is no room
/// for all questions; for some there is before.
const BREATH: Duration = Duration::SECOND;

/// Lets questions pass, and holds them up.
///
/// Anybody can make up a key with a good checksum. So those about keys that were not live lately are
/// counted, and wait first.
pub(crate) struct Gate {
    known: Shelf<()>,
    unknown: Rate,
    for_all: Pause,
    for_unknown: Pause,
}

impl Gate {
    pub(crate) fn new(policy: &IntrospectionPolicy) -> Self {
        Self {
            known: Shelf::new(policy.entries.max(MOST_KNOWN)),
            unknown: Rate::per_minute(policy.unknown_per_minute),
            for_all: Pause::default(),
            for_unknown: Pause::default(),
        }
    }

    /// Whether a key was live lately.
    pub(crate) fn knows(&self, digest: &TokenDigest, now: Instant) -> bool {
        self.known.get(digest, now).is_some()
    }

    /// Whether a question may be asked now; one about an unknown key is counted.
    pub(crate) fn pass(&mut self, is_known: bool, now: Instant) -> Result<(), Away> {
        let for_all = self.for_all.left(now);
        let for_it = if is_known { None } else { self.for_unknown.left(now) };
        if let Some(retry_after) = for_all.max(for_it) {
            return Err(Away { retry_after });
        }
        if is_known {
            return Ok(());
        }
        self.unknown.take(now).map_err(|retry_after| Away { retry_after })
    }

    /// A key was live when it was asked about.
    pub(crate) fn live(&mut self, digest: TokenDigest, asked_at: Instant) {
        self.known.put(digest, (), asked_at, asked_at + KNOWN);
    }

    /// A key is live no longer.
    pub(crate) fn dead(&mut self, digest: &TokenDigest) {
        self.known.remove(digest);
    }

    /// The auth server did not answer: no question passes.
    pub(crate) fn close(&mut self, away: Away, now: Instant) {
        self.for_all.begin(away.retry_after, now);
    }

    /// The auth server was asked too often: unknown keys wait for as long as it says. Says how long whoever
    /// asked has to.
    pub(crate) fn slow_down(&mut self, away: Away, is_known: bool, now: Instant) -> Away {
        let breath = away.retry_after.min(BREATH);
        self.for_all.begin(breath, now);
        self.for_unknown.begin(away.retry_after, now);
        if is_known { Away { retry_after: breath } } else { away }
    }
}

/// A time in which nothing is asked.
#[derive(Default)]
struct Pause(Option<Instant>);

impl Pause {
    fn left(&self, now: Instant) -> Option<Duration> {
        let left = self.0.map(|until| until - now);
        // A clock that was set back makes no pause longer.
        left.filter(|left| left.is_positive() && *left <= Duration::MINUTE)
    }

    /// One that has begun already is made no shorter.
    fn begin(&mut self, span: Duration, now: Instant) {
        if self.left(now).is_none_or(|left| left < span) {
            self.0 = Some(now + span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Instant {
        Instant::from_unix_timestamp(1_700_000_000 + seconds).unwrap()
    }

    fn away(seconds: i64) -> Away {
        Away { retry_after: Duration::seconds(seconds) }
    }

    fn gate() -> Gate {
        Gate::new(&IntrospectionPolicy { unknown_per_minute: 2, ..Default::default() })
    }

    #[test]
    fn a_key_is_known_for_ten_minutes_after_it_was_live() {
        let (mut gate, digest) = (gate(), TokenDigest::of("key"));
        assert!(!gate.knows(&digest, at(0)));
        gate.live(digest, at(0));
        assert!(gate.knows(&digest, at(599)));
        assert!(!gate.knows(&digest, at(600)));
        gate.dead(&digest);
        assert!(!gate.knows(&digest, at(0)));
    }

    #[test]
    fn known_keys_are_remembered_in_a_bounded_number_the_oldest_forgotten_first() {
        let mut gate = gate();
        let digest = |number: usize| TokenDigest::of(&number.to_string());
        for number in 0..3 * MOST_KNOWN {
            gate.live(digest(number), at(0));
        }
        let known = (0..3 * MOST_KNOWN).filter(|number| gate.knows(&digest(*number), at(0)));
        let known: Vec<_> = known.collect();
        assert!((MOST_KNOWN / 2..=MOST_KNOWN).contains(&known.len()), "{}", known.len());
        assert_eq!(known.last(), Some(&(3 * MOST_KNOWN - 1)));
        assert_eq!(known.first(), Some(&(3 * MOST_KNOWN - known.len())), "no gap");
    }

    #[test]
    fn questions_about_unknown_keys_are_counted_and_others_not() {
        let mut gate = gate();
        assert_eq!(gate.pass(false, at(0)), Ok(()));
        assert_eq!(gate.pass(false, at(0)), Err(away(30)));
        for _ in 0..1000 {
            assert_eq!(gate.pass(true, at(0)), Ok(()));
        }
        assert_eq!(gate.pass(false, at(29)), Err(away(1)));
        assert_eq!(gate.pass(false, at(30)), Ok(()));
    }

    #[test]
    fn known_keys_wait_a_second_where_unknown_ones_wait_as_long_as_is_said() {
        let mut gate = gate();
        assert_eq!(gate.slow_down(away(17), true, at(0)), away(1));
        assert_eq!(
            (gate.pass(true, at(0)), gate.pass(false, at(0))),
            (Err(away(1)), Err(away(17)))
        );
        assert_eq!((gate.pass(true, at(1)), gate.pass(false, at(1))), (Ok(()), Err(away(16))));
        assert_eq!(gate.slow_down(away(5), false, at(2)), away(5));
        assert_eq!(gate.pass(false, at(7)), Err(away(10)), "no shorter");
        assert_eq!(gate.pass(false, at(17)), Ok(()));
    }

    #[test]
    fn nobody_passes_while_the_auth_server_is_away() {
        let mut gate = gate();
        gate.close(away(7), at(0));
        gate.close(away(1), at(1));
        assert_eq!((gate.pass(true, at(2)), gate.pass(false, at(2))), (Err(away(5)), Err(away(5))));
        assert_eq!((gate.pass(true, at(7)), gate.pass(false, at(7))), (Ok(()), Ok(())));
        gate.close(away(7), at(8));
        assert_eq!(gate.pass(true, at(-3600)), Ok(()), "a clock that was set back");
        gate.close(away(2), at(-3600));
        assert_eq!(gate.pass(true, at(-3600)), Err(away(2)));
    }
}
