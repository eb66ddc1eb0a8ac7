//! The stable error codes, in the spelling of the People surface; each is explained in
//! `docs/errors.md` (checked by `cargo xtask tidy`). Other surfaces render them in their own case.

/// A body, field or parameter that cannot be accepted; `details` names every broken field.
pub const VALIDATION_ERROR: &str = "validation_error";
/// No credential, or one that is refused.
pub const UNAUTHORIZED: &str = "unauthorized";
/// E-mail and password do not belong together.
pub const INVALID_CREDENTIALS: &str = "invalid_credentials";
/// A refresh or mailed token that is unknown, expired or used.
pub const INVALID_TOKEN: &str = "invalid_token";
/// Known, but not allowed.
pub const FORBIDDEN: &str = "forbidden";
/// No such path or thing.
pub const NOT_FOUND: &str = "not_found";
/// The path exists, the method does not.
pub const METHOD_NOT_ALLOWED: &str = "method_not_allowed";
/// The thing exists already.
pub const CONFLICT: &str = "conflict";
/// The body is over the limit.
pub const PAYLOAD_TOO_LARGE: &str = "payload_too_large";
/// The body's media type is not one this route reads.
pub const UNSUPPORTED_MEDIA_TYPE: &str = "unsupported_media_type";
/// The body did not arrive in time.
pub const REQUEST_TIMEOUT: &str = "request_timeout";
/// Over a rate limit.
pub const RATE_LIMITED: &str = "rate_limited";
/// A fault on this side; the cause is in the log under the request id.
pub const INTERNAL_ERROR: &str = "internal_error";
/// The database is away, or too much work waits.
pub const SERVICE_UNAVAILABLE: &str = "service_unavailable";
