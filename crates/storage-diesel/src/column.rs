//! Domain types as column values.

mod lists;

use std::{borrow::Cow, error::Error, fmt, net::IpAddr};

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    serialize::{self, Output, ToSql},
    sql_types::{Binary, Text},
};
use portcullis_audit::{Action, Outcome};
use portcullis_credentials::{KeyName, MailedKind, PasswordHash};
use portcullis_credits::{AccountId, Addressee, Note, OperationId, Reason};
use portcullis_identity::{AgentName, AgentStatus, Description, DisplayName, Role, UserStatus};
use portcullis_kernel::{
    AgentId, ApiKeyId, AuditEventId, ClaimAttemptId, CodeMac, CreditEntryId, EmailChangeId,
    InvitationId, MailId, RecoveryId, RegistrationId, ResourceServerId, SessionId, TokenDigest,
    TokenId, UserId,
};
use portcullis_limits::BucketKey;
use portcullis_tokens::{Algorithm, KeyPurpose, PublicJwk};

/// A domain type in a text column. Text that is none of its values is an error, never a default.
#[derive(Clone, Copy, Debug, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub(crate) struct AsText<T: TextForm>(pub(crate) T);

/// The text that stands for a value in the database.
pub(crate) trait TextForm: fmt::Debug + Sized {
    fn encode(&self) -> Result<Cow<'_, str>, Box<dyn Error + Send + Sync>>;

    fn decode(text: String) -> Result<Self, Box<dyn Error + Send + Sync>>;
}

impl<T: TextForm, DB: Backend> FromSql<Text, DB> for AsText<T>
where
    String: FromSql<Text, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        T::decode(String::from_sql(value)?).map(Self)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a stored {kind} is none: {text:?}")]
struct Unreadable {
    kind: &'static str,
    text: String,
}

/// Types whose text is `Display` and `FromStr`.
macro_rules! parsed {
    ($($type:ty: $kind:literal,)*) => {$(
        impl TextForm for $type {
            fn encode(&self) -> Result<Cow<'_, str>, Box<dyn Error + Send + Sync>> {
                Ok(self.to_string().into())
            }

            fn decode(text: String) -> Result<Self, Box<dyn Error + Send + Sync>> {
                text.parse().map_err(|_| Unreadable { kind: $kind, text }.into())
            }
        }
    )*};
}

/// Types whose text is `as_str` and `from_name`.
macro_rules! named {
    ($($type:ty: $kind:literal,)*) => {$(
        impl TextForm for $type {
            fn encode(&self) -> Result<Cow<'_, str>, Box<dyn Error + Send + Sync>> {
                Ok(self.as_str().into())
            }

            fn decode(text: String) -> Result<Self, Box<dyn Error + Send + Sync>> {
                Self::from_name(&text).ok_or_else(|| Unreadable { kind: $kind, text }.into())
            }
        }
    )*};
}

/// Types whose text is `as_str` and `from_stored`.
macro_rules! stored {
    ($($type:ty,)*) => {$(
        impl TextForm for $type {
            fn encode(&self) -> Result<Cow<'_, str>, Box<dyn Error + Send + Sync>> {
                Ok(self.as_str().into())
            }

            fn decode(text: String) -> Result<Self, Box<dyn Error + Send + Sync>> {
                Ok(Self::from_stored(text))
            }
        }
    )*};
}

parsed! {
    UserId: "user id",
    SessionId: "session id",
    AuditEventId: "audit event id",
    MailId: "mail id",
    EmailChangeId: "email change id",
    InvitationId: "invitation id",
    AgentId: "agent id",
    ApiKeyId: "API key id",
    RecoveryId: "recovery request id",
    RegistrationId: "registration id",
    ClaimAttemptId: "claim attempt id",
    TokenId: "token id",
    ResourceServerId: "resource server id",
    AccountId: "account of credits",
    CreditEntryId: "ledger entry id",
    Role: "role",
    IpAddr: "network address",
}

named! {
    UserStatus: "user state",
    AgentStatus: "agent state",
    Algorithm: "signature algorithm",
    KeyPurpose: "key purpose",
    Action: "audit action",
    Outcome: "audit outcome",
    MailedKind: "kind of mailed token",
    Reason: "reason of a ledger entry",
}

stored! {
    AgentName,
    BucketKey,
    Description,
    DisplayName,
    KeyName,
    Note,
    OperationId,
    PasswordHash,
}

impl TextForm for PublicJwk {
    fn encode(&self) -> Result<Cow<'_, str>, Box<dyn Error + Send + Sync>> {
        Ok(serde_json::to_string(self)?.into())
    }

    fn decode(text: String) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(serde_json::from_str(&text)?)
    }
}

/// Types of 32 bytes in a column of bytes.
macro_rules! of_32_bytes {
    ($($(#[$doc:meta])* $name:ident($type:ty): $kind:literal,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, AsExpression, FromSqlRow)]
        #[diesel(sql_type = Binary)]
        pub(crate) struct $name(pub(crate) $type);

        impl<DB: Backend> FromSql<Binary, DB> for $name
        where
            Vec<u8>: FromSql<Binary, DB>,
        {
            fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
                let bytes = Vec::<u8>::from_sql(value)?;
                let wrong = concat!("a stored ", $kind, " has not 32 bytes");
                Ok(Self(<$type>::from_bytes(bytes.try_into().map_err(|_| wrong)?)))
            }
        }

        impl<DB: Backend> ToSql<Binary, DB> for $name
        where
            [u8]: ToSql<Binary, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                self.0.as_bytes().as_slice().to_sql(out)
            }
        }
    )*};
}

of_32_bytes! {
    /// A digest.
    DigestBytes(TokenDigest): "digest",
    /// The MAC of a code.
    CodeBytes(CodeMac): "code",
    /// Whom a top-up names.
    AddresseeBytes(Addressee): "addressee",
}
