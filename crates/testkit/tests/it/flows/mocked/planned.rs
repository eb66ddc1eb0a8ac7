//! A storage made of mocks: each unit of work is planned, in the order in which they are opened.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use portcullis_audit::ports::MockAuditRepository;
use portcullis_credentials::ports::{
    MockAgentTokenRepository, MockApiKeyRepository, MockMailedTokenRepository,
    MockPasswordRepository, MockRecoveryRepository,
};
use portcullis_credits::ports::MockCreditRepository;
use portcullis_email::ports::{MockInboxRepository, MockOutboxRepository};
use portcullis_identity::ports::{
    MockAgentNetworkRepository, MockAgentRepository, MockEmailChangeRepository,
    MockInvitationRepository, MockKnownAddressRepository, MockResourceServerRepository,
    MockUserRepository,
};
use portcullis_kernel::{ApiKeyId, StoreResult, TokenDigest, TokenId};
use portcullis_limits::ports::MockRateLimitRepository;
use portcullis_registration::ports::MockRegistrationRepository;
use portcullis_storage::{
    AgentAccess, AgentNetworkRepository, AgentRepository, AgentTokenRepository, ApiKeyRepository,
    AuditRepository, CreditRepository, EmailChangeRepository, InboxRepository,
    InvitationRepository, KeyHolder, KnownAddressRepository, MailedTokenRepository,
    OutboxRepository, PasswordRepository, RateLimitRepository, RecoveryRepository,
    RegistrationRepository, ResourceServerRepository, SessionRepository, SigningKeyRepository,
    SpentTokenRepository, Storage, TxMode, UnitOfWork, UserRepository,
};
use portcullis_testkit::engine::{TestEngine, TestEngineBuilder};
use portcullis_tokens::ports::{
    MockSessionRepository, MockSigningKeyRepository, MockSpentTokenRepository,
};

use super::super::Stored as _;

mockall::mock! {
    pub(super) Commit {
        pub(super) fn commit(&self) -> StoreResult<()>;
    }
}

mockall::mock! {
    pub(super) Access {}
    impl AgentAccess for Access {
        fn find_key(&mut self, digest: &TokenDigest) -> StoreResult<Option<KeyHolder>>;
        fn find_token(
            &mut self,
            key: ApiKeyId,
            token: TokenId,
        ) -> StoreResult<Option<(KeyHolder, bool)>>;
    }
}

/// What is asked of one unit of work; anything else that is asked of it fails the test.
#[derive(Default)]
pub(super) struct Unit {
    pub(super) users: MockUserRepository,
    pub(super) known_addresses: MockKnownAddressRepository,
    pub(super) passwords: MockPasswordRepository,
    pub(super) sessions: MockSessionRepository,
    pub(super) signing_keys: MockSigningKeyRepository,
    pub(super) mailed_tokens: MockMailedTokenRepository,
    pub(super) email_changes: MockEmailChangeRepository,
    pub(super) agents: MockAgentRepository,
    pub(super) api_keys: MockApiKeyRepository,
    pub(super) agent_access: MockAccess,
    pub(super) agent_tokens: MockAgentTokenRepository,
    pub(super) agent_networks: MockAgentNetworkRepository,
    pub(super) recoveries: MockRecoveryRepository,
    pub(super) registrations: MockRegistrationRepository,
    pub(super) spent_tokens: MockSpentTokenRepository,
    pub(super) resource_servers: MockResourceServerRepository,
    pub(super) credits: MockCreditRepository,
    pub(super) invitations: MockInvitationRepository,
    pub(super) outbox: MockOutboxRepository,
    pub(super) inbox: MockInboxRepository,
    pub(super) audit: MockAuditRepository,
    pub(super) rate_limits: MockRateLimitRepository,
    commit: MockCommit,
}

impl Unit {
    /// A unit of which this is expected.
    pub(super) fn expecting(expect: impl FnOnce(&mut Self)) -> Self {
        let mut unit = Self::default();
        expect(&mut unit);
        unit
    }

    /// The same, published in the end.
    pub(super) fn published(mut self) -> Self {
        self.commit.expect_commit().times(1).returning(|| Ok(()));
        self
    }
}

macro_rules! accessors {
    ($($name:ident: $repository:ident,)*) => {
        $(fn $name(&mut self) -> &mut dyn $repository {
            &mut self.$name
        })*
    };
}

impl UnitOfWork for Unit {
    accessors! {
        users: UserRepository,
        known_addresses: KnownAddressRepository,
        passwords: PasswordRepository,
        sessions: SessionRepository,
        signing_keys: SigningKeyRepository,
        mailed_tokens: MailedTokenRepository,
        email_changes: EmailChangeRepository,
        agents: AgentRepository,
        api_keys: ApiKeyRepository,
        agent_access: AgentAccess,
        agent_tokens: AgentTokenRepository,
        agent_networks: AgentNetworkRepository,
        recoveries: RecoveryRepository,
        registrations: RegistrationRepository,
        spent_tokens: SpentTokenRepository,
        resource_servers: ResourceServerRepository,
        credits: CreditRepository,
        invitations: InvitationRepository,
        outbox: OutboxRepository,
        inbox: InboxRepository,
        audit: AuditRepository,
        rate_limits: RateLimitRepository,
    }

    fn commit(self: Box<Self>) -> StoreResult<()> {
        self.commit.commit()
    }
}

/// The units that are to be opened, and in which mode; all of them.
pub(super) struct Planned(Mutex<VecDeque<(TxMode, Unit)>>);

impl Storage for Planned {
    fn begin(&self, mode: TxMode) -> StoreResult<Box<dyn UnitOfWork + '_>> {
        let next = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let (planned, unit) = next.unwrap_or_else(|| panic!("a unit too many: {mode:?}"));
        assert_eq!(mode, planned);
        Ok(Box::new(unit))
    }

    fn check(&self) -> StoreResult<()> {
        panic!("nobody asks whether it is well");
    }
}

impl Drop for Planned {
    fn drop(&mut self) {
        let left = self.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        assert!(left == 0 || thread::panicking(), "{left} units were never opened");
    }
}

/// An engine with the keys and the clock of `donor` whose storage is planned.
pub(super) fn planned(donor: &TestEngine, units: Vec<(TxMode, Unit)>) -> TestEngineBuilder {
    let keys = donor.look(|uow| uow.signing_keys().list());
    let open = Unit::expecting(|unit| {
        unit.signing_keys.expect_list().times(1).return_once(move || Ok(keys));
    });
    let units = [(TxMode::Read, open)].into_iter().chain(units).collect();
    donor.peer().storage(Arc::new(Planned(Mutex::new(units))))
}
