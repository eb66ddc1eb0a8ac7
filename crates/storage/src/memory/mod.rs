//! Everything in memory, for tests and examples. Nothing survives the process.

mod agent_networks;
mod agent_tokens;
mod agents;
mod api_keys;
mod audit;
mod credits;
mod email_changes;
mod inbox;
mod invitations;
mod known_addresses;
mod mailed_tokens;
mod outbox;
mod passwords;
mod rate_limits;
mod recoveries;
mod registrations;
mod resource_servers;
mod sessions;
mod signing_keys;
mod spent_tokens;
mod table;
mod tables;
#[cfg(test)]
mod tests;
mod users;

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use portcullis_kernel::{StoreError, StoreResult};

use self::tables::Tables;
use crate::{
    AgentAccess, AgentNetworkRepository, AgentRepository, AgentTokenRepository, ApiKeyRepository,
    AuditRepository, CreditRepository, EmailChangeRepository, InboxRepository,
    InvitationRepository, KnownAddressRepository, MailedTokenRepository, OutboxRepository,
    PasswordRepository, RateLimitRepository, RecoveryRepository, RegistrationRepository,
    ResourceServerRepository, SessionRepository, SigningKeyRepository, SpentTokenRepository,
    Storage, TxMode, UnitOfWork, UserRepository,
};

/// How long a unit of work waits for one that writes.
const PATIENCE: Duration = Duration::from_secs(5);

/// A database in memory. Clones are handles to the same one.
///
/// A [`Write`](TxMode::Write) unit keeps every other unit waiting for as long as it lives; whoever
/// opens or uses another one meanwhile, on the same thread, is told
/// [`Unavailable`](StoreError::Unavailable) after five seconds. A [`Read`](TxMode::Read) unit
/// refuses changes.
#[derive(Clone, Default)]
pub struct MemoryStorage(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    freed: Condvar,
    patience: Duration,
}

#[derive(Default)]
struct State {
    tables: Tables,
    /// A unit that writes is open.
    writing: bool,
}

/// One unit of work. Each repository is implemented for it in the file of its name.
struct Unit<'s> {
    shared: &'s Shared,
    mode: TxMode,
}

impl Default for Shared {
    fn default() -> Self {
        Self { state: Mutex::default(), freed: Condvar::new(), patience: PATIENCE }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state once no unit that writes is open.
    fn lock_settled(&self) -> StoreResult<MutexGuard<'_, State>> {
        let (mut state, wait) = self
            .freed
            .wait_timeout_while(self.lock(), self.patience, |state| state.writing)
            .unwrap_or_else(PoisonError::into_inner);
        if wait.timed_out() {
            return Err(StoreError::Unavailable("another unit of work is still open".into()));
        }
        // There is something to undo only when a statement panicked half-way.
        state.tables.roll_back();
        Ok(state)
    }
}

impl Unit<'_> {
    fn state(&self) -> StoreResult<MutexGuard<'_, State>> {
        match self.mode {
            TxMode::Write => Ok(self.shared.lock()),
            TxMode::Read | TxMode::Statement => self.shared.lock_settled(),
        }
    }

    fn read<T>(&self, work: impl FnOnce(&Tables) -> T) -> StoreResult<T> {
        Ok(work(&self.state()?.tables))
    }

    /// Does one change. `work` checks before it writes, so that an error leaves nothing behind.
    fn change<T>(&self, work: impl FnOnce(&mut Tables) -> StoreResult<T>) -> StoreResult<T> {
        if self.mode == TxMode::Read {
            return Err(StoreError::Failed("this unit of work only reads".into()));
        }
        let mut state = self.state()?;
        let value = work(&mut state.tables)?;
        if self.mode == TxMode::Statement {
            state.tables.keep();
        }
        Ok(value)
    }
}

impl Drop for Unit<'_> {
    fn drop(&mut self) {
        if self.mode == TxMode::Write {
            let mut state = self.shared.lock();
            state.tables.roll_back();
            state.writing = false;
            self.shared.freed.notify_all();
        }
    }
}

impl UnitOfWork for Unit<'_> {
    fn users(&mut self) -> &mut dyn UserRepository {
        self
    }

    fn known_addresses(&mut self) -> &mut dyn KnownAddressRepository {
        self
    }

    fn passwords(&mut self) -> &mut dyn PasswordRepository {
        self
    }

    fn sessions(&mut self) -> &mut dyn SessionRepository {
        self
    }

    fn signing_keys(&mut self) -> &mut dyn SigningKeyRepository {
        self
    }

    fn mailed_tokens(&mut self) -> &mut dyn MailedTokenRepository {
        self
    }

    fn email_changes(&mut self) -> &mut dyn EmailChangeRepository {
        self
    }

    fn agents(&mut self) -> &mut dyn AgentRepository {
        self
    }

    fn api_keys(&mut self) -> &mut dyn ApiKeyRepository {
        self
    }

    fn agent_access(&mut self) -> &mut dyn AgentAccess {
        self
    }

    fn agent_tokens(&mut self) -> &mut dyn AgentTokenRepository {
        self
    }

    fn agent_networks(&mut self) -> &mut dyn AgentNetworkRepository {
        self
    }

    fn recoveries(&mut self) -> &mut dyn RecoveryRepository {
        self
    }

    fn registrations(&mut self) -> &mut dyn RegistrationRepository {
        self
    }

    fn spent_tokens(&mut self) -> &mut dyn SpentTokenRepository {
        self
    }

    fn resource_servers(&mut self) -> &mut dyn ResourceServerRepository {
        self
    }

    fn credits(&mut self) -> &mut dyn CreditRepository {
        self
    }

    fn invitations(&mut self) -> &mut dyn InvitationRepository {
        self
    }

    fn outbox(&mut self) -> &mut dyn OutboxRepository {
        self
    }

    fn inbox(&mut self) -> &mut dyn InboxRepository {
        self
    }

    fn audit(&mut self) -> &mut dyn AuditRepository {
        self
    }

    fn rate_limits(&mut self) -> &mut dyn RateLimitRepository {
        self
    }

    fn commit(self: Box<Self>) -> StoreResult<()> {
        if self.mode == TxMode::Write {
            self.shared.lock().tables.keep();
        }
        Ok(())
    }
}

impl Storage for MemoryStorage {
    fn begin(&self, mode: TxMode) -> StoreResult<Box<dyn UnitOfWork + '_>> {
        if mode == TxMode::Write {
            self.0.lock_settled()?.writing = true;
        }
        Ok(Box::new(Unit { shared: &self.0, mode }))
    }

    fn check(&self) -> StoreResult<()> {
        Ok(())
    }
}
