//! The bodies that several routes of this surface share.

use portcullis_identity::User;
use serde::Serialize;
use utoipa::ToSchema;

use crate::people::body::UserBody;

/// A person's account, as administrators see it.
#[derive(Serialize, ToSchema)]
pub(super) struct AccountBody {
    #[serde(flatten)]
    user: UserBody,
    /// `active` or `suspended`.
    #[schema(example = "active")]
    status: &'static str,
}

impl From<&User> for AccountBody {
    fn from(user: &User) -> Self {
        Self { user: UserBody::from(user), status: user.status.as_str() }
    }
}
