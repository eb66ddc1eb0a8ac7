use std::net::IpAddr;

use portcullis_kernel::{
    AgentId, ApiKeyId, AuditEventId, Entropy, EntropyError, Instant, Origin, SessionId, UserId,
};

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Action { $($(#[$doc])* $variant,)* }

        impl Action {
            /// The stable name, used in storage and logs.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The action with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

actions! {
    /// A person registered.
    UserRegistered = "user.registered",
    /// An operator made an account.
    UserCreated = "user.created",
    /// A person changed their profile.
    ProfileChanged = "user.profile_changed",
    /// An operator set a role.
    RoleChanged = "user.role_changed",
    /// An operator shut an account.
    UserSuspended = "user.suspended",
    /// An operator opened an account again.
    UserResumed = "user.resumed",
    /// An account was erased.
    UserDeleted = "user.deleted",
    /// A person proved the address of their account.
    EmailVerified = "user.email_verified",
    /// Somebody asked for another mail to confirm the address.
    VerificationAsked = "user.verification_asked",
    /// The owner of a mailbox erased an account that somebody else had opened on it.
    UserDisowned = "user.disowned",
    /// A password reset was asked for.
    PasswordResetAsked = "user.password_reset_asked",
    /// A password was set with a mailed token.
    PasswordReset = "user.password_reset",
    /// A person changed their password.
    PasswordChanged = "user.password_changed",
    /// A signed-in person gave a wrong password where it is asked for again.
    PasswordRefused = "user.password_refused",
    /// A change of address was asked for.
    EmailChangeAsked = "user.email_change_asked",
    /// A code for a new address, right or wrong.
    EmailChanged = "user.email_changed",
    /// A person without a password asked for their account to be erased.
    DeletionAsked = "user.deletion_asked",
    /// An operator invited somebody.
    UserInvited = "user.invited",
    /// An operator withdrew an invitation.
    InvitationWithdrawn = "user.invitation_withdrawn",
    /// An operator ended every session of an account.
    SessionsRevoked = "session.revoked",
    /// A mail was refused for good, or could not be made.
    MailRefused = "mail.refused",
    /// A sign-in, right or wrong.
    SignedIn = "session.signed_in",
    /// A spent refresh token came again by an honest race.
    RefreshRaced = "session.refresh_raced",
    /// A spent refresh token came again; its session was ended.
    RefreshReplayed = "session.refresh_replayed",
    /// A person signed out.
    SignedOut = "session.signed_out",
    /// A person ended one of their sessions.
    SessionEnded = "session.ended",
    /// A person ended all their other sessions.
    OtherSessionsEnded = "session.others_ended",
    /// An agent registered.
    AgentRegistered = "agent.registered",
    /// An operator made an agent.
    AgentCreated = "agent.created",
    /// An agent's address was proven.
    AgentEmailVerified = "agent.email_verified",
    /// Somebody asked for another mail to prove an agent's address.
    AgentVerificationAsked = "agent.verification_asked",
    /// Another address was given for an agent, still to be proven.
    AgentEmailChangeAsked = "agent.email_change_asked",
    /// Somebody asked for codes to recover an agent.
    RecoveryAsked = "agent.recovery_asked",
    /// A recovery key was replaced by a mailed code; or, failed, wrong codes used up their tries.
    AgentRecovered = "agent.recovered",
    /// An operator replaced a recovery key.
    RecoveryKeyReset = "agent.recovery_key_reset",
    /// An agent changed what the directory shows of it.
    AgentProfileChanged = "agent.profile_changed",
    /// An operator shut an agent.
    AgentSuspended = "agent.suspended",
    /// An operator opened an agent again.
    AgentResumed = "agent.resumed",
    /// The user an agent belonged to is gone or gave it up, and its credentials with them.
    AgentDisowned = "agent.disowned",
    /// An agent was erased.
    AgentDeleted = "agent.deleted",
    /// A person claimed an agent that signed itself up; or, failed, wrong codes used up their tries.
    AgentClaimed = "registration.claimed",
    /// A code to claim an agent was asked for; failed when too many went to the address of late.
    ClaimAsked = "registration.claim_asked",
    /// A code to claim an agent was mailed.
    ClaimCodeSent = "registration.code_sent",
    /// A person said that an agent is not theirs, and perhaps reported it.
    ClaimDenied = "registration.denied",
    /// A person undid a claim by the link in the mail that told of it.
    ClaimUndone = "registration.undone",
    /// A token of an agent from a network where it got none for a day.
    TokenIssued = "agent.token_issued",
    /// A dead, foreign or misused API key or access token of an agent was refused; told once a day for
    /// each key, reason and network.
    AgentCredentialRefused = "agent.credential_refused",
    /// An access token of an agent was revoked.
    TokenRevoked = "agent.token_revoked",
    /// An API key was made.
    ApiKeyCreated = "api_key.created",
    /// An API key was revoked.
    ApiKeyRevoked = "api_key.revoked",
    /// An API key was replaced by another.
    ApiKeyRotated = "api_key.rotated",
    /// An operator added a resource server.
    ResourceServerAdded = "resource_server.added",
    /// An operator removed a resource server.
    ResourceServerRemoved = "resource_server.removed",
    /// An operator gave credits.
    CreditsGranted = "credits.granted",
    /// Credits were paid for elsewhere.
    CreditsToppedUp = "credits.topped_up",
    /// An operator gave a charge back.
    CreditsRefunded = "credits.refunded",
    /// A rate limit was reached; counted once until it opens again.
    LimitReached = "limit.reached",
    /// A signing key was made.
    KeyCreated = "key.created",
    /// A signing key was retired.
    KeyRetired = "key.retired",
    /// The signing keys were sealed under another master key.
    KeysRewrapped = "key.rewrapped",
}

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Nobody known.
    Anonymous,
    /// A person, by their own account.
    User(UserId),
    /// An agent, by its own account.
    Agent(AgentId),
    /// An operator at the command line.
    Operator,
    /// The server itself.
    System,
}

impl Actor {
    /// The kind's name, used in storage.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User(_) => "user",
            Self::Agent(_) => "agent",
            Self::Operator => "operator",
            Self::System => "system",
        }
    }

    /// The user's id, when a user did it.
    pub fn user(self) -> Option<UserId> {
        match self {
            Self::User(id) => Some(id),
            Self::Anonymous | Self::Agent(_) | Self::Operator | Self::System => None,
        }
    }

    /// The agent's id, when an agent did it.
    pub fn agent(self) -> Option<AgentId> {
        match self {
            Self::Agent(id) => Some(id),
            Self::Anonymous | Self::User(_) | Self::Operator | Self::System => None,
        }
    }

    /// The actor of this kind, of an event about this agent.
    pub fn from_parts(kind: &str, user: Option<UserId>, agent: Option<AgentId>) -> Option<Self> {
        match (kind, user, agent) {
            ("anonymous", _, _) => Some(Self::Anonymous),
            ("user", Some(id), _) => Some(Self::User(id)),
            ("agent", _, Some(id)) => Some(Self::Agent(id)),
            ("operator", _, _) => Some(Self::Operator),
            ("system", _, _) => Some(Self::System),
            _ => None,
        }
    }
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused.
    Failure,
}

impl Outcome {
    /// The name, used in storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }

    /// The outcome with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Success, Self::Failure].into_iter().find(|outcome| outcome.as_str() == name)
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// Its id.
    pub id: AuditEventId,
    /// When.
    pub at: Instant,
    /// What.
    pub action: Action,
    /// How it went.
    pub outcome: Outcome,
    /// Who did it.
    pub actor: Actor,
    /// To whose account.
    pub subject: Option<UserId>,
    /// By or to which agent.
    pub agent: Option<AgentId>,
    /// By or to which API key.
    pub key: Option<ApiKeyId>,
    /// In which session.
    pub session: Option<SessionId>,
    /// From where; erased with the account.
    pub client: Option<IpAddr>,
    /// By which request.
    pub request_id: Option<String>,
    /// One more word that the action needs: a role, a key id, a reason.
    pub detail: Option<String>,
}

impl AuditEvent {
    /// A successful event of now, without subject, session or detail.
    ///
    /// # Errors
    /// When there is no entropy for its id.
    pub fn new(
        action: Action,
        actor: Actor,
        origin: &Origin,
        now: Instant,
        entropy: &dyn Entropy,
    ) -> Result<Self, EntropyError> {
        Ok(Self {
            id: AuditEventId::generate(entropy)?,
            at: now,
            action,
            outcome: Outcome::Success,
            actor,
            subject: actor.user(),
            agent: actor.agent(),
            key: None,
            session: None,
            client: origin.client,
            request_id: origin.request_id.clone(),
            detail: None,
        })
    }

    /// The same event, as a refusal.
    #[must_use]
    pub fn failed(mut self) -> Self {
        self.outcome = Outcome::Failure;
        self
    }

    /// The same event, about this account.
    #[must_use]
    pub fn about(mut self, subject: UserId) -> Self {
        self.subject = Some(subject);
        self
    }

    /// The same event, about this agent.
    #[must_use]
    pub fn about_agent(mut self, agent: AgentId) -> Self {
        self.agent = Some(agent);
        self
    }

    /// The same event, by or about this API key.
    #[must_use]
    pub fn with_key(mut self, key: ApiKeyId) -> Self {
        self.key = Some(key);
        self
    }

    /// The same event, in this session.
    #[must_use]
    pub fn in_session(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }

    /// The same event, with one more word.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for action in [Action::UserRegistered, Action::RefreshReplayed, Action::KeysRewrapped] {
            assert_eq!(Action::from_name(action.as_str()), Some(action));
        }
        assert_eq!(Action::from_name("user.flew"), None);
        for actor in [Actor::Anonymous, Actor::Operator, Actor::System] {
            assert_eq!(Actor::from_parts(actor.kind(), None, None), Some(actor));
        }
        assert_eq!(Actor::from_parts("user", None, None), None);
        assert_eq!(Actor::from_parts("agent", None, None), None);
        let agent = "agt_00000000000000000000000000000000".parse().unwrap();
        let actor = Actor::Agent(agent);
        assert_eq!(Actor::from_parts(actor.kind(), None, Some(agent)), Some(actor));
    }
}
