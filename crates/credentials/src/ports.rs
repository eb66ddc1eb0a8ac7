//! What credentials ask of storage.

use portcullis_kernel::{
    AgentId, ApiKeyId, Instant, Page, RecoveryId, Slice, StoreResult, TokenDigest, UserId,
};

use crate::{
    AgentToken, ApiKey, MailedKind, MailedToken, PasswordHash, RecoveryCode, RecoveryRequest, Tried,
};

/// Stores the password hash of each user that has a password.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait PasswordRepository {
    /// Sets the user's hash, whether there was one or not.
    fn put(&mut self, user: UserId, hash: &PasswordHash, now: Instant) -> StoreResult<()>;

    /// The user's hash.
    fn find(&mut self, user: UserId) -> StoreResult<Option<PasswordHash>>;

    /// Takes the user's password away; says whether there was one.
    fn remove(&mut self, user: UserId) -> StoreResult<bool>;

    /// Replaces the hash if it is still `old`; says whether it was.
    fn replace(
        &mut self,
        user: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
        now: Instant,
    ) -> StoreResult<bool>;
}

/// Stores mailed tokens. A user has at most one of each kind.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait MailedTokenRepository {
    /// Adds a token, and removes the one of the same user and kind that was there before, with the
    /// mail of that one if it still waits.
    fn put(&mut self, token: &MailedToken) -> StoreResult<()>;

    /// The token of this kind with this digest, if it has not expired.
    fn find(
        &mut self,
        kind: MailedKind,
        digest: &TokenDigest,
        now: Instant,
    ) -> StoreResult<Option<MailedToken>>;

    /// Spends the token: removes it, with its mail if that still waits. Of any number of callers one
    /// is told `true`. An expired token is not spent.
    fn spend(&mut self, kind: MailedKind, digest: &TokenDigest, now: Instant) -> StoreResult<bool>;

    /// Removes the user's tokens of this kind, with their mails; says how many.
    fn remove(&mut self, user: UserId, kind: MailedKind) -> StoreResult<u64>;

    /// Removes at most `limit` tokens that expired at or before `now`; says how many.
    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64>;
}

/// Stores API keys. A key is *live* while it is neither revoked nor expired.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait ApiKeyRepository {
    /// Adds a key.
    fn insert(&mut self, key: &ApiKey) -> StoreResult<()>;

    /// The key with this id.
    fn find(&mut self, id: ApiKeyId) -> StoreResult<Option<ApiKey>>;

    /// How many keys of the agent are live.
    fn count_live(&mut self, agent: AgentId, now: Instant) -> StoreResult<u32>;

    /// Every live key of these agents, newest first.
    fn list_live(&mut self, agents: &[AgentId], now: Instant) -> StoreResult<Vec<ApiKey>>;

    /// The agent's keys, live or not, newest first.
    fn list(&mut self, agent: AgentId, slice: &Slice<ApiKeyId>) -> StoreResult<Page<ApiKey>>;

    /// Revokes a live key of this agent; says whether there was one.
    fn revoke(&mut self, id: ApiKeyId, agent: AgentId, now: Instant) -> StoreResult<bool>;

    /// Revokes every live key of the agent; says how many.
    fn revoke_all(&mut self, agent: AgentId, now: Instant) -> StoreResult<u64>;

    /// Notes that another key takes the place of this live one of this agent, which dies at `ends_at` if
    /// it does not sooner. Says whether that was so: not when it was replaced before.
    fn replace(
        &mut self,
        id: ApiKeyId,
        agent: AgentId,
        successor: ApiKeyId,
        ends_at: Instant,
        now: Instant,
    ) -> StoreResult<bool>;

    /// Notes a use at `at`, unless a later one was noted already. A key that is gone is no error.
    fn touch(&mut self, id: ApiKeyId, at: Instant) -> StoreResult<()>;

    /// Removes at most `limit` keys that were revoked or expired before `before`; says how many.
    fn delete_dead(&mut self, before: Instant, limit: u32) -> StoreResult<u64>;
}

/// Stores tokens that prove agents' addresses.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait AgentTokenRepository {
    /// Adds a token, and removes those of the same agent that were not used, with their mails if those
    /// wait.
    fn put(&mut self, token: &AgentToken) -> StoreResult<()>;

    /// The token with this digest, used or not, if it has not expired.
    fn find(&mut self, digest: &TokenDigest, now: Instant) -> StoreResult<Option<AgentToken>>;

    /// Notes that the token was used, and removes its mail if that waits. Of any number of callers one
    /// is told `true`. An expired token cannot be used.
    fn spend(&mut self, digest: &TokenDigest, now: Instant) -> StoreResult<bool>;

    /// Removes the agent's tokens that were not used, with their mails; says how many.
    fn remove_open(&mut self, agent: AgentId) -> StoreResult<u64>;

    /// Removes at most `limit` tokens that expired at or before `now`; says how many.
    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64>;
}

/// Stores requests for recovery codes, and the codes.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait RecoveryRepository {
    /// Adds a request, and closes the open one of the same address and side, with its mail if that
    /// waits.
    fn open(&mut self, request: &RecoveryRequest) -> StoreResult<()>;

    /// The request with this id, if it is open.
    fn find_open(&mut self, id: RecoveryId, now: Instant) -> StoreResult<Option<RecoveryRequest>>;

    /// The same, held against every change by others until this transaction ends.
    fn lock_open(&mut self, id: RecoveryId, now: Instant) -> StoreResult<Option<RecoveryRequest>>;

    /// Every request to this canonical address that has not expired, closed ones too, in the order of
    /// their ids, held against every change by others until this transaction ends.
    fn lock_all(&mut self, canonical: &str, now: Instant) -> StoreResult<Vec<RecoveryRequest>>;

    /// Adds a code.
    fn add_code(&mut self, code: &RecoveryCode) -> StoreResult<()>;

    /// The codes of these requests, used or not, by request and agent.
    fn codes(&mut self, requests: &[RecoveryId]) -> StoreResult<Vec<RecoveryCode>>;

    /// Takes one of at most `most` tries of this kind, in one conditional write; says whether one was
    /// left.
    fn take_try(&mut self, id: RecoveryId, tried: Tried, most: u32) -> StoreResult<bool>;

    /// Gives a try back: the code was right.
    fn give_back_try(&mut self, id: RecoveryId, tried: Tried) -> StoreResult<()>;

    /// Notes that a code was used. Of any number of callers one is told `true`.
    fn spend(&mut self, request: RecoveryId, agent: AgentId, now: Instant) -> StoreResult<bool>;

    /// Removes every code of the agent that was not used; says how many.
    fn remove_open_codes(&mut self, agent: AgentId) -> StoreResult<u64>;

    /// Removes at most `limit` requests that expired at or before `now`, with their codes; says how many.
    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64>;
}
