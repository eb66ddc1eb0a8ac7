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
    #[schema(example = "cost must be 1 to 1000000.")]
    detail: String,
    /// Stable; see the list of codes.
    #[schema(example = "invalid_request")]
    code: String,
    /// The same as `code`.
    #[schema(example = "invalid_request")]
    error: String,
}

/// What any route with problems for errors may answer when it reads a body.
#[derive(IntoResponses)]
#[allow(dead_code)] // the description of what `finish` renders
pub(crate) enum ProblemReads {
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
