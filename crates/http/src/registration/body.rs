//! What several routes of this surface share.

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, ContentType},
};
use portcullis_kernel::Scopes;
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

/// An error (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(crate) struct Problem {
    #[schema(example = "about:blank")]
    r#type: String,
    #[schema(example = "Bad Request")]
    title: String,
    #[schema(example = 400)]
    status: u16,
    /// For people and agents: what is wrong, and what to do.
    #[schema(example = "type must be \"anonymous\" or \"identity_assertion\".")]
    detail: String,
    /// Stable; see the list of codes.
    #[schema(example = "invalid_request")]
    code: String,
    /// The same as `code`.
    #[schema(example = "invalid_request")]
    error: String,
}

/// What any route of this surface that reads a body may answer.
#[derive(IntoResponses)]
#[allow(dead_code)] // the description of what `finish` renders
pub(super) enum Reads {
    #[response(
        status = 413,
        description = "`payload_too_large`",
        content_type = "application/problem+json"
    )]
    TooLarge(Problem),
    #[response(
        status = 415,
        description = "`unsupported_media_type`",
        content_type = "application/problem+json"
    )]
    MediaType(Problem),
    #[response(
        status = 429,
        description = "`rate_limited`",
        content_type = "application/problem+json"
    )]
    RateLimited(Problem),
    #[response(
        status = 503,
        description = "`service_unavailable`",
        content_type = "application/problem+json"
    )]
    Unavailable(Problem),
}

/// What a key is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum CredentialTypeBody {
    /// Sent as `Authorization: Bearer`.
    ApiKey,
}

/// An answer that nobody keeps: it may hold a secret.
pub(super) fn answer(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::json())
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(body)
}

pub(super) fn names(scopes: &Scopes) -> Vec<String> {
    scopes.iter().map(str::to_owned).collect()
}
