use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

use portcullis_audit::{Action, Actor};
use portcullis_credentials::ApiKey;
use portcullis_kernel::{AgentId, ApiKeyId, Instant, Origin};
use portcullis_storage::{StorageExt, UnitOfWork};
use time::Duration;

use crate::{Engine, Fault};

/// Things of one kind remembered at most between two flushes; what comes beyond is not noted.
const MOST: usize = 100_000;
/// Rows written in one transaction.
const BATCH: usize = 200;
/// A network is not written down again within this time.
const NETWORK_EVERY: Duration = Duration::HOUR;
/// A token of an agent from a network where it got none for this long is an event.
const NEWS_EVERY: Duration = Duration::DAY;

/// What is noted of agents' credentials until it is written down, so that a use costs no write.
#[derive(Default)]
pub(crate) struct Uses {
    keys: Mutex<BTreeMap<ApiKeyId, Instant>>,
    networks: Mutex<Noted<(AgentId, String)>>,
    refusals: Mutex<Noted<Refusal>>,
}

/// A refusal of a credential that had been real: why, and from which network.
type Refusal = (ApiKeyId, &'static str, Option<String>);

/// What happened first since the last flush, by what it is told once of.
struct Noted<K> {
    waiting: BTreeMap<K, Seen>,
    /// When it was written down last.
    written: HashMap<K, Instant>,
}

#[derive(Clone)]
struct Seen {
    at: Instant,
    agent: AgentId,
    key: ApiKeyId,
    origin: Origin,
}

impl<K> Default for Noted<K> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), written: HashMap::new() }
    }
}

impl<K: Clone + Ord + Hash> Noted<K> {
    /// Notes what happened now, unless that was written down within `every`.
    fn note(&mut self, what: K, every: Duration, seen: impl FnOnce() -> Seen, now: Instant) {
        let fresh = self.written.get(&what).is_some_and(|at| now - *at < every);
        if !fresh && self.waiting.len() < MOST {
            self.waiting.entry(what).or_insert_with(seen);
        }
    }

    /// What waits and is wanted. It waits on until it is [`done`](Self::done): whoever asks meanwhile
    /// writes it, too, and nothing is missing for them.
    fn waiting(&self, wanted: impl Fn(&K) -> bool) -> Vec<(K, Seen)> {
        let wanted = self.waiting.iter().filter(|(what, _)| wanted(what));
        wanted.map(|(what, seen)| (what.clone(), seen.clone())).collect()
    }

    fn done(&mut self, batch: &[(K, Seen)], every: Duration, now: Instant) {
        if self.written.len() >= MOST {
            self.written.retain(|_, at| now - *at < every);
        }
        if self.written.len() >= MOST {
            self.written.clear();
        }
        for (what, _) in batch {
            self.waiting.remove(what);
            self.written.insert(what.clone(), now);
        }
    }
}

impl Uses {
    /// Notes a use by the agent itself.
    pub(crate) fn note(&self, key: &ApiKey, origin: &Origin, now: Instant) {
        self.note_key(key.id, now);
        let Some(network) = origin.subnet() else { return };
        let seen = || seen(key, origin, now);
        lock(&self.networks).note((key.agent, network), NETWORK_EVERY, seen, now);
    }

    /// Notes a use that somebody else tells of.
    pub(crate) fn note_key(&self, key: ApiKeyId, now: Instant) {
        let mut keys = lock(&self.keys);
        if keys.len() < MOST || keys.contains_key(&key) {
            let at = keys.entry(key).or_insert(now);
            *at = now.max(*at);
        }
    }

    /// Notes that a credential was refused that had been real. Whoever holds a dead one may present it as
    /// often as limits allow, so it is told once a day for each reason and network.
    pub(super) fn note_refusal(
        &self,
        key: &ApiKey,
        why: &'static str,
        origin: &Origin,
        now: Instant,
    ) {
        let what = (key.id, why, origin.subnet());
        lock(&self.refusals).note(what, NEWS_EVERY, || seen(key, origin, now), now);
    }

    fn take_keys(&self) -> Vec<(ApiKeyId, Instant)> {
        std::mem::take(&mut *lock(&self.keys)).into_iter().collect()
    }
}

fn seen(key: &ApiKey, origin: &Origin, now: Instant) -> Seen {
    Seen { at: now, agent: key.agent, key: key.id, origin: origin.clone() }
}

fn lock<T>(noted: &Mutex<T>) -> MutexGuard<'_, T> {
    noted.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// Writes down when and from where keys were used, and which were refused, since the last call. To be
    /// called every few seconds and at the end of the process; what a crash loses is at most what came
    /// since.
    ///
    /// # Errors
    /// A fault of this side; what was not written is written by a later call.
    pub fn flush_uses(&self) -> Result<(), Fault> {
        let keys = self.flush_keys();
        let networks = self.flush_networks(|_| true);
        self.flush_refusals().and(networks).and(keys)
    }

    fn flush_keys(&self) -> Result<(), Fault> {
        let mut outcome = Ok(());
        for batch in self.uses.take_keys().chunks(BATCH) {
            let written = self.storage.transact(|uow| -> Result<(), Fault> {
                for (key, at) in batch {
                    uow.api_keys().touch(*key, *at)?;
                }
                Ok(())
            });
            if let Err(fault) = written {
                for (key, at) in batch {
                    self.uses.note_key(*key, *at);
                }
                outcome = Err(fault);
            }
        }
        outcome
    }

    /// Writes down who got tokens from these networks.
    pub(super) fn flush_networks(&self, wanted: impl Fn(&str) -> bool) -> Result<(), Fault> {
        let waiting = lock(&self.uses.networks).waiting(|(_, network)| wanted(network));
        self.flush(&self.uses.networks, &waiting, NETWORK_EVERY, |uow, (agent, network), seen| {
            let Seen { at, key, origin, .. } = seen;
            if uow.agent_networks().touch(*agent, network, *at, *at - NEWS_EVERY)? {
                let event = self.event(Action::TokenIssued, Actor::Agent(*agent), origin, *at)?;
                uow.audit().append(&event.with_key(*key))?;
            }
            Ok(())
        })
    }

    fn flush_refusals(&self) -> Result<(), Fault> {
        let waiting = lock(&self.uses.refusals).waiting(|_| true);
        self.flush(&self.uses.refusals, &waiting, NEWS_EVERY, |uow, (key, why, _), seen| {
            let Seen { at, agent, origin, .. } = seen;
            let action = Action::AgentCredentialRefused;
            let event = self.event(action, Actor::Anonymous, origin, *at)?.failed();
            let event = event.about_agent(*agent).with_key(*key).with_detail(*why);
            Ok(uow.audit().append(&event)?)
        })
    }

    fn flush<K: Clone + Ord + Hash>(
        &self,
        noted: &Mutex<Noted<K>>,
        waiting: &[(K, Seen)],
        every: Duration,
        write: impl Fn(&mut dyn UnitOfWork, &K, &Seen) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        for batch in waiting.chunks(BATCH) {
            self.storage.transact(|uow| -> Result<(), Fault> {
                batch.iter().try_for_each(|(what, seen)| write(uow, what, seen))
            })?;
            lock(noted).done(batch, every, self.now());
        }
        Ok(())
    }
}
