//! One transaction over many repositories: the [`Storage`] that flows work on.
//!
//! Adapters implement [`Storage`] and [`UnitOfWork`]; the suite in `contract` (feature `contract`) says what
//! they must do. `memory` (feature `memory`) is an adapter for tests and examples.

#[cfg(feature = "contract")]
pub mod contract;
#[cfg(feature = "memory")]
mod memory;

pub use portcullis_audit::ports::AuditRepository;
use portcullis_credentials::ApiKey;
pub use portcullis_credentials::ports::{
    AgentTokenRepository, ApiKeyRepository, MailedTokenRepository, PasswordRepository,
    RecoveryRepository,
};
pub use portcullis_credits::ports::CreditRepository;
pub use portcullis_email::ports::{InboxRepository, OutboxRepository};
use portcullis_identity::Agent;
pub use portcullis_identity::ports::{
    AgentNetworkRepository, AgentRepository, EmailChangeRepository, InvitationRepository,
    KnownAddressRepository, ResourceServerRepository, UserRepository,
};
use portcullis_kernel::{ApiKeyId, StoreError, StoreResult, TokenDigest, TokenId};
pub use portcullis_limits::ports::RateLimitRepository;
pub use portcullis_registration::ports::RegistrationRepository;
pub use portcullis_tokens::ports::{SessionRepository, SigningKeyRepository, SpentTokenRepository};

#[cfg(feature = "memory")]
pub use memory::MemoryStorage;

/// How often the same work is tried before contention is given up on.
const TRIES: u32 = 3;

/// What a unit of work is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxMode {
    /// Reads only. Each statement sees what was committed before it.
    Read,
    /// One changing statement that is its own transaction: nothing to commit, nothing to roll back.
    Statement,
    /// Reads and writes that are published together by `commit`.
    Write,
}

/// A key and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHolder {
    /// The key.
    pub key: ApiKey,
    /// Its agent.
    pub agent: Agent,
    /// Whether the agent belongs to a user who is suspended.
    pub owner_suspended: bool,
}

impl KeyHolder {
    /// Whether what the agent has is good for anything: suspended alone, or with its owner, it has to wait.
    pub fn may_act(&self) -> bool {
        self.agent.is_active() && !self.owner_suspended
    }
}

/// Answers what every use of an agent's credential asks, each in one indexed read.
pub trait AgentAccess {
    /// The key with this digest, live or not, and its agent.
    fn find_key(&mut self, digest: &TokenDigest) -> StoreResult<Option<KeyHolder>>;

    /// The key of an access token, live or not, with its agent; and whether the token is spent.
    fn find_token(
        &mut self,
        key: ApiKeyId,
        token: TokenId,
    ) -> StoreResult<Option<(KeyHolder, bool)>>;
}

