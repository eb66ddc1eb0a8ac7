//! What identity asks of storage.

#![cfg_attr(
    feature = "mock",
    allow(clippy::ref_option_ref, reason = "what mockall makes of an argument `Option<&T>`")
)]

use portcullis_kernel::{
    AgentId, EmailChangeId, Instant, InvitationId, Page, PageRequest, ResourceServerId, SessionId,
    Slice, StoreResult, TokenDigest, UserId,
};

use crate::{
    Agent, AgentFilter, DisplayName, EmailChange, Invitation, ResourceServer, Role, User,
    UserFilter, UserStatus,
};

/// Stores users. Changing calls say whether a row was there to change.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait UserRepository {
    /// Adds a user.
    ///
    /// # Errors
    /// `Conflict(UserEmail)` when the canonical address is taken.
    fn insert(&mut self, user: &User) -> StoreResult<()>;

    /// The user with this id.
    fn find(&mut self, id: UserId) -> StoreResult<Option<User>>;

    /// Whether the user may act, held so until this transaction ends: a suspension or deletion waits
    /// for it, or was there first. To be asked before anything else of the user is locked.
    fn hold_active(&mut self, id: UserId) -> StoreResult<bool>;

    /// The user with this id, held against every change by others until this transaction ends. To be
    /// asked before anything else of the user is locked.
    fn lock(&mut self, id: UserId) -> StoreResult<Option<User>>;

    /// Stores a user that was [locked](Self::lock) and changed; everything but its id.
    ///
    /// # Errors
    /// `Conflict(UserEmail)` when the canonical address is another user's.
    fn update(&mut self, user: &User) -> StoreResult<bool>;

    /// The user with this canonical address.
    fn find_by_email(&mut self, canonical: &str) -> StoreResult<Option<User>>;

    /// Users in the order of their ids (so, of their making), filtered.
    fn list(&mut self, filter: &UserFilter, page: &PageRequest) -> StoreResult<Page<User>>;

    /// Sets or clears the name shown to others.
    #[cfg_attr(feature = "mock", mockall::concretize)]
    fn set_display_name(&mut self, id: UserId, name: Option<&DisplayName>) -> StoreResult<bool>;

    /// Sets the role.
    fn set_role(&mut self, id: UserId, role: Role) -> StoreResult<bool>;

    /// Sets the state.
    fn set_status(&mut self, id: UserId, status: UserStatus) -> StoreResult<bool>;

    /// Removes the user and everything that belongs to it: password, sessions, refresh tokens, mailed
    /// tokens, known addresses, a pending change of address, mails that wait.
    fn delete(&mut self, id: UserId) -> StoreResult<bool>;
}

/// Remembers from which client addresses a user has signed in, so that a limit on an account cannot
/// shut its owner out.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait KnownAddressRepository {
    /// Notes a sign-in from this address.
    fn touch(&mut self, user: UserId, address: &str, now: Instant) -> StoreResult<()>;

    /// Whether the user signed in from this address at or after `since`.
    fn is_known(&mut self, user: UserId, address: &str, since: Instant) -> StoreResult<bool>;

    /// Every address that the user signed in from at or after `since`.
    fn list(&mut self, user: UserId, since: Instant) -> StoreResult<Vec<String>>;

    /// Forgets every address of the user; says how many.
    fn forget(&mut self, user: UserId) -> StoreResult<u64>;

    /// Removes at most `limit` addresses not seen since `before`; says how many.
    fn delete_before(&mut self, before: Instant, limit: u32) -> StoreResult<u64>;
}

/// Stores pending changes of address, at most one a user.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait EmailChangeRepository {
    /// Adds a change, and removes the user's one that was there before, with its mail if that waits.
    fn put(&mut self, change: &EmailChange) -> StoreResult<()>;

    /// Takes one of at most `most` tries at the code of the user's change, if it was asked for in
    /// this session and has not expired. One conditional write, so that tries cannot outrun it; held
    /// until this transaction ends.
    fn take_try(
        &mut self,
        user: UserId,
        session: SessionId,
        most: u32,
        now: Instant,
    ) -> StoreResult<Option<EmailChange>>;

    /// The change with this id, if it has not expired.
    fn find(&mut self, id: EmailChangeId, now: Instant) -> StoreResult<Option<EmailChange>>;

    /// Removes the user's change, with its mail if that waits; says whether there was one.
    fn remove(&mut self, user: UserId) -> StoreResult<bool>;

    /// Removes at most `limit` changes that expired at or before `now`; says how many.
    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64>;
}

