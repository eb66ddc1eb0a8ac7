use std::{fmt, sync::Arc};

use portcullis_kernel::{Clock, Instant, Scopes, SecretString, opaque};
use portcullis_tokens::AgentToken;
use time::Duration;

use crate::{
    Charged, Cost, GuardOptions, InvalidOptions, Metadata, OperationId, Presented, Principal,
    Refusal, Transport,
    introspect::{Introspector, Kind},
    keys::{Failure, KeyCache},
    principal::Known,
    refusal::Refusals,
    server::AuthServer,
};

/// Judges the tokens and keys that an API is shown. Cheap to clone; one for the whole process.
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

struct Inner {
    issuer: String,
    audiences: Vec<String>,
    leeway: Duration,
    asks_about_tokens: bool,
    clock: Arc<dyn Clock>,
    server: Arc<AuthServer>,
    keys: Arc<KeyCache>,
    introspector: Arc<Introspector>,
    metadata: Metadata,
    refusals: Refusals,
}

impl Guard {
    /// A guard with these options. Nothing is fetched before the first token comes.
    ///
    /// # Errors
    /// [`InvalidOptions`], which says what an option must be.
    pub fn new(
        options: GuardOptions,
        clock: Arc<dyn Clock>,
        transport: Arc<dyn Transport>,
    ) -> Result<Self, InvalidOptions> {
        options.check()?;
        let metadata = Metadata::new(&options)?;
        let refusals = Refusals::new(&metadata)?;
        let credentials = options.credentials.as_ref();
        let server = AuthServer::new(options.issuer.clone(), credentials, transport)?;
        let server = Arc::new(server);
        let keys = KeyCache::new(Arc::clone(&server), Arc::clone(&clock), options.key_set);
        let policy = options.introspection;
        let introspector = Introspector::new(Arc::clone(&server), Arc::clone(&clock), policy);
        let mut audiences = vec![options.resource];
        audiences.extend(options.more_audiences);
        Ok(Self(Arc::new(Inner {
            issuer: options.issuer,
            audiences,
            leeway: options.leeway,
            asks_about_tokens: policy.access_tokens,
            clock,
            server,
            keys,
            introspector,
            metadata,
            refusals,
        })))
    }

    /// Says whose token or key it is. An access token is checked offline; an API key, and with
    /// [`access_tokens`](crate::IntrospectionPolicy::access_tokens) a token as well, is asked about.
    /// On a tokio runtime.
    ///
    /// # Errors
    /// 401, or 503 when it cannot be told.
    pub async fn authenticate(&self, presented: Presented<'_>) -> Result<Principal, Refusal> {
        let guard = &self.0;
        match presented {
            Presented::Nothing => Err(guard.refusals.missing()),
            Presented::Ambiguous => Err(guard.refused("two Authorization headers")),
            Presented::Token(token) if is_jwt(token) => guard.judge_token(token).await,
            Presented::Token(key) => guard.judge_key(key).await,
        }
    }

    /// As [`Self::authenticate`], and then whether it has every one of these scopes.
    ///
    /// # Errors
    /// 401, 403 or 503.
    pub async fn admit(
        &self,
        presented: Presented<'_>,
        wanted: &Scopes,
    ) -> Result<Principal, Refusal> {
        let principal = self.authenticate(presented).await?;
        self.require(&principal, wanted)?;
        Ok(principal)
    }

    /// Whether a principal has every one of these scopes, where that hangs on more than the route.
    ///
    /// # Errors
    /// 403, which names them.
    pub fn require(&self, principal: &Principal, wanted: &Scopes) -> Result<(), Refusal> {
        if wanted.is_within(&principal.scopes) {
            return Ok(());
        }
        Err(self.0.refusals.insufficient_scope(wanted))
    }

    /// Charges `cost` to the ledger of the token's or key's holder. The same
    /// operation is charged once, however often this is called. Charge before the work is done: a refusal
    /// is the answer to the client, and the work is not done.
    ///
    /// # Errors
    /// 402 as the auth server words it, 401 when the token or key has died meanwhile, 409 when the
    /// operation was charged at another cost, 503 when it cannot be charged; 500, and an error in the log,
    /// when the guard was made without credentials.
    pub async fn charge(
        &self,
        principal: &Principal,
        cost: Cost,
        operation: &OperationId,
    ) -> Result<Charged, Refusal> {
        self.0.server.charge(&self.0.refusals, principal, cost, operation).await
    }

    /// The document that tells clients whose tokens are taken here.
    pub fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { issuer, audiences, .. } = &*self.0;
        let mut shown = f.debug_struct("Guard");
        shown.field("issuer", issuer).field("audiences", audiences).finish_non_exhaustive()
    }
}

impl Inner {
    async fn judge_token(&self, token: &str) -> Result<Principal, Refusal> {
        let now = self.clock.now();
        let verified = self
            .keys
            .judge(now, |keys| keys.verify_agent_token(token, &self.issuer, now, self.leeway));
        let verified = verified.await.map_err(|failure| self.failed(failure))?;
        if !self.audiences.contains(&verified.grant.audience) {
            return Err(self.refused("a token for another audience"));
        }
        if self.asks_about_tokens {
            return self.ask(Kind::Token, token, now).await;
        }
        Ok(Principal::new(known(verified), token))
    }

    async fn judge_key(&self, key: &str) -> Result<Principal, Refusal> {
        if !self.server.has_credentials() {
            return Err(self.refused("an API key, and no credentials to ask about it with"));
        }
        // A mistyped or made-up one is not worth a question.
        if opaque::prefix_of(&SecretString::from(key)).is_none() {
            return Err(self.refused("neither a token nor a key"));
        }
        self.ask(Kind::Key, key, self.clock.now()).await
    }

    async fn ask(&self, kind: Kind, token: &str, now: Instant) -> Result<Principal, Refusal> {
        let told = self.introspector.ask(kind, token, now).await;
        match told.map_err(|away| Refusals::unavailable(away.retry_after))? {
            Some(known) => Ok(Principal::new(Known::clone(&known), token)),
            None => Err(self.refused("the auth server says that it is not active")),
        }
    }

    fn failed(&self, failure: Failure) -> Refusal {
        match failure {
            Failure::Invalid(why) => self.refused(&why.to_string()),
            Failure::Away(away) => Refusals::unavailable(away.retry_after),
        }
    }

    fn refused(&self, why: &str) -> Refusal {
        tracing::debug!(why, "A token or key was refused.");
        self.refusals.invalid()
    }
}

/// Whether it has three parts: a compact JWS (RFC 7515 §3.1). No key has a dot.
fn is_jwt(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').count() == 2
}

fn known(token: AgentToken) -> Known {
    Known {
        subject: token.grant.agent,
        scopes: token.grant.scopes,
        owner: token.grant.owner,
        key_id: Some(token.grant.key),
        token_id: Some(token.id),
        audience: Some(token.grant.audience),
        expires_at: Some(token.expires_at),
        email_verified: None,
    }
}
