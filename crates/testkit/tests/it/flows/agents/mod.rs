//! Every rule of agents' accounts.

mod address;
mod admin;
mod contention;
mod deletion;
mod directory;
mod exchange;
mod faults;
mod forgeries;
mod keys;
mod limits;
mod log;
mod mails;
mod owned;
mod owned_races;
mod owners;
mod races;
mod recovery;
mod recovery_alike;
mod recovery_mailbox;
mod recovery_races;
mod recovery_sides;
mod recovery_tries;
mod register;
mod rotation;
mod signing;
mod tokens;
mod uses;
mod verification;

use std::sync::Arc;

use portcullis_audit::{Action, Actor, AuditEvent, Outcome};
use portcullis_email::{Content, Letter};
use portcullis_flows::{
    Engine,
    agents::{
        AgentAuthError, AgentCaller, AgentSessionError, AgentTokenError, AskRecovery,
        AskRecoveryError, AskedRecovery, ChangeAgentEmail, CreateKey, CreatedKey, ExchangeError,
        IssuedAgentToken, KeyError, PresentedAgentToken, PresentedBasic, ReadAgentToken, Recover,
        RecoverError, RecoveredAgent, RegisterAgent, RegisterAgentError, RegisteredAgent,
        WantedToken,
    },
};
use portcullis_identity::Agent;
use portcullis_kernel::{AgentId, ApiKeyId, ExposeSecret as _, Field, Origin, Slice};
use portcullis_testkit::{app::Stored, clock::FixedClock, engine::TestEngine};

use super::{Stored as _, from, home, ip, mailbox::Mail as _};

/// The mailbox of most agents.
pub(super) const BOX: &str = "bots@example.com";
/// Another one.
pub(super) const OTHER_BOX: &str = "other@example.com";

/// An agent's account, as whoever registered it knows it.
#[derive(Clone, Debug)]
pub(super) struct Bot {
    pub(super) id: AgentId,
    /// Its recovery key.
    pub(super) recovery: String,
}

/// An API key, as whoever made it knows it.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) agent: AgentId,
    pub(super) id: ApiKeyId,
    pub(super) secret: String,
}

impl From<RegisteredAgent> for Bot {
    fn from(made: RegisteredAgent) -> Self {
        let recovery = made.recovery_key.into_secret().expose_secret().to_owned();
        Self { id: made.agent.id, recovery }
    }
}

impl From<CreatedKey> for Key {
    fn from(made: CreatedKey) -> Self {
        let secret = made.secret.into_secret().expose_secret().to_owned();
        Self { agent: made.key.agent, id: made.key.id, secret }
    }
}

/// An engine whose clock stands on a whole second, as the times in tokens do.
pub(super) fn on_the_second() -> TestEngine {
    let second = FixedClock::START.replace_nanosecond(0).unwrap();
    TestEngine::builder().clock(Arc::new(FixedClock::at(second))).build()
}

/// Every kind of storage there is.
pub(super) fn everywhere() -> impl Iterator<Item = Stored> {
    Stored::patient()
}

/// Id and secret as they come in.
pub(super) fn basic(id: impl ToString, secret: &str) -> PresentedBasic {
    PresentedBasic { id: id.to_string(), secret: secret.into() }
}

/// A token as a client presents it.
pub(super) fn shown(token: &str) -> PresentedAgentToken {
    ReadAgentToken { token: Field::Given(token.into()) }.check().unwrap()
}

/// What an issued token says.
pub(super) fn text(issued: &IssuedAgentToken) -> String {
    issued.access.token.expose_secret().to_owned()
}

/// What a code becomes when one is added: wrong, and no other code of a mailbox.
pub(super) fn wrong(right: &[(AgentId, String)]) -> Vec<String> {
    let codes = (0..1_000_000).map(|n| format!("{n:06}"));
    codes.filter(|code| right.iter().all(|(_, right)| right != code)).take(20).collect()
}

/// What agents do, in one call each.
pub(super) trait Agents {
    fn try_sign_up(
        &self,
        name: &str,
        email: Option<&str>,
    ) -> Result<RegisteredAgent, RegisterAgentError>;
    fn prove(&self, token: &str) -> Result<Agent, AgentTokenError>;
    fn manage(&self, bot: &Bot) -> Result<Agent, AgentAuthError>;
    fn try_move(&self, bot: &Bot, email: &str);
    fn try_key(&self, bot: &Bot, wanted: CreateKey) -> Result<Key, KeyError>;
    fn try_exchange(
        &self,
        id: &str,
        secret: &str,
        wanted: &WantedToken,
        origin: &Origin,
    ) -> Result<IssuedAgentToken, ExchangeError>;
    fn try_agent(&self, token: &str) -> Result<AgentCaller, AgentAuthError>;
    fn try_refresh(&self, token: &str) -> Result<String, AgentSessionError>;
    fn resend(&self, email: &str);
    fn try_ask(
        &self,
        email: &str,
        agent: Option<AgentId>,
        origin: &Origin,
    ) -> Result<AskedRecovery, AskRecoveryError>;
    fn try_recover(
        &self,
        email: &str,
        code: &str,
        revoke_keys: bool,
        origin: &Origin,
    ) -> Result<RecoveredAgent, RecoverError>;

    /// Registers without an address.
    fn sign_up_bot(&self, name: &str) -> Bot {
        self.try_sign_up(name, None).unwrap().into()
    }

    /// Registers with an address, and proves it.
    fn sign_up_at(&self, name: &str, email: &str) -> Bot;

    /// Makes a key with the usual rights.
    fn make_key(&self, bot: &Bot) -> Key {
        self.try_key(bot, CreateKey { name: "ci".into(), ..CreateKey::default() }).unwrap()
    }

