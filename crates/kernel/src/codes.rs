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
/// Not enough credits for a call that costs some.
pub const PAYMENT_REQUIRED: &str = "payment_required";
/// Over a rate limit.
pub const RATE_LIMITED: &str = "rate_limited";
/// A fault on this side; the cause is in the log under the request id.
pub const INTERNAL_ERROR: &str = "internal_error";
/// The database is away, or too much work waits.
pub const SERVICE_UNAVAILABLE: &str = "service_unavailable";
/// An agent's name that breaks the rules for names.
pub const INVALID_AGENT_NAME: &str = "invalid_agent_name";
/// An e-mail address that cannot be one, where the surface tells it apart.
pub const INVALID_EMAIL: &str = "invalid_email";
/// A text that is no agent's id.
pub const INVALID_AGENT_ID: &str = "invalid_agent_id";
/// A key's name that breaks the rules for names.
pub const INVALID_KEY_NAME: &str = "invalid_key_name";
/// A recovery code that is wrong, expired or was tried too often.
pub const INVALID_CODE: &str = "invalid_code";
/// A recovery code that has done its work.
pub const CODE_ALREADY_USED: &str = "code_already_used";
/// OAuth: client authentication failed (RFC 6749 §5.2).
pub const INVALID_CLIENT: &str = "invalid_client";
/// OAuth: the client may not use this grant (RFC 6749 §5.2).
pub const UNAUTHORIZED_CLIENT: &str = "unauthorized_client";
/// OAuth: the grant type is not offered (RFC 6749 §5.2).
pub const UNSUPPORTED_GRANT_TYPE: &str = "unsupported_grant_type";
/// OAuth: a scope that the client does not have (RFC 6749 §5.2).
pub const INVALID_SCOPE: &str = "invalid_scope";
/// OAuth: a resource for which no token is issued (RFC 8707 §2).
pub const INVALID_TARGET: &str = "invalid_target";
/// A type of registration that is not offered (auth.md).
pub const UNSUPPORTED_TYPE: &str = "unsupported_type";
/// A type of assertion that is not offered (auth.md).
pub const UNSUPPORTED_ASSERTION_TYPE: &str = "unsupported_assertion_type";
/// A type of credential that is not offered (auth.md).
pub const UNSUPPORTED_CREDENTIAL_TYPE: &str = "unsupported_credential_type";
/// A claim token that is unknown or expired.
pub const INVALID_CLAIM_TOKEN: &str = "invalid_claim_token";
/// A code to claim an agent that is wrong.
pub const OTP_INVALID: &str = "otp_invalid";
/// A code to claim an agent that is expired, was tried too often, or was never mailed.
pub const OTP_EXPIRED: &str = "otp_expired";
/// A registration that was claimed before.
pub const ALREADY_CLAIMED: &str = "already_claimed";
/// A registration that the person refused, or may not claim.
pub const CLAIM_DENIED: &str = "claim_denied";
/// A registration that another address than the named one may claim.
pub const EMAIL_MISMATCH: &str = "email_mismatch";
/// A registration for which no more codes are mailed.
pub const CODES_EXHAUSTED: &str = "codes_exhausted";
/// The token or key lacks a scope that the request needs (RFC 6750 §3.1).
pub const INSUFFICIENT_SCOPE: &str = "insufficient_scope";
