use std::collections::BTreeSet;

use portcullis_audit::{Action, Actor};
use portcullis_credentials::{PlainCode, RecoveryCode, RecoveryRequest};
use portcullis_email::{
    Asked, Content, OutboxEntry, Parcel, RecoverableAgent, Request, RequestKind,
};
use portcullis_identity::{Agent, EmailAddress};
use portcullis_kernel::{
    AgentId, ExposeSecret, Field, Instant, Origin, RecoveryId, SecretString, codes,
};
use portcullis_limits::{BucketKey, Standing};
use portcullis_storage::{StorageExt, UnitOfWork};

use super::{InvalidInput, Judge, exchange::nearest};
use crate::{Engine, Fault, LimitError, Limited, error::classify};

/// Agents of one mailbox that get a code by one request.
pub(super) const MOST_AGENTS: u32 = 5;
/// The side of the networks that agents of the mailbox work from.
const KNOWN: &str = "known";
/// Where a request without a client address comes from.
const NOWHERE: &str = "local";

/// A request for recovery codes as it came in.
#[derive(Clone, Debug, Default)]
pub struct AskRecovery {
    /// The proven address of the agents.
    pub email: Field<String>,
    /// The one agent that is wanted; the newest five when absent.
    pub agent_id: Field<String>,
}

/// A request for recovery codes that keeps every rule.
#[derive(Clone, Debug)]
pub struct AskForRecovery {
    email: EmailAddress,
    agent: Option<AgentId>,
}

/// What is told of a request, whether an agent has the address or not.
#[derive(Clone, Debug)]
pub struct AskedRecovery {
    /// The address, in its canonical form.
    pub email: String,
    /// When the codes die, if there are any.
    pub code_expires_at: Instant,
    /// The standing of the address; absent when limits are off.
    pub standing: Option<Standing>,
}

/// Why no codes were asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskRecoveryError {
    /// Over the limit of the address.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(AskRecoveryError {} via { Limit, Fault });

impl Limited for AskRecoveryError {
    fn standing(&self) -> Option<Standing> {
        match self {
            Self::Limit(error) => error.standing(),
            Self::Fault(_) => None,
        }
    }
}

impl Engine {
    /// Judges a request for recovery codes. Asks nothing outside memory.
    ///
    /// # Errors
    /// [`InvalidInput`] names every broken field.
    pub fn check_ask_recovery(&self, input: AskRecovery) -> Result<AskForRecovery, InvalidInput> {
        let rules = self.options.email;
        let mut judge = Judge::default();
        let email = judge.required("email", codes::INVALID_EMAIL, input.email, |raw| {
            EmailAddress::parse(&raw, rules)
        });
        let agent = judge.optional("agent_id", codes::INVALID_AGENT_ID, input.agent_id, |raw| {
            raw.parse().map_err(|_| "must be agt_ and 32 hexadecimal digits")
        });
        judge.finish(email.map(|email| AskForRecovery { email, agent }))
    }

    /// Asks for recovery codes. Does the same, and takes as long, whether an agent has the address or
    /// not: that is found out when the mail's turn comes. The networks that agents of the mailbox are
    /// known to work from have a budget and codes of their own, which strangers neither spend nor kill.
    ///
    /// # Errors
    /// [`AskRecoveryError`].
    pub fn ask_recovery(
        &self,
        ask: &AskForRecovery,
        origin: &Origin,
    ) -> Result<AskedRecovery, AskRecoveryError> {
        let now = self.now();
        let email = ask.email.as_str();
        let network = origin.subnet().unwrap_or_else(|| NOWHERE.to_owned());
        // Whoever got a token from here a moment ago is known here.
        if let Err(fault) = self.flush_networks(|used| used == network) {
            self.alarm.raise("networks that agents work from could not be written down", &fault);
        }
        let since = now - self.options.agents.known_network_for;
        let known = self.storage.read(|uow| uow.agent_networks().is_known(email, &network, since));
        // One side for all of them: who holds a key could else make as many sides as there are networks.
        let side = known.map_err(Fault::from)?.then(|| KNOWN.to_owned());
        let standing = self.count_mailbox(email, side.as_deref(), origin)?;
        let code_expires_at = now + self.options.agents.recovery;
        let request = RecoveryRequest {
            id: RecoveryId::generate(self.entropy.as_ref()).map_err(Fault::from)?,
            email: email.to_owned(),
            side,
            asked_from: network,
            own_tries: 0,
            other_tries: 0,
            created_at: now,
            expires_at: code_expires_at,
            closed_at: None,
        };
        let mail = self.recovery_request_mail(&request, ask.agent, origin)?;
        self.storage.transact(|uow| -> Result<(), Fault> {
            uow.recoveries().open(&request)?;
            Ok(uow.outbox().insert(&mail)?)
        })?;
        Ok(AskedRecovery { email: request.email, code_expires_at, standing })
    }