    /// Gets a token with all rights of the key, from [`home`].
    fn token(&self, key: &Key) -> String {
        self.token_from(key, "203.0.113.7")
    }

    fn token_from(&self, key: &Key, client: &str) -> String {
        let all = WantedToken::default();
        let id = key.agent.to_string();
        text(&self.try_exchange(&id, &key.secret, &all, &from(client)).unwrap())
    }

    fn is_good(&self, token: &str) -> bool {
        self.try_agent(token).is_ok()
    }

    /// Asks for recovery codes from [`home`], and reads them.
    fn codes(&self, email: &str) -> Vec<(AgentId, String)> {
        self.codes_from(email, &home())
    }

    fn codes_from(&self, email: &str, origin: &Origin) -> Vec<(AgentId, String)>;
}

/// The recovery codes in a letter, in its order.
pub(super) fn codes_in(letter: &Letter) -> Vec<(AgentId, String)> {
    let Content::AgentRecoveryCodes { agents, .. } = &letter.content else { return Vec::new() };
    let read = agents
        .iter()
        .map(|listed| (listed.agent.parse().unwrap(), listed.code.expose_secret().to_owned()));
    read.collect()
}

impl Agents for Engine {
    fn try_sign_up(
        &self,
        name: &str,
        email: Option<&str>,
    ) -> Result<RegisteredAgent, RegisterAgentError> {
        let email = email.map_or(Field::Absent, Field::from);
        let input = RegisterAgent { agent_name: name.into(), email, metadata: Field::Absent };
        self.register_agent(self.check_register_agent(input).unwrap(), &home())
    }

    fn prove(&self, token: &str) -> Result<Agent, AgentTokenError> {
        self.verify_agent_email(&shown(token), &home())
    }

    fn manage(&self, bot: &Bot) -> Result<Agent, AgentAuthError> {
        self.authenticate_recovery(Some(basic(bot.id, &bot.recovery)))
    }

    fn try_move(&self, bot: &Bot, email: &str) {
        let email = self.check_agent_email(ChangeAgentEmail { email: email.into() }).unwrap();
        self.change_agent_email(&self.manage(bot).unwrap(), &email, &home()).unwrap();
    }

    fn try_key(&self, bot: &Bot, wanted: CreateKey) -> Result<Key, KeyError> {
        let agent = self.manage(bot).unwrap();
        let new = self.check_create_key(wanted).unwrap();
        self.create_key(&agent, new, Actor::Agent(bot.id), &home()).map(Key::from)
    }

    fn try_exchange(
        &self,
        id: &str,
        secret: &str,
        wanted: &WantedToken,
        origin: &Origin,
    ) -> Result<IssuedAgentToken, ExchangeError> {
        let client = origin.client.unwrap_or_else(|| ip("203.0.113.7"));
        self.exchange_key(Some(basic(id, secret)), wanted, client, origin)
    }

    fn try_agent(&self, token: &str) -> Result<AgentCaller, AgentAuthError> {
        self.authenticate_agent(token, &home())
    }

    fn try_refresh(&self, token: &str) -> Result<String, AgentSessionError> {
        let caller = self.try_agent(token).map_err(|_| AgentSessionError::Refused)?;
        self.refresh_agent(&caller, &home()).map(|issued| text(&issued))
    }

    fn resend(&self, email: &str) {
        let input = portcullis_flows::mail::AddressInput { email: email.into() };
        let ask = self.check_ask_for_agent_mail(input).unwrap();
        self.ask_for_mail(&ask, &home()).unwrap();
    }

    fn try_ask(
        &self,
        email: &str,
        agent: Option<AgentId>,
        origin: &Origin,
    ) -> Result<AskedRecovery, AskRecoveryError> {
        let agent_id = agent.map_or(Field::Absent, |id| Field::Given(id.to_string()));
        let input = AskRecovery { email: email.into(), agent_id };
        self.ask_recovery(&self.check_ask_recovery(input).unwrap(), origin)
    }

    fn try_recover(
        &self,
        email: &str,
        code: &str,
        revoke_keys: bool,
        origin: &Origin,
    ) -> Result<RecoveredAgent, RecoverError> {
        let input = Recover {
            email: email.into(),
            code: Field::Given(code.into()),
            revoke_keys: Field::Given(revoke_keys),
        };
        self.recover_agent(&self.check_recover(input).unwrap(), origin)
    }

    fn sign_up_at(&self, name: &str, email: &str) -> Bot {
        let bot = self.try_sign_up(name, Some(email)).unwrap().into();
        self.prove(&self.receive("agent_verify_email")).unwrap();
        bot
    }

    fn codes_from(&self, email: &str, origin: &Origin) -> Vec<(AgentId, String)> {
        self.try_ask(email, None, origin).unwrap();
        self.deliver().iter().flat_map(codes_in).collect()
    }
}

/// What lies in the storage of an agent.
pub(super) trait StoredAgents {
    fn agent(&self, id: AgentId) -> Agent;
    fn bot_events(&self, id: AgentId) -> Vec<AuditEvent>;

    /// How often the agent did or suffered this, with this outcome.
    fn bot_count(&self, id: AgentId, action: Action, outcome: Outcome) -> usize {
        let wanted = |event: &&AuditEvent| event.action == action && event.outcome == outcome;
        self.bot_events(id).iter().filter(wanted).count()
    }
}

impl StoredAgents for TestEngine {
    fn agent(&self, id: AgentId) -> Agent {
        self.look(|uow| uow.agents().find(id)).unwrap()
    }

    fn bot_events(&self, id: AgentId) -> Vec<AuditEvent> {
        self.list_agent_events(id, &Slice::first(200)).unwrap().items
    }
}
