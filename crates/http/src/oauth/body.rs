//! What the routes of this surface read and answer alike.

use portcullis_kernel::{Field, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::kit::{FormBody, Refusal};

/// An error of this surface (RFC 6749 §5.2).
#[derive(Serialize, ToSchema)]
pub(super) struct OAuthError {
    /// Stable.
    #[schema(example = "invalid_request")]
    error: String,
    /// For people.
    #[schema(example = "token is required.")]
    error_description: String,
}

/// A key or token that is asked about.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handlers read field by field
pub(super) struct TokenForm {
    /// An API key, or an access token of an agent or a person.
    token: String,
    /// Read by nobody: a key or token is known by its form.
    token_type_hint: Option<String>,
}

/// A parameter, which is as good as absent when it is empty, and must not stand twice (RFC 6749 §3.1).
pub(super) fn parameter(form: &FormBody, name: &str) -> Result<Option<String>, Refusal> {
    match form.filled(name) {
        Field::Absent => Ok(None),
        Field::Given(text) => Ok(Some(text)),
        Field::Invalid(why) => Err(Refusal::malformed(format!("{name} {why}."))),
    }
}

/// The key or token that a form asks about.
pub(super) fn token_in(bytes: &[u8]) -> Result<SecretString, Refusal> {
    let form = FormBody::parse(bytes, &["token"]);
    let token = parameter(&form, "token")?;
    token.map(SecretString::from).ok_or_else(|| Refusal::malformed("token is required."))
}