    /// Counts a request towards the address, as strangers or as known networks ask.
    fn count_mailbox(
        &self,
        email: &str,
        side: Option<&str>,
        origin: &Origin,
    ) -> Result<Option<Standing>, LimitError> {
        let limits = &self.options.limits.agents;
        let whose = side.map_or_else(|| email.to_owned(), |side| format!("{email}|{side}"));
        let short = limits.recovery_mail;
        let long = limits.recovery_mail_long;
        let one = self.count(BucketKey::mailbox(&short, &whose), short, origin)?;
        let other = self.count(BucketKey::mailbox(&long, &whose), long, origin)?;
        Ok(nearest(one, other))
    }

    fn recovery_request_mail(
        &self,
        request: &RecoveryRequest,
        agent: Option<AgentId>,
        origin: &Origin,
    ) -> Result<OutboxEntry, Fault> {
        let asked = Asked::by(origin, request.created_at);
        let parcel = Parcel::Request(Request {
            recovery: Some(request.id.to_string()),
            agent: agent.map(|agent| agent.to_string()),
            ..Request::new(RequestKind::Recovery, &request.email, asked)
        });
        let mut mail = self.mail(&parcel, request.created_at, request.expires_at)?;
        mail.recovery = Some(request.id);
        Ok(mail)
    }

    /// Makes the codes that were asked for and the letter that tells them, or nothing when no agent has
    /// the address. Locks in the order of all: the request, then agents.
    pub(crate) fn fulfil_recovery(
        &self,
        uow: &mut dyn UnitOfWork,
        entry: &OutboxEntry,
        asked_for: &Request,
        now: Instant,
    ) -> Result<(), Fault> {
        let id = asked_for.recovery.as_deref().and_then(|id| id.parse::<RecoveryId>().ok());
        let open = match id {
            Some(id) => uow.recoveries().lock_open(id, now)?,
            None => None,
        };
        let agents = match &open {
            Some(request) => recoverable(uow, request, asked_for.agent.as_deref())?,
            None => Vec::new(),
        };
        // Whoever took the request after this one decides.
        if !uow.outbox().remove(entry.id, entry.attempts)? {
            return Ok(());
        }
        let Some((request, newest)) = open.zip(agents.first()) else { return Ok(()) };
        let Some(proven) = &newest.email else { return Ok(()) };
        let listed = self.make_codes(uow, &request, &agents)?;
        let content =
            Content::AgentRecoveryCodes { agents: listed, expires_at: request.expires_at };
        let asked = asked_for.asked.clone();
        let expires_at = request.expires_at;
        let mut mail =
            self.mail_for_agent(newest.id, &proven.address, content, asked, now, expires_at)?;
        mail.recovery = Some(request.id);
        if agents.len() > 1 {
            mail.agent = None;
        }
        uow.outbox().insert(&mail)?;
        for agent in &agents {
            let origin = asked_for.asked.origin();
            let event = self.event(Action::RecoveryAsked, Actor::Anonymous, &origin, now)?;
            uow.audit().append(&event.about_agent(agent.id))?;
        }
        Ok(())
    }

    /// A code for each agent, no two alike: the code alone says which agent is meant.
    fn make_codes(
        &self,
        uow: &mut dyn UnitOfWork,
        request: &RecoveryRequest,
        agents: &[Agent],
    ) -> Result<Vec<RecoverableAgent>, Fault> {
        let mut taken = BTreeSet::new();
        let mut listed = Vec::new();
        for agent in agents {
            let mut code = PlainCode::generate(self.entropy.as_ref())?.into_secret();
            while !taken.insert(code.expose_secret().to_owned()) {
                code = PlainCode::generate(self.entropy.as_ref())?.into_secret();
            }
            let attempt = RecoveryRequest::attempt(request.id, agent.id);
            let Some(plain) = PlainCode::parse(SecretString::from(code.expose_secret())) else {
                continue;
            };
            let mac = self.pepper.mac(&attempt, &plain);
            let (request, id) = (request.id, agent.id);
            let stored = RecoveryCode { request, agent: id, code: mac, used_at: None };
            uow.recoveries().add_code(&stored)?;
            let name = agent.name.as_str().to_owned();
            listed.push(RecoverableAgent { name, agent: id.to_string(), code: code.into() });
        }
        Ok(listed)
    }
}

/// The agents that a request gets codes for, newest first, each held against change.
fn recoverable(
    uow: &mut dyn UnitOfWork,
    request: &RecoveryRequest,
    named: Option<&str>,
) -> Result<Vec<Agent>, Fault> {
    let found = match named.map(str::parse::<AgentId>) {
        None => uow.agents().list_proven(&request.email, MOST_AGENTS)?,
        Some(Ok(id)) => uow.agents().find(id)?.into_iter().collect(),
        Some(Err(_)) => Vec::new(),
    };
    let mut ids: Vec<AgentId> = found.iter().map(|agent| agent.id).collect();
    ids.sort();
    let mut held = Vec::new();
    for id in ids {
        let agent = uow.agents().lock(id)?;
        held.extend(
            agent.filter(|agent| agent.is_active() && agent.is_recovered_by(&request.email)),
        );
    }
    held.sort_by_key(|agent| std::cmp::Reverse((agent.created_at, agent.id)));
    Ok(held)
}
