use std::{fmt, net::IpAddr};

use portcullis_kernel::{ExposeSecret, Instant, Origin, SecretString, network_of};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Who asked for what a letter is about, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// When.
    #[serde(with = "time::serde::timestamp")]
    pub at: Instant,
    /// From which client address; `None` for the command line.
    pub client: Option<IpAddr>,
    /// By which request.
    pub request_id: Option<String>,
}

impl Asked {
    /// Asked by this request.
    pub fn by(origin: &Origin, at: Instant) -> Self {
        Self { at, client: origin.client, request_id: origin.request_id.clone() }
    }

    /// The network of the client, as a letter tells it.
    pub fn network(&self) -> Option<String> {
        self.client.map(network_of)
    }

    /// The request, as an audit event remembers it.
    pub fn origin(&self) -> Origin {
        let mut origin = Origin::local();
        origin.client = self.client;
        origin.request_id.clone_from(&self.request_id);
        origin
    }
}

/// What is told to one mailbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Letter {
    /// The address to deliver to: the stored one, never one just typed for an account that exists.
    pub to: String,
    /// Who asked, and when.
    pub asked: Asked,
    /// What is told.
    pub content: Content,
}

/// A secret in a letter. It is readable by whoever holds the letter, so a letter is stored sealed.
#[derive(Clone)]
pub struct Carried(SecretString);

/// What a letter tells. No text of it was written by a stranger.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// Confirm the address of a new account.
    VerifyEmail {
        /// `uvt_…`
        token: Carried,
        /// When the link dies.
        #[serde(with = "time::serde::timestamp")]
        expires_at: Instant,
    },
    /// Set a new password.
    ResetPassword {
        /// `rst_…`
        token: Carried,
        /// When the link dies.
        #[serde(with = "time::serde::timestamp")]
        expires_at: Instant,
    },
    /// Erase an account that has no password.
    ConfirmDeletion {
        /// `udt_…`
        token: Carried,
        /// When the link dies.
        #[serde(with = "time::serde::timestamp")]
        expires_at: Instant,
    },
    /// The code that proves a new address.
    ConfirmNewEmail {
        /// Six digits.
        code: Carried,
        /// When the code dies.
        #[serde(with = "time::serde::timestamp")]
        expires_at: Instant,
    },
    /// Somebody wanted to change their address to this one, which has an account.
    NewEmailTaken {},
    /// To the old address: a change was asked for.
    EmailChangeAsked {},
    /// To the old address: it was changed.
    EmailChanged {},
    /// The password was changed or set.
    PasswordChanged {},
    /// The account had been opened by somebody else; what they had is gone.
    AccountReclaimed {
        /// When it had been opened.
        #[serde(with = "time::serde::timestamp")]
        opened_at: Instant,
        /// From which network.
        opened_from: Option<String>,
        /// `rst_…`, when no password was set yet.
        token: Option<Carried>,
    },
    /// A sign-in from a network not seen before.
    NewSignIn {},
    /// A used refresh token came again; what it opened was ended.
    RefreshReplayed {
        /// Every session was ended, and not one alone.
        everywhere: bool,
    },
    /// The account was erased.
    AccountDeleted {},
    /// An operator asks the mailbox to register.
    Invitation {
        /// `inv_…`
        token: Carried,
        /// When the invitation dies.
        #[serde(with = "time::serde::timestamp")]
        expires_at: Instant,
    },
    /// Confirm the address that was given for an agent.
    AgentVerifyEmail {
        /// The name the agent gave itself.
        name: String,
        /// Its id.
        agent: String,
        /// `evt_…`
        token: Carried,
        /// When the link dies.
        #[serde(with = "time::serde::timestamp")]
        expires_at: Instant,
    },
    /// The codes that recover the agents of a mailbox.
    AgentRecoveryCodes {
        /// Each agent with its code, newest first.
        agents: Vec<RecoverableAgent>,
        /// When the codes die.
        #[serde(with = "time::serde::timestamp")]
        expires_at: Instant,
    },
    /// An agent's recovery key was replaced by a mailed code.
    AgentRecovered {
        /// The name the agent gave itself.
        name: String,
        /// Its id.
        agent: String,
        /// Its API keys were revoked, too.
        keys_revoked: bool,
    },
    /// To the address of an agent: another one was given, which is still to be proven.
    AgentEmailChangeAsked {
        /// The name the agent gave itself.
        name: String,
        /// Its id.
        agent: String,
    },
    /// To the old address of an agent: it has another one now.
    AgentEmailChanged {
        /// The name the agent gave itself.
        name: String,
        /// Its id.
        agent: String,
    },
    /// The code that claims an agent that signed itself up.
    ClaimCode {
        /// Its id.
        agent: String,
        /// The network from which it signed up.
        asked_from: Option<String>,
        /// What it may do once it is claimed, with spaces between.
        scopes: String,
        /// Six digits.
        code: Carried,
        /// When the code dies.
        #[serde(with = "time::serde::timestamp")]
        expires_at: Instant,
    },
    /// An agent was claimed.
    AgentClaimed {
        /// Its id.
        agent: String,
        /// What it may do now, with spaces between.
        scopes: String,
        /// `crt_…`: undoes it.
        token: Carried,
        /// When the link dies.
        #[serde(with = "time::serde::timestamp")]
        expires_at: Instant,
    },
    /// An agent was erased.
    AgentDeleted {
        /// The name the agent gave itself.
        name: String,
        /// Its id.
        agent: String,
    },
    /// An operator tries whether mail arrives.
    Test {},
}

