//! What several routes of this surface share.

use portcullis_kernel::Scopes;
use serde::Serialize;
use utoipa::ToSchema;

/// What a key is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum CredentialTypeBody {
    /// Sent as `Authorization: Bearer`.
    ApiKey,
}

pub(super) fn names(scopes: &Scopes) -> Vec<String> {
    scopes.iter().map(str::to_owned).collect()
}