/// Stores invitations.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait InvitationRepository {
    /// Adds an invitation.
    fn insert(&mut self, invitation: &Invitation) -> StoreResult<()>;

    /// The invitation with this digest, if it has not expired.
    fn find(&mut self, digest: &TokenDigest, now: Instant) -> StoreResult<Option<Invitation>>;

    /// Spends the invitation: removes it, with its mail if that waits. Of any number of callers one
    /// is told `true`. An expired one is not spent.
    fn spend(&mut self, digest: &TokenDigest, now: Instant) -> StoreResult<bool>;

    /// Invitations that have not expired, in the order of their ids.
    fn list(&mut self, page: &PageRequest, now: Instant) -> StoreResult<Page<Invitation>>;

    /// Withdraws an invitation, with its mail if that waits; says whether there was one.
    fn remove(&mut self, id: InvitationId) -> StoreResult<bool>;

    /// Withdraws every invitation for this canonical address, with their mails; says how many.
    fn remove_for(&mut self, canonical: &str) -> StoreResult<u64>;

    /// Removes at most `limit` invitations that expired at or before `now`; says how many.
    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64>;
}

/// Stores agents.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait AgentRepository {
    /// Adds an agent.
    fn insert(&mut self, agent: &Agent) -> StoreResult<()>;

    /// The agent with this id.
    fn find(&mut self, id: AgentId) -> StoreResult<Option<Agent>>;

    /// The agent whose recovery key has this digest.
    fn find_by_recovery(&mut self, digest: &TokenDigest) -> StoreResult<Option<Agent>>;

    /// The agent with this id, held against every change by others until this transaction ends. To be
    /// asked before anything else of the agent is locked; of several agents in the order of their ids.
    fn lock(&mut self, id: AgentId) -> StoreResult<Option<Agent>>;

    /// Stores an agent that was [locked](Self::lock) and changed; everything but its id and the time of
    /// its making. Says whether it was there.
    fn update(&mut self, agent: &Agent) -> StoreResult<bool>;

    /// Removes the agent and everything that belongs to it: keys, mailed tokens, recovery codes, known
    /// networks, mails that wait. Says whether it was there.
    fn delete(&mut self, id: AgentId) -> StoreResult<bool>;

    /// The newest `limit` active agents for which this canonical address was proven, newest first.
    fn list_proven(&mut self, canonical: &str, limit: u32) -> StoreResult<Vec<Agent>>;

    /// The newest `limit` active agents for which this canonical address is still to be proven, newest
    /// first.
    fn list_pending(&mut self, canonical: &str, limit: u32) -> StoreResult<Vec<Agent>>;

    /// Agents, newest first, filtered.
    fn list(&mut self, filter: &AgentFilter, slice: &Slice<AgentId>) -> StoreResult<Page<Agent>>;

    /// Active agents with a public profile, newest first.
    fn list_public(&mut self, slice: &Slice<AgentId>) -> StoreResult<Page<Agent>>;

    /// Every agent of this user, in the order of their ids.
    fn list_owned(&mut self, owner: UserId) -> StoreResult<Vec<Agent>>;
}

/// Remembers from which networks agents got tokens, so that strangers who ask for recovery codes cannot
/// use up what belongs to those networks.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait AgentNetworkRepository {
    /// Notes that the agent got a token from this network at `at`; a time before one noted already
    /// changes nothing. Says whether the agent was not noted there at or after `news_since`. An agent
    /// that is gone by now is no error, and no news.
    fn touch(
        &mut self,
        agent: AgentId,
        network: &str,
        at: Instant,
        news_since: Instant,
    ) -> StoreResult<bool>;

    /// Whether an active agent for which this canonical address was proven got a token from this network
    /// at or after `since`.
    fn is_known(&mut self, canonical: &str, network: &str, since: Instant) -> StoreResult<bool>;

    /// Removes at most `limit` networks not seen since `before`; says how many.
    fn delete_before(&mut self, before: Instant, limit: u32) -> StoreResult<u64>;
}

/// Stores resource servers.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait ResourceServerRepository {
    /// Adds one.
    fn insert(&mut self, server: &ResourceServer) -> StoreResult<()>;

    /// The one whose secret has this digest.
    fn find_by_secret(&mut self, digest: &TokenDigest) -> StoreResult<Option<ResourceServer>>;

    /// Whether one has this audience.
    fn has_audience(&mut self, audience: &str) -> StoreResult<bool>;

    /// Every one, in the order of their making.
    fn list(&mut self) -> StoreResult<Vec<ResourceServer>>;

    /// Removes one; says whether it was there.
    fn remove(&mut self, id: ResourceServerId) -> StoreResult<bool>;
}
