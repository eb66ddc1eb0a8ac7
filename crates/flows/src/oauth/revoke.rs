use portcullis_audit::{Action, Actor};
use portcullis_identity::ResourceServer;
use portcullis_kernel::{AgentId, Instant, Origin, SecretString, SessionId, UserId};
use portcullis_storage::{KeyHolder, StorageExt};
use portcullis_tokens::RefreshToken;

use super::look::Found;
use crate::{
    Engine, Fault,
    agents::{AgentAuthError, KeyError, PresentedBasic},
    error::classify,
};

/// Who wants a key or token revoked.
#[derive(Clone, Debug)]
pub enum Revoker {
    /// A resource server: whatever it may see.
    Server(Box<ResourceServer>),
    /// An agent, by one of its API keys: whatever is its own.
    Agent(AgentId),
    /// Whoever holds the key or token itself.
    Holder,
}

/// Why nothing was revoked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevokeError {
    /// The credential of who asks.
    #[error(transparent)]
    Auth(#[from] AgentAuthError),
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(RevokeError {} via { Auth, Fault });

impl Engine {
    /// Accepts an agent that shows one of its API keys, to revoke what is its own.
    ///
    /// # Errors
    /// [`RevokeError::Auth`].
    pub fn revoker_by_key(
        &self,
        presented: PresentedBasic,
        origin: &Origin,
    ) -> Result<Revoker, RevokeError> {
        let holder = self.authenticate_key(Some(presented), origin, self.now())?;
        Ok(Revoker::Agent(holder.agent.id))
    }

    /// Revokes a key or token (RFC 7009). One that is dead, unknown or none of the caller's business is
    /// no error, and changes nothing. With a person's token, its session ends.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn revoke(
        &self,
        revoker: &Revoker,
        token: &SecretString,
        origin: &Origin,
    ) -> Result<(), Fault> {
        let now = self.now();
        if let Some(refresh) = RefreshToken::parse(token.clone()) {
            return match revoker {
                Revoker::Holder => self.revoke_refresh(&refresh, origin, now),
                Revoker::Server(_) | Revoker::Agent(_) => Ok(()),
            };
        }
        let Some(found) = self.look_up(token, now)? else { return Ok(()) };
        if !self.may_revoke(revoker, &found) {
            return Ok(());
        }
        self.end(revoker, found, origin, now)
    }

    /// Revokes the API key or access token that an agent presents as its credential.
    ///
    /// # Errors
    /// [`AgentAuthError`] when none was presented, or one that is no live one of an agent.
    pub fn revoke_presented(
        &self,
        presented: Option<SecretString>,
        origin: &Origin,
    ) -> Result<(), AgentAuthError> {
        let presented = presented.ok_or(AgentAuthError::Missing)?;
        let now = self.now();
        match self.look_up(&presented, now)? {
            Some(found @ (Found::Key(_) | Found::Agent(..))) => {
                Ok(self.end(&Revoker::Holder, found, origin, now)?)
            }
            Some(Found::Person(..)) | None => Err(AgentAuthError::Refused),
        }
    }

    fn end(
        &self,
        revoker: &Revoker,
        found: Found,
        origin: &Origin,
        now: Instant,
    ) -> Result<(), Fault> {
        let actor = match (revoker, &found) {
            (Revoker::Agent(agent), _) => Actor::Agent(*agent),
            (Revoker::Holder, Found::Person(user, _)) => Actor::User(user.id),
            // Whoever found a key or token may be a stranger to its agent.
            (Revoker::Server(_) | Revoker::Holder, _) => Actor::Anonymous,
        };
        let by = match revoker {
            Revoker::Server(server) => Some(server.id.to_string()),
            Revoker::Holder => Some("holder".to_owned()),
            Revoker::Agent(_) => None,
        };
        let by = by.as_deref();
        match found {
            Found::Key(KeyHolder { key, agent, .. }) => {
                match self.revoke_held(agent.id, key.id, actor, by, origin, |_| Ok(())) {
                    Err(KeyError::Fault(fault)) => Err(fault),
                    // Done, or somebody else was faster.
                    _ => Ok(()),
                }
            }
            Found::Agent(_, token) => {
                self.revoke_agent_token(&token, actor, by, origin, now).map(|_| ())
            }
            Found::Person(user, token) => {
                self.end_by_token(user.id, token.session, actor, origin, now)
            }
        }
    }

    fn may_revoke(&self, revoker: &Revoker, found: &Found) -> bool {
        match (revoker, found) {
            (Revoker::Holder, _) => true,
            (Revoker::Server(server), found) => self.visible(server, found).is_some(),
            (Revoker::Agent(agent), Found::Key(holder) | Found::Agent(holder, _)) => {
                holder.agent.id == *agent
            }
            (Revoker::Agent(_), Found::Person(..)) => false,
        }
    }

    fn revoke_refresh(
        &self,
        token: &RefreshToken,
        origin: &Origin,
        now: Instant,
    ) -> Result<(), Fault> {
        let digest = token.digest();
        let found = self.storage.read(|uow| uow.sessions().find_token(&digest))?;
        let Some(state) = found else { return Ok(()) };
        let user = state.session.user;
        self.end_by_token(user, state.session.id, Actor::User(user), origin, now)
    }

    fn end_by_token(
        &self,
        user: UserId,
        session: SessionId,
        actor: Actor,
        origin: &Origin,
        now: Instant,
    ) -> Result<(), Fault> {
        let event = self.event(Action::SignedOut, actor, origin, now)?;
        let event = event.about(user).in_session(session);
        self.storage.transact(|uow| {
            if uow.sessions().end(session, user, now)? {
                uow.audit().append(&event)?;
            }
            Ok(())
        })
    }
}
