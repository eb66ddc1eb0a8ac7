use portcullis_credentials::{AgentToken, ApiKey, RecoveryCode, RecoveryRequest, Tried};
use portcullis_credits::{AccountId, Entry, Ledger, Posting};
use portcullis_identity::{Agent, ProvenEmail, ResourceServer};
use portcullis_kernel::{Instant, StoreResult};
use portcullis_tokens::SpentToken;

use super::lab::{Lab, at, email};
use crate::{KeyHolder, UnitOfWork};

const NETWORK: &str = "192.0.2.0/24";

/// One row of every table about agents.
pub(super) struct AgentWorld {
    pub(super) agent: Agent,
    address: String,
    key: ApiKey,
    token: AgentToken,
    request: RecoveryRequest,
    code: RecoveryCode,
    spent: SpentToken,
    server: ResourceServer,
    credits: Posting,
}

/// What is stored of it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct SeenOfAgent {
    proven: Vec<Agent>,
    by_key: Option<KeyHolder>,
    by_token: Option<(KeyHolder, bool)>,
    token: Option<AgentToken>,
    known: bool,
    request: Option<RecoveryRequest>,
    codes: Vec<RecoveryCode>,
    server: Option<ResourceServer>,
    credits: Ledger,
}

impl AgentWorld {
    pub(super) fn new(lab: &Lab<'_>) -> Self {
        let address = lab.address();
        let email = Some(ProvenEmail { address: email(&address), at: at(0) });
        let agent = Agent { email, ..lab.new_agent() };
        let request = lab.new_recovery(&address);
        Self {
            key: lab.new_api_key(agent.id),
            token: lab.new_agent_token(agent.id),
            code: lab.new_code(request.id, agent.id),
            spent: lab.new_spent(),
            server: lab.new_server(),
            credits: lab.grant_of(AccountId::Agent(agent.id), 5),
            agent,
            address,
            request,
        }
    }

    pub(super) fn insert(&self, uow: &mut dyn UnitOfWork) -> StoreResult<()> {
        uow.agents().insert(&self.agent)?;
        uow.api_keys().insert(&self.key)?;
        uow.agent_tokens().put(&self.token)?;
        uow.agent_networks().touch(self.agent.id, NETWORK, at(0), at(0))?;
        uow.recoveries().open(&self.request)?;
        uow.recoveries().add_code(&self.code)?;
        uow.spent_tokens().spend(&self.spent)?;
        uow.resource_servers().insert(&self.server)?;
        uow.credits().post(&self.credits).map(drop)
    }

    /// Changes what can be changed.
    pub(super) fn change(
        &self,
        uow: &mut dyn UnitOfWork,
        lab: &Lab<'_>,
        now: Instant,
    ) -> StoreResult<()> {
        let moved = Agent { email: None, recovery: None, ..self.agent.clone() };
        uow.agents().update(&moved)?;
        uow.api_keys().touch(self.key.id, now)?;
        uow.api_keys().replace(self.key.id, self.agent.id, lab.key_id(), now, now)?;
        uow.agent_tokens().spend(&self.token.digest, now)?;
        uow.agent_networks().touch(self.agent.id, NETWORK, now, now)?;
        uow.recoveries().take_try(self.request.id, Tried::ByOther, 5)?;
        uow.recoveries().spend(self.request.id, self.agent.id, now)?;
        uow.recoveries().open(&lab.new_recovery(&self.address))?;
        uow.resource_servers().remove(self.server.id)?;
        let more = Posting { id: lab.entry_id(), ..self.credits.clone() };
        uow.credits().post(&more).map(drop)
    }

    pub(super) fn see(&self, uow: &mut dyn UnitOfWork) -> StoreResult<SeenOfAgent> {
        Ok(SeenOfAgent {
            proven: uow.agents().list_proven(&self.address, 9)?,
            by_key: uow.agent_access().find_key(&self.key.digest)?,
            by_token: uow.agent_access().find_token(self.key.id, self.spent.id)?,
            token: uow.agent_tokens().find(&self.token.digest, at(0))?,
            known: uow.agent_networks().is_known(&self.address, NETWORK, at(0))?,
            request: uow.recoveries().find_open(self.request.id, at(0))?,
            codes: uow.recoveries().codes(&[self.request.id])?,
            server: uow.resource_servers().find_by_secret(&self.server.digest)?,
            credits: uow.credits().ledger(self.credits.account, 9)?,
        })
    }

    pub(super) fn full(&self) -> SeenOfAgent {
        let holder =
            KeyHolder { key: self.key.clone(), agent: self.agent.clone(), owner_suspended: false };
        SeenOfAgent {
            proven: vec![self.agent.clone()],
            by_key: Some(holder.clone()),
            by_token: Some((holder, true)),
            token: Some(self.token.clone()),
            known: true,
            request: Some(self.request.clone()),
            codes: vec![self.code.clone()],
            server: Some(self.server.clone()),
            credits: Ledger {
                balance: 5,
                entries: vec![Entry { posting: self.credits.clone(), balance: 5 }],
            },
        }
    }
}
