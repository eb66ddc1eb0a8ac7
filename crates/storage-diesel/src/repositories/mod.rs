//! The unit of work and every repository on it, compiled once per dialect: `super` is the dialect.

mod agent_networks;
mod agent_rows;
mod agent_tokens;
mod agents;
mod api_keys;
mod audit;
mod batch;
mod credit_rows;
mod credits;
mod email_changes;
mod held;
pub(super) mod history;
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
pub(super) mod schema;
mod sessions;
mod signing_keys;
mod slices;
mod spent_tokens;
pub(super) mod tokens;
mod users;
mod vacant;

use diesel::{
    QueryResult,
    connection::{AnsiTransactionManager, TransactionManager},
};
use portcullis_kernel::{Cursor, Page, PageRequest, StoreError, StoreResult};
use portcullis_storage::{
    AgentAccess, AgentNetworkRepository, AgentRepository, AgentTokenRepository, ApiKeyRepository,
    AuditRepository, CreditRepository, EmailChangeRepository, InboxRepository,
    InvitationRepository, KnownAddressRepository, MailedTokenRepository, OutboxRepository,
    PasswordRepository, RateLimitRepository, RecoveryRepository, RegistrationRepository,
    ResourceServerRepository, SessionRepository, SigningKeyRepository, SpentTokenRepository,
    TxMode, UnitOfWork, UserRepository,
};

use super::{BEGIN, Conn, Connector, TEXTS};
use crate::{
    error::judge,
    pool::{Pool, Pooled},
};

/// One unit of work on one connection. Each repository is implemented for it in the file of its name.
pub(super) struct Unit {
    link: Pooled<Connector>,
    mode: TxMode,
    /// A transaction is open.
    open: bool,
    /// A statement failed. PostgreSQL would then answer a COMMIT with a silent ROLLBACK, so that
    /// nothing can be published on either database.
    spoiled: bool,
}

impl Unit {
    pub(super) fn open(pool: &Pool<Connector>, mode: TxMode) -> StoreResult<Self> {
        let link = pool.acquire()?;
        let mut unit = Self { link, mode, open: false, spoiled: false };
        if mode == TxMode::Write {
            unit.run(|conn| AnsiTransactionManager::begin_transaction_sql(conn, BEGIN))?;
            unit.open = true;
        }
        Ok(unit)
    }

    /// Runs statements that change nothing.
    pub(super) fn read<T>(
        &mut self,
        work: impl FnOnce(&mut Conn) -> QueryResult<T>,
    ) -> StoreResult<T> {
        self.run(work)
    }

    /// Runs statements that change something.
    fn change<T>(&mut self, work: impl FnOnce(&mut Conn) -> QueryResult<T>) -> StoreResult<T> {
        if self.mode == TxMode::Read {
            return Err(StoreError::Failed("this unit of work only reads".into()));
        }
        self.run(work)
    }

    fn run<T>(&mut self, work: impl FnOnce(&mut Conn) -> QueryResult<T>) -> StoreResult<T> {
        work(&mut self.link.conn).map_err(|error| {
            self.spoiled = true;
            let verdict = judge(error, &TEXTS);
            if !verdict.reusable {
                self.link.condemn();
            }
            verdict.error
        })
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        // A condemned connection is closed, which rolls back too.
        if self.open && !self.link.is_condemned() {
            let rolled_back = AnsiTransactionManager::rollback_transaction(&mut self.link.conn);
            if rolled_back.is_err() {
                self.link.condemn();
            }
        }
    }
}

impl UnitOfWork for Unit {
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

    fn commit(mut self: Box<Self>) -> StoreResult<()> {
        if !self.open {
            return Ok(());
        }
        if self.spoiled {
            return Err(StoreError::Failed("a statement of this transaction failed".into()));
        }
        self.open = false;
        self.run(AnsiTransactionManager::commit_transaction)
    }
}

/// Whether a statement found its one row.
fn found(rows: usize) -> bool {
    rows > 0
}

/// Rows affected, as ports count them.
fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

/// What is said when the row that was just removed is there again: somebody else put theirs meanwhile.
fn outrun(what: &str) -> StoreError {
    StoreError::Contention(format!("another {what} was put at the same time").into())
}

/// The page that the rows make, of which there is one more than asked for when there is a next page.
fn page_of<R, T: From<R>>(
    rows: Vec<R>,
    request: &PageRequest,
    sort_key: impl Fn(&T) -> String,
) -> Page<T> {
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    let items: Vec<T> = rows.into_iter().take(limit).map(T::from).collect();
    let next = items.last().filter(|_| more).map(|last| Cursor::after(sort_key(last)));
    Page { items, next }
}
