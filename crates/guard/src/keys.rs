//! The key set of the auth server: fetched when it is first needed, renewed when it is old, looked at anew
//! when a token names a key that is not in it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use portcullis_kernel::{Clock, Instant};
use portcullis_tokens::{InvalidJwt, PublicKeySet};
use time::Duration;

use crate::{
    KeySetPolicy,
    flight::Flight,
    server::{AuthServer, Away},
};

/// Between two looks for a key that is not in the set, whoever asks for whichever.
const UNKNOWN_KEY: Duration = Duration::MINUTE;
/// After a look that failed.
const RETRY: Duration = Duration::seconds(10);
/// For how long after a look that failed nobody waits for the next one who has an old set.
const AWAY: Duration = Duration::MINUTE;

pub(crate) struct KeyCache {
    server: Arc<AuthServer>,
    clock: Arc<dyn Clock>,
    policy: KeySetPolicy,
    held: RwLock<Option<Arc<Held>>>,
    fetching: Mutex<Fetching>,
}

/// A key set, as of when it was asked for.
struct Held {
    keys: PublicKeySet,
    asked_at: Instant,
}

type Fetched = Result<Arc<Held>, Away>;

#[derive(Default)]
struct Fetching {
    flight: Option<Flight<Fetched>>,
    /// When the last look began, if it failed.
    failed_at: Option<Instant>,
    /// When a look was last taken for the sake of a key that was not in the set.
    sought_at: Option<Instant>,
}

/// Why a token was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It is not good.
    Invalid(InvalidJwt),
    /// It cannot be told.
    Away(Away),
}

impl From<Away> for Failure {
    fn from(away: Away) -> Self {
        Self::Away(away)
    }
}

impl KeyCache {
    pub(crate) fn new(
        server: Arc<AuthServer>,
        clock: Arc<dyn Clock>,
        policy: KeySetPolicy,
    ) -> Arc<Self> {
        let (held, fetching) = (RwLock::default(), Mutex::default());
        Arc::new(Self { server, clock, policy, held, fetching })
    }

    /// Judges a token by the key set, and by a newer one when its key is unknown.
    pub(crate) async fn judge<T>(
        self: &Arc<Self>,
        now: Instant,
        judge: impl Fn(&PublicKeySet) -> Result<T, InvalidJwt>,
    ) -> Result<T, Failure> {
        let held = match self.held() {
            Some(held) if self.is_young(&held, now) => held,
            Some(held) => self.renewed(held, now).await?,
            None => {
                // What no key set could help is refused without asking for one.
                match judge(&PublicKeySet::default()) {
                    Err(InvalidJwt::UnknownKey) => {}
                    judged => return judged.map_err(Failure::Invalid),
                }
                self.first(now).await?
            }
        };
        match judge(&held.keys) {
            Err(InvalidJwt::UnknownKey) => {}
            judged => return judged.map_err(Failure::Invalid),
        }
        match self.newer(&held, now).await? {
            Some(newer) => judge(&newer.keys).map_err(Failure::Invalid),
            None => Err(Failure::Invalid(InvalidJwt::UnknownKey)),
        }
    }

    fn held(&self) -> Option<Arc<Held>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether nothing need be done about the set yet: within the first four fifths of its time.
    fn is_young(&self, held: &Held, now: Instant) -> bool {
        let age = now - held.asked_at;
        age >= Duration::ZERO && age < self.policy.fresh_for * 4 / 5
    }

    /// A set where there was none.
    async fn first(self: &Arc<Self>, now: Instant) -> Fetched {
        let flight = self.fetch(&mut self.fetching(), now)?;
        land(flight).await
    }

    /// A set in place of one that grows old: that one while it is fresh or the auth server is away, and a
    /// new one is looked for besides; else the new one.
    async fn renewed(self: &Arc<Self>, held: Arc<Held>, now: Instant) -> Fetched {
        let age = (now - held.asked_at).abs();
        let is_usable = age < self.policy.stale_for;
        let flight = {
            let mut fetching = self.fetching();
            let flight = self.fetch(&mut fetching, now);
            let is_away = within(fetching.failed_at, now, AWAY);
            if is_usable && (age < self.policy.fresh_for || is_away) {
                return Ok(held);
            }
            flight?
        };
        match land(flight).await {
            Err(_) if is_usable => Ok(held),
            fetched => fetched,
        }
    }

    /// A set that is newer than this, in which a key was not found; `None` when it is too early for
    /// another look.
    async fn newer(
        self: &Arc<Self>,
        than: &Arc<Held>,
        now: Instant,
    ) -> Result<Option<Arc<Held>>, Away> {
        let flight = {
            let mut fetching = self.fetching();
            if let Some(held) = self.held().filter(|held| !Arc::ptr_eq(held, than)) {
                return Ok(Some(held));
            }
            let recently = within(fetching.sought_at, now, UNKNOWN_KEY);
            match (underway(&fetching), recently, fetching.failed_at) {
                (Some(flight), ..) => flight,
                (None, true, None) => return Ok(None),
                (None, true, Some(_)) => {
                    let since = fetching.sought_at.map_or(Duration::ZERO, |at| now - at);
                    return Err(Away { retry_after: UNKNOWN_KEY - since });
                }
                (None, false, _) => {
                    let flight = self.fetch(&mut fetching, now)?;
                    fetching.sought_at = Some(now);
                    flight
                }
            }
        };
        land(flight).await.map(Some)
    }

    /// Joins the look that is being taken, or takes one, if the last did not fail a moment ago.
    fn fetch(
        self: &Arc<Self>,
        fetching: &mut Fetching,
        now: Instant,
    ) -> Result<Flight<Fetched>, Away> {
        if let Some(flight) = underway(fetching) {
            return Ok(flight);
        }
        if within(fetching.failed_at, now, RETRY) {
            let since = fetching.failed_at.map_or(Duration::ZERO, |at| now - at);
            return Err(Away { retry_after: RETRY - since });
        }
        let cache = Arc::clone(self);
        let flight = Flight::start(now, async move { cache.look(now).await });
        let joined = flight.join();
        fetching.flight = Some(flight);
        Ok(joined)
    }

    async fn look(&self, asked_at: Instant) -> Fetched {
        let fetched = self.server.key_set().await;
        let fetched = fetched.map(|keys| Arc::new(Held { keys, asked_at }));
        let fetched = fetched.map_err(|_| Away { retry_after: RETRY });
        let mut fetching = self.fetching();
        fetching.flight = None;
        match &fetched {
            Ok(held) => {
                fetching.failed_at = None;
                let known = held.keys.len();
                tracing::debug!(known, "The key set of the auth server was read.");
                *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(held));
            }
            // As of now: an answer may have been waited for.
            Err(_) => fetching.failed_at = Some(self.clock.now()),
        }
        fetched
    }

    fn fetching(&self) -> MutexGuard<'_, Fetching> {
        self.fetching.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn underway(fetching: &Fetching) -> Option<Flight<Fetched>> {
    fetching.flight.as_ref().filter(|flight| !flight.is_over()).map(Flight::join)
}

async fn land(flight: Flight<Fetched>) -> Fetched {
    flight.land().await.unwrap_or(Err(Away { retry_after: RETRY }))
}

/// Whether it was less than `span` ago. A clock that was set back makes it long ago.
fn within(at: Option<Instant>, now: Instant, span: Duration) -> bool {
    at.is_some_and(|at| at <= now && now - at < span)
}
