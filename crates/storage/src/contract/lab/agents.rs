//! Rows about agents.

use std::{
    cmp::Reverse,
    fmt::{Debug, Display},
    str::FromStr,
};

use portcullis_credentials::{
    AgentToken, AllowedNetworks, ApiKey, KeyName, RecoveryCode, RecoveryRequest,
};
use portcullis_identity::{Agent, AgentMetadata, AgentName, ProvenEmail, ResourceServer};
use portcullis_kernel::{
    AgentId, ApiKeyId, ClaimAttemptId, CodeMac, Entropy as _, Page, Place, RecoveryId,
    RegistrationId, ResourceServerId, Scopes, Slice, TokenDigest, TokenId,
};
use portcullis_registration::{ClaimAttempt, Registration, RegistrationKind, State};
use portcullis_tokens::SpentToken;

use super::{Lab, TICK, at, email};

impl Lab<'_> {
    pub(in super::super) fn agent_id(&self) -> AgentId {
        AgentId::generate(&self.entropy).unwrap()
    }

    pub(in super::super) fn key_id(&self) -> ApiKeyId {
        ApiKeyId::generate(&self.entropy).unwrap()
    }

    pub(in super::super) fn token_id(&self) -> TokenId {
        TokenId::generate(at(0), &self.entropy).unwrap()
    }

    /// An agent without an address, not stored.
    pub(in super::super) fn new_agent(&self) -> Agent {
        let name = AgentName::parse(&format!("Bot-{}", self.tag())).unwrap();
        let recovery = TokenDigest::of(&self.tag());
        Agent::registered(self.agent_id(), name, AgentMetadata::default(), recovery, at(0))
    }

    /// Stores an agent.
    pub(in super::super) fn add_agent(&self, agent: Agent) -> Agent {
        self.write(|uow| uow.agents().insert(&agent));
        agent
    }

    /// A stored agent.
    pub(in super::super) fn agent(&self) -> Agent {
        self.add_agent(self.new_agent())
    }

    /// A stored agent for which this address was proven.
    pub(in super::super) fn agent_at(&self, canonical: &str) -> Agent {
        let proven = ProvenEmail { address: email(canonical), at: at(0) };
        self.add_agent(Agent { email: Some(proven), ..self.new_agent() })
    }

    pub(in super::super) fn find_agent(&self, id: AgentId) -> Option<Agent> {
        self.read(|uow| uow.agents().find(id))
    }

    /// A canonical address that occurs nowhere else.
    pub(in super::super) fn address(&self) -> String {
        format!("{}@example.com", self.tag())
    }

    /// A key that lives for ever, not stored.
    pub(in super::super) fn new_api_key(&self, agent: AgentId) -> ApiKey {
        ApiKey {
            id: self.key_id(),
            agent,
            name: KeyName::parse("ci").unwrap(),
            hint: "sk_abcd".into(),
            digest: TokenDigest::of(&self.tag()),
            scopes: "messages:read messages:write".parse().unwrap(),
            networks: AllowedNetworks::default(),
            rate_limit: None,
            created_at: at(0),
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
            replaced_by: None,
        }
    }

    /// Stores a key.
    pub(in super::super) fn add_api_key(&self, key: ApiKey) -> ApiKey {
        self.write(|uow| uow.api_keys().insert(&key));
        key
    }

    /// The same, stored.
    pub(in super::super) fn api_key(&self, agent: AgentId) -> ApiKey {
        self.add_api_key(self.new_api_key(agent))
    }

    pub(in super::super) fn find_api_key(&self, id: ApiKeyId) -> Option<ApiKey> {
        self.read(|uow| uow.api_keys().find(id))
    }

    /// A token that lives for an hour; not stored.
    pub(in super::super) fn new_agent_token(&self, agent: AgentId) -> AgentToken {
        AgentToken {
            digest: TokenDigest::of(&self.tag()),
            agent,
            email: self.address(),
            created_at: at(0),
            expires_at: at(3600),
            used_at: None,
        }
    }

    /// The same, stored.
    pub(in super::super) fn agent_token(&self, agent: AgentId) -> AgentToken {
        let token = self.new_agent_token(agent);
        self.write(|uow| uow.agent_tokens().put(&token));
        token
    }

    /// A request of a stranger that lives for an hour; not stored.
    pub(in super::super) fn new_recovery(&self, canonical: &str) -> RecoveryRequest {
        RecoveryRequest {
            id: RecoveryId::generate(&self.entropy).unwrap(),
            email: canonical.into(),
            side: None,
            asked_from: "192.0.2.0/24".into(),
            own_tries: 0,
            other_tries: 0,
            created_at: at(0),
            expires_at: at(3600),
            closed_at: None,
        }
    }

    /// Opens a request.
    pub(in super::super) fn open_recovery(&self, request: RecoveryRequest) -> RecoveryRequest {
        self.write(|uow| uow.recoveries().open(&request));
        request
    }

    /// A stored request for an address that occurs nowhere else.
    pub(in super::super) fn recovery(&self) -> RecoveryRequest {
        self.open_recovery(self.new_recovery(&self.address()))
    }

    /// A code that was not used; not stored.
    pub(in super::super) fn new_code(&self, request: RecoveryId, agent: AgentId) -> RecoveryCode {
        let mut code = [0; 32];
        self.entropy.fill(&mut code).unwrap();
        RecoveryCode { request, agent, code: CodeMac::from_bytes(code), used_at: None }
    }

    /// The same, stored.
    pub(in super::super) fn code(&self, request: RecoveryId, agent: AgentId) -> RecoveryCode {
        let code = self.new_code(request, agent);
        self.write(|uow| uow.recoveries().add_code(&code));
        code
    }

    pub(in super::super) fn codes(&self, requests: &[RecoveryId]) -> Vec<RecoveryCode> {
        self.read(|uow| uow.recoveries().codes(requests))
    }

    /// An open registration of a new agent that named nobody; not stored, but the agent is.
    pub(in super::super) fn new_registration(&self) -> Registration {
        Registration {
            id: RegistrationId::generate(&self.entropy).unwrap(),
            agent: self.agent().id,
            kind: RegistrationKind::Anonymous,
            claim: TokenDigest::of(&self.tag()),
            view: TokenDigest::of(&self.tag()),
            codes: 0,
            asked_from: None,
            state: State::Open,
            created_at: at(0),
            expires_at: at(3600),
        }
    }

    /// Stores a registration.
    pub(in super::super) fn add_registration(&self, made: Registration) -> Registration {
        self.write(|uow| uow.registrations().insert(&made));
        made
    }

    /// The same, stored.
    pub(in super::super) fn registration(&self) -> Registration {
        self.add_registration(self.new_registration())
    }

    pub(in super::super) fn find_registration(&self, agent: AgentId) -> Option<Registration> {
        self.read(|uow| uow.registrations().find_by_agent(agent))
    }

    /// An attempt with a code that lives for ten minutes; not stored.
    pub(in super::super) fn new_attempt(&self, of: RegistrationId) -> ClaimAttempt {
        let mut code = [0; 32];
        self.entropy.fill(&mut code).unwrap();
        let email = self.address();
        ClaimAttempt {
            id: ClaimAttemptId::generate(&self.entropy).unwrap(),
            registration: of,
            delivery: email.to_uppercase(),
            email,
            code: Some(CodeMac::from_bytes(code)),
            tries: 0,
            created_at: at(0),
            expires_at: at(600),
        }
    }

    /// Stores an attempt.
    pub(in super::super) fn put_attempt(&self, attempt: ClaimAttempt) -> ClaimAttempt {
        self.write(|uow| uow.registrations().put_attempt(&attempt));
        attempt
    }

    /// The same, stored.
    pub(in super::super) fn attempt(&self, of: RegistrationId) -> ClaimAttempt {
        self.put_attempt(self.new_attempt(of))
    }

    pub(in super::super) fn find_attempt(&self, of: RegistrationId) -> Option<ClaimAttempt> {
        self.read(|uow| uow.registrations().attempt(of))
    }

    /// A token that is spent now; not stored.
    pub(in super::super) fn new_spent(&self) -> SpentToken {
        SpentToken {
            id: self.token_id(),
            agent: self.agent_id(),
            successor: None,
            spent_at: at(0),
            forget_at: at(3600),
        }
    }

    /// A resource server for everybody; not stored.
    pub(in super::super) fn new_server(&self) -> ResourceServer {
        ResourceServer {
            id: ResourceServerId::generate(&self.entropy).unwrap(),
            name: "Wetter-API".into(),
            digest: TokenDigest::of(&self.tag()),
            audience: None,
            scopes: Scopes::new(["messages:read"]).unwrap(),
            people: false,
            created_at: at(0),
        }
    }
}

