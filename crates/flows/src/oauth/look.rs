use portcullis_credentials::PlainApiKey;
use portcullis_identity::{ResourceServer, User};
use portcullis_kernel::{ExposeSecret, Instant, Scopes, SecretString, StoreResult};
use portcullis_storage::{KeyHolder, StorageExt};
use portcullis_tokens::{AgentToken, PersonToken};

use crate::{Engine, Fault};

/// A live credential that somebody asks about.
pub(crate) enum Found {
    /// An API key.
    Key(KeyHolder),
    /// An agent's access token.
    Agent(KeyHolder, AgentToken),
    /// A person's access token.
    Person(User, PersonToken),
}

impl Found {
    /// Whether its holder may act: what a suspended agent has can be revoked, and is good for nothing.
    pub(super) fn may_act(&self) -> bool {
        match self {
            Self::Key(holder) | Self::Agent(holder, _) => holder.may_act(),
            Self::Person(user, _) => user.is_active(),
        }
    }
}

impl Engine {
    /// What a key or access token stands for, if it lives.
    pub(super) fn look_up(
        &self,
        token: &SecretString,
        now: Instant,
    ) -> Result<Option<Found>, Fault> {
        if let Some(key) = PlainApiKey::parse(token.clone()) {
            let digest = key.digest();
            let found = self.storage.read(|uow| uow.agent_access().find_key(&digest))?;
            return Ok(found.filter(|holder| holder.key.is_live(now)).map(Found::Key));
        }
        let text = token.expose_secret();
        if let Some(token) = self.verify_agent_token(text, now)? {
            let found = self.find_token(&token)?;
            let found = found.filter(|(holder, spent)| !spent && holder.key.is_live(now));
            return Ok(found.map(|(holder, _)| Found::Agent(holder, token)));
        }
        let Some(token) = self.verify_person_token(text, now)? else { return Ok(None) };
        let user = self.storage.read(|uow| -> StoreResult<Option<User>> {
            let live = uow.sessions().find_live(token.session, now)?;
            if live.is_none_or(|live| live.user != token.user) {
                return Ok(None);
            }
            uow.users().find(token.user)
        })?;
        Ok(user.map(|user| Found::Person(user, token)))
    }

    /// What a key or access token stands for, if it lives, its holder may act, and the resource server may
    /// see it. A key counts as used.
    pub(crate) fn seen_by(
        &self,
        server: &ResourceServer,
        token: &SecretString,
        now: Instant,
    ) -> Result<Option<Found>, Fault> {
        Ok(self.scopes_seen_by(server, token, now)?.map(|(found, _)| found))
    }

    /// The same with the scopes that are the server's business.
    pub(super) fn scopes_seen_by(
        &self,
        server: &ResourceServer,
        token: &SecretString,
        now: Instant,
    ) -> Result<Option<(Found, Scopes)>, Fault> {
        let found = self.look_up(token, now)?.filter(Found::may_act);
        let seen = found.and_then(|found| {
            let scopes = self.visible(server, &found)?;
            Some((found, scopes))
        });
        if let Some((Found::Key(holder), _)) = &seen {
            self.uses.note_key(holder.key.id, now);
        }
        Ok(seen)
    }

    /// What a resource server may see of a credential: its scopes as far as they are the server's
    /// business; `None` when all of it is hidden.
    pub(super) fn visible(&self, server: &ResourceServer, found: &Found) -> Option<Scopes> {
        let for_everybody = |audience: &str| audience == self.options.agents.token.issuer;
        let for_it = |audience: &str| server.audience.as_deref() == Some(audience);
        let shared = |scopes: &Scopes| {
            let shared = scopes.shared_with(&server.scopes);
            (!shared.is_empty()).then_some(shared)
        };
        match found {
            Found::Key(holder) => shared(&holder.key.scopes),
            Found::Agent(_, token) => {
                let grant = &token.grant;
                if for_everybody(&grant.audience) {
                    shared(&grant.scopes)
                } else {
                    for_it(&grant.audience).then(|| grant.scopes.clone())
                }
            }
            Found::Person(_, token) => {
                let sees = match token.audience.as_deref() {
                    None => server.people,
                    Some(audience) if for_everybody(audience) => server.people,
                    Some(audience) => for_it(audience),
                };
                sees.then(Scopes::default)
            }
        }
    }
}
