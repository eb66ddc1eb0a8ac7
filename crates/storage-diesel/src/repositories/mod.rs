//! The unit of work and every repository on it, compiled once per dialect: `super` is the dialect.

mod audit;
mod batch;
pub(super) mod history;
mod known_addresses;
mod passwords;
mod rate_limits;
pub(super) mod schema;
mod sessions;
mod signing_keys;
pub(super) mod tokens;
mod users;

use diesel::{
    QueryResult,
    connection::{AnsiTransactionManager, TransactionManager},
};
use portcullis_kernel::{StoreError, StoreResult};
use portcullis_storage::{
    AuditRepository, KnownAddressRepository, PasswordRepository, RateLimitRepository,
    SessionRepository, SigningKeyRepository, TxMode, UnitOfWork, UserRepository,
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
