//! What every Portcullis crate shares: ids, clock, entropy, secrets, error kinds, pages.
//!
//! Nothing here does I/O. Time and randomness come in through [`Clock`] and [`Entropy`], so that a
//! flow run with a fixed clock and seeded entropy is the same on every machine.

mod alarm;
pub mod codes;
mod entropy;
mod error;
mod field;
mod id;
pub mod opaque;
mod origin;
mod page;
mod scope;
mod secret;
mod store;
mod time;
pub mod words;

pub use alarm::{Alarm, causes};
pub use entropy::{Entropy, EntropyError};
pub use error::{Classify, ErrorKind};
pub use field::{Field, FieldErrors};
pub use id::{
    AgentId, ApiKeyId, AuditEventId, ClaimAttemptId, CreditEntryId, EmailChangeId, InvalidId,
    InvitationId, MailId, RecoveryId, RegistrationId, ResourceServerId, SessionId, TokenId, UserId,
};
pub use origin::{Origin, network_of, subnet_of};
pub use page::{Cursor, InvalidCursor, Page, PageRequest, Place, Slice};
pub use scope::{InvalidScopes, Scopes};
pub use secret::{CodeMac, TokenDigest, crockford};
pub use store::{StoreError, StoreResult, UniqueKey};
pub use time::{Clock, Instant};

/// The secret string of the `secrecy` crate: redacted in `Debug`, wiped when dropped.
pub use secrecy::{ExposeSecret, SecretString};