/// An open transaction. Dropped without [`commit`](Self::commit), nothing of it ever happened.
pub trait UnitOfWork {
    /// Users.
    fn users(&mut self) -> &mut dyn UserRepository;
    /// Addresses users signed in from.
    fn known_addresses(&mut self) -> &mut dyn KnownAddressRepository;
    /// Password hashes.
    fn passwords(&mut self) -> &mut dyn PasswordRepository;
    /// Sessions and refresh tokens.
    fn sessions(&mut self) -> &mut dyn SessionRepository;
    /// Signing keys.
    fn signing_keys(&mut self) -> &mut dyn SigningKeyRepository;
    /// Mailed tokens.
    fn mailed_tokens(&mut self) -> &mut dyn MailedTokenRepository;
    /// Pending changes of address.
    fn email_changes(&mut self) -> &mut dyn EmailChangeRepository;
    /// Agents.
    fn agents(&mut self) -> &mut dyn AgentRepository;
    /// API keys.
    fn api_keys(&mut self) -> &mut dyn ApiKeyRepository;
    /// Uses of agents' credentials.
    fn agent_access(&mut self) -> &mut dyn AgentAccess;
    /// Tokens that prove agents' addresses.
    fn agent_tokens(&mut self) -> &mut dyn AgentTokenRepository;
    /// Networks that agents work from.
    fn agent_networks(&mut self) -> &mut dyn AgentNetworkRepository;
    /// Recovery codes.
    fn recoveries(&mut self) -> &mut dyn RecoveryRepository;
    /// Registrations by which agents signed themselves up.
    fn registrations(&mut self) -> &mut dyn RegistrationRepository;
    /// Access tokens that are dead before their time.
    fn spent_tokens(&mut self) -> &mut dyn SpentTokenRepository;
    /// Resource servers.
    fn resource_servers(&mut self) -> &mut dyn ResourceServerRepository;
    /// Balances and ledgers of credits.
    fn credits(&mut self) -> &mut dyn CreditRepository;
    /// Invitations to register.
    fn invitations(&mut self) -> &mut dyn InvitationRepository;
    /// Mails that wait.
    fn outbox(&mut self) -> &mut dyn OutboxRepository;
    /// Mails of the local inbox.
    fn inbox(&mut self) -> &mut dyn InboxRepository;
    /// Audit events.
    fn audit(&mut self) -> &mut dyn AuditRepository;
    /// Rate-limit buckets.
    fn rate_limits(&mut self) -> &mut dyn RateLimitRepository;

    /// Publishes everything done.
    fn commit(self: Box<Self>) -> StoreResult<()>;
}

/// A database.
pub trait Storage: Send + Sync {
    /// Opens a unit of work, waiting a bounded time for a connection.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is none.
    fn begin(&self, mode: TxMode) -> StoreResult<Box<dyn UnitOfWork + '_>>;

    /// Asks for a sign of life, and whether the schema is there that this adapter works on.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when not.
    fn check(&self) -> StoreResult<()>;
}

/// Work in transactions.
pub trait StorageExt: Storage {
    /// Runs `work` on committed data.
    fn read<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&mut dyn UnitOfWork) -> Result<T, E>,
    ) -> Result<T, E> {
        work(self.begin(TxMode::Read)?.as_mut())
    }

    /// Runs `work`, which makes at most one change. When another transaction was in the way the same
    /// work is tried again, three times in all.
    fn statement<T, E: From<StoreError> + AsStoreError>(
        &self,
        mut work: impl FnMut(&mut dyn UnitOfWork) -> Result<T, E>,
    ) -> Result<T, E> {
        again_on_contention(|| work(self.begin(TxMode::Statement)?.as_mut()))
    }

    /// Runs `work` in a transaction and publishes it if it succeeds. When another transaction was in
    /// the way the same work is tried again, three times in all; so it must have no other effect.
    fn transact<T, E: From<StoreError> + AsStoreError>(
        &self,
        mut work: impl FnMut(&mut dyn UnitOfWork) -> Result<T, E>,
    ) -> Result<T, E> {
        again_on_contention(|| {
            let mut uow = self.begin(TxMode::Write)?;
            let value = work(uow.as_mut())?;
            uow.commit()?;
            Ok(value)
        })
    }
}

impl<S: Storage + ?Sized> StorageExt for S {}

/// Errors that may hold a [`StoreError`].
pub trait AsStoreError {
    /// The store's error, if that is what this is.
    fn as_store_error(&self) -> Option<&StoreError>;
}

impl AsStoreError for StoreError {
    fn as_store_error(&self) -> Option<&StoreError> {
        Some(self)
    }
}

fn again_on_contention<T, E: AsStoreError>(mut work: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let mut tries = 0;
    loop {
        tries += 1;
        match work() {
            Err(error) if tries < TRIES && is_contention(&error) => {}
            done => return done,
        }
    }
}

fn is_contention(error: &impl AsStoreError) -> bool {
    matches!(error.as_store_error(), Some(StoreError::Contention(_)))
}
