//! Rows about agents to put into databases; none of them is stored.

use portcullis_credentials::{
    AgentToken, AllowedNetworks, ApiKey, KeyName, KeyPrefix, PlainAgentToken, PlainApiKey,
    PlainRecoveryKey, RecoveryCode, RecoveryRequest,
};
use portcullis_identity::{
    Agent, AgentMetadata, AgentName, PlainServerSecret, ProvenEmail, ResourceServer,
};
use portcullis_kernel::{
    AgentId, ApiKeyId, ClaimAttemptId, CodeMac, RecoveryId, RegistrationId, ResourceServerId,
    Scopes, TokenDigest, TokenId,
};
use portcullis_registration::{ClaimAttempt, Registration, RegistrationKind, State};
use portcullis_system::SystemEntropy;
use portcullis_tokens::SpentToken;

use super::lab::{at, new_user};

/// An agent whose address was proven.
pub(super) fn new_agent() -> Agent {
    let id = AgentId::generate(&SystemEntropy).unwrap();
    let name = AgentName::parse("bot").unwrap();
    let recovery = PlainRecoveryKey::generate(&SystemEntropy).unwrap().digest();
    let agent = Agent::registered(id, name, AgentMetadata::default(), recovery, at(0));
    Agent { email: Some(ProvenEmail { address: new_user().email, at: at(0) }), ..agent }
}

/// Its canonical address.
pub(super) fn address_of(agent: &Agent) -> &str {
    agent.email.as_ref().unwrap().address.as_str()
}

/// A key that lives for ever.
pub(super) fn new_api_key(agent: AgentId) -> ApiKey {
    let prefix = KeyPrefix::parse("sk_").unwrap();
    let plain = PlainApiKey::generate(&prefix, &SystemEntropy).unwrap();
    ApiKey {
        id: ApiKeyId::generate(&SystemEntropy).unwrap(),
        agent,
        name: KeyName::parse("ci").unwrap(),
        hint: plain.hint(),
        digest: plain.digest(),
        scopes: Scopes::new(["messages:read"]).unwrap(),
        networks: AllowedNetworks::parse(&["192.0.2.0/24".to_owned()]).unwrap(),
        rate_limit: None,
        created_at: at(0),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
        replaced_by: None,
    }
}

/// A token that lives for an hour.
pub(super) fn new_agent_token(agent: AgentId) -> AgentToken {
    AgentToken {
        digest: PlainAgentToken::generate(&SystemEntropy).unwrap().digest(),
        agent,
        email: "jane@example.com".to_owned(),
        created_at: at(0),
        expires_at: at(3600),
        used_at: None,
    }
}

/// A request of a stranger that lives for an hour.
pub(super) fn new_recovery(canonical: &str) -> RecoveryRequest {
    RecoveryRequest {
        id: RecoveryId::generate(&SystemEntropy).unwrap(),
        email: canonical.to_owned(),
        side: None,
        asked_from: "192.0.2.0/24".to_owned(),
        own_tries: 0,
        other_tries: 0,
        created_at: at(0),
        expires_at: at(3600),
        closed_at: None,
    }
}

/// A code that was not used.
pub(super) fn new_code(request: RecoveryId, agent: AgentId) -> RecoveryCode {
    RecoveryCode { request, agent, code: CodeMac::from_bytes([7; 32]), used_at: None }
}

/// A token that is spent, and forgotten in an hour.
pub(super) fn new_spent(agent: AgentId) -> SpentToken {
    SpentToken {
        id: TokenId::generate(at(0), &SystemEntropy).unwrap(),
        agent,
        successor: None,
        spent_at: at(0),
        forget_at: at(3600),
    }
}

/// A resource server for everybody.
pub(super) fn new_server() -> ResourceServer {
    ResourceServer {
        id: ResourceServerId::generate(&SystemEntropy).unwrap(),
        name: "weather".to_owned(),
        digest: PlainServerSecret::generate(&SystemEntropy).unwrap().digest(),
        audience: None,
        scopes: Scopes::new(["messages:read"]).unwrap(),
        people: false,
        created_at: at(0),
    }
}

/// A registration for an address that is open for an hour.
pub(super) fn new_registration(agent: AgentId) -> Registration {
    let id = RegistrationId::generate(&SystemEntropy).unwrap();
    Registration {
        id,
        agent,
        kind: RegistrationKind::Email { address: "jane@example.com".to_owned() },
        claim: TokenDigest::of(&format!("claim {id}")),
        view: TokenDigest::of(&format!("view {id}")),
        codes: 0,
        asked_from: None,
        state: State::Open,
        created_at: at(0),
        expires_at: at(3600),
    }
}

/// An attempt whose code lives for ten minutes.
pub(super) fn new_attempt(registration: RegistrationId) -> ClaimAttempt {
    ClaimAttempt {
        id: ClaimAttemptId::generate(&SystemEntropy).unwrap(),
        registration,
        email: "jane@example.com".to_owned(),
        delivery: "Jane@example.com".to_owned(),
        code: Some(CodeMac::from_bytes([7; 32])),
        tries: 0,
        created_at: at(0),
        expires_at: at(600),
    }
}
