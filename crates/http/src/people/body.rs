//! The bodies that several routes of this surface and of the Admin surface share.

use std::collections::BTreeMap;

use portcullis_flows::people::{SignedIn, Tokens};
use portcullis_identity::User;
use portcullis_kernel::ExposeSecret as _;
use portcullis_tokens::Session;
use serde::Serialize;
use utoipa::ToSchema;

use crate::kit::seconds;

/// A person's account.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserBody {
    /// ULID.
    #[schema(example = "01JN2X4K8M3F7QPZRVWT6YBHCE")]
    id: String,
    /// Local part in lower case, domain in ASCII.
    #[schema(example = "jane@example.com")]
    email: String,
    /// `null` when there is none.
    #[schema(example = "Jane Smith")]
    display_name: Option<String>,
    /// `user`, `verified_user`, `host` or `admin`.
    #[schema(example = "user")]
    role: &'static str,
    /// Whether the address was proven.
    email_verified: bool,
    /// RFC 3339, UTC, whole seconds.
    #[schema(example = "2026-03-15T10:00:00Z")]
    created_at: String,
}

impl From<&User> for UserBody {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email.as_str().to_owned(),
            display_name: user.display_name.as_ref().map(|name| name.as_str().to_owned()),
            role: user.role.as_str(),
            email_verified: user.email_verified_at.is_some(),
            created_at: seconds(user.created_at),
        }
    }
}

/// A session.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionBody {
    /// Its id.
    #[schema(example = "ses_0123456789abcdef0123456789abcdef")]
    id: String,
    /// The sign-in, RFC 3339.
    created_at: String,
    /// The sign-in or the last refresh, RFC 3339.
    last_used_at: String,
    /// The client's address at sign-in.
    ip: Option<String>,
    /// The client's `User-Agent` at sign-in.
    user_agent: Option<String>,
}

impl From<Session> for SessionBody {
    fn from(session: Session) -> Self {
        Self {
            id: session.id.to_string(),
            created_at: seconds(session.created_at),
            last_used_at: seconds(session.last_used_at),
            ip: session.ip,
            user_agent: session.user_agent,
        }
    }
}

/// What was set going, for people.
#[derive(Serialize, ToSchema)]
pub(super) struct MessageBody {
    pub(super) message: &'static str,
}

/// Tokens.
#[derive(Serialize, ToSchema)]
pub(super) struct TokensBody {
    /// RS256 JWT.
    access_token: String,
    /// Opaque; good once.
    #[schema(example = "rt_01JN2X4K8M3F7QPZRVWT6YBHCE")]
    refresh_token: String,
    /// Seconds that the access token lives.
    #[schema(example = 900)]
    expires_in: i64,
}

impl From<Tokens> for TokensBody {
    fn from(tokens: Tokens) -> Self {
        Self {
            access_token: tokens.access.token.expose_secret().to_owned(),
            refresh_token: tokens.refresh.expose_secret().to_owned(),
            expires_in: tokens.access.expires_in,
        }
    }
}

/// A user who just signed in.
#[derive(Serialize, ToSchema)]
pub(super) struct SignedInBody {
    user: UserBody,
    #[serde(flatten)]
    tokens: TokensBody,
}

impl From<SignedIn> for SignedInBody {
    fn from(signed_in: SignedIn) -> Self {
        Self { user: UserBody::from(&signed_in.user), tokens: signed_in.tokens.into() }
    }
}

/// An error of this surface.
#[derive(Serialize, ToSchema)]
pub(crate) struct PeopleError {
    error: PeopleErrorBody,
}

/// What went wrong.
#[derive(Serialize, ToSchema)]
pub(crate) struct PeopleErrorBody {
    /// Stable; see the list of codes.
    #[schema(example = "validation_error")]
    code: String,
    /// For people.
    #[schema(example = "Request validation failed.")]
    message: String,
    /// Field → what is wrong with it; `null` unless fields are at fault.
    details: Option<BTreeMap<String, String>>,
}