/// An agent and the code that recovers it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecoverableAgent {
    /// The name the agent gave itself.
    pub name: String,
    /// Its id.
    pub agent: String,
    /// Six digits.
    pub code: Carried,
}

impl Content {
    /// The name of its template, and of its kind in storage and logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::VerifyEmail { .. } => "verify_email",
            Self::ResetPassword { .. } => "reset_password",
            Self::ConfirmDeletion { .. } => "confirm_deletion",
            Self::ConfirmNewEmail { .. } => "confirm_new_email",
            Self::NewEmailTaken {} => "new_email_taken",
            Self::EmailChangeAsked {} => "email_change_asked",
            Self::EmailChanged {} => "email_changed",
            Self::PasswordChanged {} => "password_changed",
            Self::AccountReclaimed { .. } => "account_reclaimed",
            Self::NewSignIn {} => "new_sign_in",
            Self::RefreshReplayed { .. } => "refresh_replayed",
            Self::AccountDeleted {} => "account_deleted",
            Self::Invitation { .. } => "invitation",
            Self::AgentVerifyEmail { .. } => "agent_verify_email",
            Self::AgentRecoveryCodes { .. } => "agent_recovery_codes",
            Self::AgentRecovered { .. } => "agent_recovered",
            Self::AgentEmailChangeAsked { .. } => "agent_email_change_asked",
            Self::AgentEmailChanged { .. } => "agent_email_changed",
            Self::ClaimCode { .. } => "claim_code",
            Self::AgentClaimed { .. } => "agent_claimed",
            Self::AgentDeleted { .. } => "agent_deleted",
            Self::Test {} => "test",
        }
    }
}

/// A mail that somebody asked for by an address alone. It waits like a letter and is made one when its
/// turn comes, or nothing when no account has the address: so that the answer to who asked takes the
/// same time for every address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// What is asked for.
    pub kind: RequestKind,
    /// The canonical address.
    pub email: String,
    /// Who asked, and when.
    pub asked: Asked,
    /// Recovery: the request that codes are to be made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<String>,
    /// Recovery: the one agent that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Claim: the attempt and its code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<ClaimCode>,
}

/// A code to claim an agent, which is told only to somebody who could claim by it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClaimCode {
    /// The attempt.
    pub attempt: String,
    /// Six digits.
    pub code: Carried,
}

impl Request {
    /// A request for a mail that says nothing but who asks.
    pub fn new(kind: RequestKind, canonical: &str, asked: Asked) -> Self {
        let email = canonical.to_owned();
        Self { kind, email, asked, recovery: None, agent: None, claim: None }
    }
}

/// What can be asked for by an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RequestKind {
    /// Another mail to confirm the address.
    Verification,
    /// A mail to set a new password.
    Reset,
    /// Another mail to prove the address of agents.
    AgentVerification,
    /// A mail with the codes that recover agents.
    Recovery,
    /// A mail with the code that claims an agent.
    ClaimCode,
}

impl RequestKind {
    /// The name in storage and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verification => "verification_request",
            Self::Reset => "reset_request",
            Self::AgentVerification => "agent_verification_request",
            Self::Recovery => "recovery_request",
            Self::ClaimCode => "claim_code_request",
        }
    }
}

/// What one row of the outbox holds, sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Parcel {
    /// A letter to deliver.
    Letter(Letter),
    /// A request to be made a letter.
    Request(Request),
}

impl Parcel {
    /// The name of its kind in storage and logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Letter(letter) => letter.content.kind(),
            Self::Request(request) => request.kind.as_str(),
        }
    }

    /// The bytes to seal. They hold secrets.
    ///
    /// # Errors
    /// When a time lies beyond what a timestamp holds.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// When a later version wrote it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

impl From<SecretString> for Carried {
    fn from(secret: SecretString) -> Self {
        Self(secret)
    }
}

impl ExposeSecret<str> for Carried {
    fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Carried(…)")
    }
}

impl Serialize for Carried {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose_secret())
    }
}

impl<'de> Deserialize<'de> for Carried {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}
