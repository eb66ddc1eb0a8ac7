//! Rows of each schema.

use portcullis_audit::{Action, Actor, AuditEvent};
use portcullis_credentials::{AgentToken, ApiKey, PasswordHash, RecoveryRequest};
use portcullis_credits::{AccountId, Amount, Posting};
use portcullis_email::OutboxEntry;
use portcullis_identity::{Agent, ResourceServer, User};
use portcullis_kernel::{AgentId, CreditEntryId, Origin, StoreResult, UserId};
use portcullis_limits::{BucketKey, HitLog, Policy};
use portcullis_storage::UnitOfWork;
use portcullis_system::SystemEntropy;
use portcullis_tokens::{
    Algorithm, KeyPurpose, PublicJwk, RefreshRow, RefreshState, Session, SigningKey, SpentToken,
};
use time::Duration;

use super::super::{
    agent_rows::{
        address_of, new_agent, new_agent_token, new_api_key, new_code, new_recovery, new_server,
        new_spent,
    },
    lab::{at, new_mail, new_session, new_user},
};

const POLICY: Policy = Policy::new("migrations", 5, Duration::MINUTE);

/// One of each table of the first schema.
pub(super) struct Rows {
    pub(super) user: User,
    hash: PasswordHash,
    pub(super) session: Session,
    token: RefreshRow,
    pub(super) key: SigningKey,
    event: AuditEvent,
    bucket: BucketKey,
}

pub(super) type Seen = (
    Option<User>,
    Option<PasswordHash>,
    Vec<String>,
    Option<RefreshState>,
    Vec<SigningKey>,
    Vec<AuditEvent>,
    Option<HitLog>,
);

impl Rows {
    pub(super) fn new() -> Self {
        let user = new_user();
        let (session, token) = new_session(user.id);
        let (action, actor) = (Action::UserRegistered, Actor::User(user.id));
        Self {
            hash: PasswordHash::from_stored("hash".to_owned()),
            key: SigningKey {
                kid: "kid".to_owned(),
                purpose: KeyPurpose::People,
                generation: 1,
                algorithm: Algorithm::Rs256,
                public: PublicJwk::Rsa { n: "n".to_owned(), e: "AQAB".to_owned() },
                sealed: vec![1, 2, 3],
                sealed_by: "first".to_owned(),
                created_at: at(0),
                active_from: at(1),
                retired_at: None,
                removed_at: None,
            },
            event: AuditEvent::new(action, actor, &Origin::local(), at(0), &SystemEntropy).unwrap(),
            bucket: BucketKey::principal(&POLICY, user.id),
            user,
            session,
            token,
        }
    }

    pub(super) fn insert(&self, uow: &mut dyn UnitOfWork) -> StoreResult<()> {
        uow.users().insert(&self.user)?;
        uow.passwords().put(self.user.id, &self.hash, at(0))?;
        uow.known_addresses().touch(self.user.id, "192.0.2.1", at(0))?;
        uow.sessions().insert(&self.session, &self.token)?;
        uow.signing_keys().insert(&self.key)?;
        uow.audit().append(&self.event)?;
        uow.rate_limits().charge(&self.bucket, &POLICY, 1, at(0), at(0)).map(drop)
    }

    pub(super) fn see(&self, uow: &mut dyn UnitOfWork) -> StoreResult<Seen> {
        Ok((
            uow.users().find(self.user.id)?,
            uow.passwords().find(self.user.id)?,
            uow.known_addresses().list(self.user.id, at(0))?,
            uow.sessions().find_token(&self.token.digest)?,
            uow.signing_keys().list()?,
            uow.audit().list_for(self.user.id, 10)?,
            uow.rate_limits().find(&self.bucket)?,
        ))
    }
}

/// One of each table about agents, and mails about them.
pub(super) struct AgentRows {
    pub(super) agent: Agent,
    key: ApiKey,
    token: AgentToken,
    request: RecoveryRequest,
    spent: SpentToken,
    server: ResourceServer,
    /// One that there was not before there were agents, and one that there was.
    pub(super) events: [AuditEvent; 2],
    /// Whom those are about.
    pub(super) subject: UserId,
}

impl AgentRows {
    pub(super) fn new(owner: UserId) -> Self {
        let agent = Agent { owner: Some(owner), ..new_agent() };
        let subject = new_user().id;
        let events = [Action::AgentRegistered, Action::LimitReached].map(|action| {
            let actor = Actor::Agent(agent.id);
            let event = AuditEvent::new(action, actor, &Origin::local(), at(0), &SystemEntropy);
            event.unwrap().about(subject).with_key(new_api_key(agent.id).id)
        });
        Self {
            key: new_api_key(agent.id),
            token: new_agent_token(agent.id),
            request: new_recovery(address_of(&agent)),
            spent: new_spent(agent.id),
            server: new_server(),
            events,
            subject,
            agent,
        }
    }

    pub(super) fn insert(&self, uow: &mut dyn UnitOfWork) -> StoreResult<()> {
        for event in &self.events {
            uow.audit().append(event)?;
        }
        self.insert_again(uow)
    }

    /// All but the events.
    pub(super) fn insert_again(&self, uow: &mut dyn UnitOfWork) -> StoreResult<()> {
        uow.agents().insert(&self.agent)?;
        uow.api_keys().insert(&self.key)?;
        uow.agent_tokens().put(&self.token)?;
        uow.agent_networks().touch(self.agent.id, "n", at(0), at(0))?;
        uow.recoveries().open(&self.request)?;
        uow.recoveries().add_code(&new_code(self.request.id, self.agent.id))?;
        uow.spent_tokens().spend(&self.spent)?;
        uow.resource_servers().insert(&self.server)?;
        for mail in [
            OutboxEntry { agent: Some(self.agent.id), ..new_mail() },
            OutboxEntry { agent_token: Some(self.token.digest), ..new_mail() },
            OutboxEntry { recovery: Some(self.request.id), ..new_mail() },
        ] {
            uow.outbox().insert(&mail)?;
        }
        Ok(())
    }
}

/// Credits of a user and of an agent, and an event about them.
pub(super) struct CreditRows {
    grants: [Posting; 2],
    event: AuditEvent,
}

impl CreditRows {
    pub(super) fn new(user: UserId, agent: AgentId) -> Self {
        let grant = |account| {
            let id = CreditEntryId::generate(&SystemEntropy).unwrap();
            Posting::grant(id, account, Amount::new(5).unwrap(), None, at(0))
        };
        let (action, by) = (Action::CreditsGranted, Actor::Operator);
        let event = AuditEvent::new(action, by, &Origin::local(), at(0), &SystemEntropy).unwrap();
        Self {
            grants: [AccountId::User(user), AccountId::Agent(agent)].map(grant),
            event: event.about(user),
        }
    }

    pub(super) fn insert(&self, uow: &mut dyn UnitOfWork) -> StoreResult<()> {
        for grant in &self.grants {
            uow.credits().post(grant)?;
        }
        uow.audit().append(&self.event)
    }

    /// Both balances.
    pub(super) fn see(&self, uow: &mut dyn UnitOfWork) -> StoreResult<[i64; 2]> {
        let [user, agent] = &self.grants;
        Ok([uow.credits().balance(user.account)?, uow.credits().balance(agent.account)?])
    }
}
