use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use portcullis_audit::{Action, Actor};
use portcullis_credentials::ApiKey;
use portcullis_kernel::{AgentId, ApiKeyId, Instant, Origin};
use portcullis_storage::{StorageExt, UnitOfWork};
use time::Duration;

use crate::{Engine, Fault};

/// Keys and networks remembered at most between two flushes; what comes beyond is not noted.
const MOST: usize = 100_000;
/// Rows written in one transaction.
const BATCH: usize = 200;
/// A network is not written down again within this time.
const NETWORK_EVERY: Duration = Duration::HOUR;
/// A first token of a key from a network is told once within this time.
const NEWS_EVERY: Duration = Duration::DAY;

/// When and from where keys were used, until it is written down: a use costs no write.
#[derive(Default)]
pub(crate) struct Uses(Mutex<Noted>);

#[derive(Default)]
struct Noted {
    keys: BTreeMap<ApiKeyId, Instant>,
    networks: BTreeMap<(AgentId, String), Seen>,
    /// When networks were written down last.
    written: HashMap<(AgentId, String), Instant>,
}

/// The first use since the last flush.
#[derive(Clone)]
struct Seen {
    at: Instant,
    key: ApiKeyId,
    origin: Origin,
}

impl Uses {
    /// Notes a use by the agent itself.
    pub(crate) fn note(&self, key: &ApiKey, origin: &Origin, now: Instant) {
        let mut noted = self.lock();
        noted.note_key(key.id, now);
        let Some(network) = origin.subnet() else { return };
        let place = (key.agent, network);
        let fresh = noted.written.get(&place).is_some_and(|at| now - *at < NETWORK_EVERY);
        if !fresh && noted.networks.len() < MOST {
            let seen = || Seen { at: now, key: key.id, origin: origin.clone() };
            noted.networks.entry(place).or_insert_with(seen);
        }
    }

    /// Notes a use that somebody else tells of.
    pub(crate) fn note_key(&self, key: ApiKeyId, now: Instant) {
        self.lock().note_key(key, now);
    }

    fn take_keys(&self) -> Vec<(ApiKeyId, Instant)> {
        std::mem::take(&mut self.lock().keys).into_iter().collect()
    }

    fn take_networks(&self) -> Vec<((AgentId, String), Seen)> {
        std::mem::take(&mut self.lock().networks).into_iter().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Noted {
    fn note_key(&mut self, key: ApiKeyId, now: Instant) {
        if self.keys.len() < MOST || self.keys.contains_key(&key) {
            let at = self.keys.entry(key).or_insert(now);
            *at = now.max(*at);
        }
    }

    fn note_written(&mut self, places: &[((AgentId, String), Seen)], now: Instant) {
        if self.written.len() >= MOST {
            self.written.retain(|_, at| now - *at < NETWORK_EVERY);
        }
        if self.written.len() >= MOST {
            self.written.clear();
        }
        self.written.extend(places.iter().map(|(place, _)| (place.clone(), now)));
    }
}

impl Engine {
    /// Writes down when and from where keys were used since the last call. To be called every few
    /// seconds and at the end of the process; what a crash loses is at most what came since.
    ///
    /// # Errors
    /// A fault of this side; what was not written is written by a later call.
    pub fn flush_uses(&self) -> Result<(), Fault> {
        let keys = self.flush_keys();
        self.flush_networks().and(keys)
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
                batch.iter().for_each(|(key, at)| self.uses.note_key(*key, *at));
                outcome = Err(fault);
            }
        }
        outcome
    }

    pub(super) fn flush_networks(&self) -> Result<(), Fault> {
        let now = self.now();
        let mut outcome = Ok(());
        for batch in self.uses.take_networks().chunks(BATCH) {
            let written = self.storage.transact(|uow| -> Result<(), Fault> {
                batch.iter().try_for_each(|(place, seen)| self.write_network(uow, place, seen))
            });
            let mut noted = self.uses.lock();
            match written {
                Ok(()) => noted.note_written(batch, now),
                Err(fault) => {
                    for (place, seen) in batch {
                        noted.networks.entry(place.clone()).or_insert_with(|| seen.clone());
                    }
                    outcome = Err(fault);
                }
            }
        }
        outcome
    }

    fn write_network(
        &self,
        uow: &mut dyn UnitOfWork,
        (agent, network): &(AgentId, String),
        seen: &Seen,
    ) -> Result<(), Fault> {
        let Seen { at, key, origin } = seen;
        if uow.agent_networks().touch(*agent, network, *at, *at - NEWS_EVERY)? {
            let event = self.event(Action::TokenIssued, Actor::Agent(*agent), origin, *at)?;
            uow.audit().append(&event.with_key(*key))?;
        }
        Ok(())
    }
}