/// Every slice of a list has the rows of these places, each once and in this order; there is no cursor
/// on the last one, be it full or not.
pub(in super::super) fn check_slices<T, Id>(
    places: &[Place<Id>],
    list: impl Fn(&Slice<Id>) -> Page<T>,
    place: impl Fn(&T) -> Place<Id>,
) where
    Id: Copy + Debug + PartialEq + FromStr + Display,
{
    for limit in [1, 3, 6, 7, 8, u32::MAX] {
        let mut slice = Slice::first(limit);
        for expected in places.chunks(usize::try_from(limit).unwrap()) {
            let rows = list(&slice);
            let seen: Vec<_> = rows.items.iter().map(&place).collect();
            assert_eq!(seen, expected, "slices of {limit}");
            let is_end = expected.last() == places.last();
            let next = (!is_end).then(|| expected.last().unwrap().cursor());
            assert_eq!(rows.next, next, "slices of {limit}");
            slice.after = rows.next.map(|cursor| Place::of(&cursor).unwrap());
        }
    }
}

/// The places of seven rows of which some are of one time, newest first; two differ by a microsecond.
pub(in super::super) fn seven_places<Id: Copy + Ord>(make: impl Fn() -> Id) -> Vec<Place<Id>> {
    let times = [3, 1, 1, 4, 1, 5].map(at).into_iter().chain([at(4) + TICK]);
    let mut places: Vec<_> = times.map(|at| Place { at, id: make() }).collect();
    places.sort_by_key(|place| Reverse((place.at, place.id)));
    places
}
