use actix_web::HttpResponse;
use portcullis_flows::{
    LimitClass,
    registration::{ClaimInput, CompleteInput, CompletedClaim, StartedClaim},
};
use portcullis_kernel::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{CredentialTypeBody, names};
use crate::kit::{Answer, Call, Problem, ProblemReads, Refusal, Routes, epoch_millis};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_start_claim, start_claim);
    routes.add(__path_complete_claim, complete_claim);
}

/// Who is to claim the agent.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct StartClaimBody {
    /// `clm_…`
    claim_token: String,
    /// The address of the person, to which a code is mailed.
    #[schema(example = "jane@example.com")]
    email: String,
}

/// An attempt to claim.
#[derive(Serialize, ToSchema)]
struct StartedClaimBody {
    #[schema(example = "rgn_0123456789abcdef0123456789abcdef")]
    registration_id: String,
    #[schema(example = "cla_0123456789abcdef0123456789abcdef")]
    claim_attempt_id: String,
    status: ClaimStatusBody,
    /// When the code dies: milliseconds since 1970.
    #[schema(example = 1_775_247_000_000_i64)]
    expires_at: i64,
}

/// How far a claim is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ClaimStatusBody {
    /// The person is to read a code to the agent.
    Initiated,
}

/// The code that the person read.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct CompleteClaimBody {
    /// `clm_…`
    claim_token: String,
    /// Six digits.
    #[schema(example = "034719")]
    code: String,
}

/// The key of an agent that was just claimed.
#[derive(Serialize, ToSchema)]
struct CompletedClaimBody {
    /// The key, in the place of the one before. Shown once.
    #[schema(example = "live_…")]
    credential: String,
    credential_type: CredentialTypeBody,
    /// `null`: it has no end of its own.
    credential_expires: Option<i64>,
    #[schema(example = json!(["api.read", "api.write"]))]
    scopes: Vec<String>,
}

impl From<StartedClaim> for StartedClaimBody {
    fn from(started: StartedClaim) -> Self {
        Self {
            registration_id: started.registration.to_string(),
            claim_attempt_id: started.attempt.to_string(),
            status: ClaimStatusBody::Initiated,
            expires_at: epoch_millis(started.expires_at),
        }
    }
}

impl From<CompletedClaim> for CompletedClaimBody {
    fn from(claimed: CompletedClaim) -> Self {
        let made = claimed.key;
        Self {
            credential: made.secret.into_secret().expose_secret().to_owned(),
            credential_type: CredentialTypeBody::ApiKey,
            credential_expires: made.key.expires_at.map(epoch_millis),
            scopes: names(&made.key.scopes),
        }
    }
}

/// Has a code mailed to the person who is to claim the agent. For the same address while the code works: the
/// same attempt, and no other mail. Three codes at most. The answer is the same whether an account has the
/// address or not.
#[utoipa::path(post, path = "/v1/auth/agent/claim", tag = "agent registration",
    request_body = StartClaimBody,
    responses(
        (status = 200, description = "The attempt.", body = StartedClaimBody),
        (status = 400, description = "`invalid_request` or `invalid_email`",
            body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`claim_denied`: the person refused.",
            body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`invalid_claim_token`: unknown or expired.",
            body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`already_claimed`; `email_mismatch`: it was made for another address; \
            `codes_exhausted`",
            body = Problem, content_type = "application/problem+json"),
        ProblemReads,
    ))]
async fn start_claim(mut call: Call) -> Answer {
    call.limit(LimitClass::AgentRegistration).await?;
    let mut body = call.json(&["claim_token", "email"]).await?;
    let input = ClaimInput { token: body.secret("claim_token"), email: body.string("email") };
    let start = call.engine().check_start_claim(input).map_err(Refusal::of)?;
    let started = call.hop(move |engine, origin| engine.start_claim(&start, origin)).await?;
    Ok(HttpResponse::Ok().json(StartedClaimBody::from(started.map_err(Refusal::of)?)))
}

/// Hands the agent to the person who read the code to it. The key that it had dies as the new one is made.
/// Five wrong codes burn an attempt; by default 20 wrong codes an hour from one client address.
#[utoipa::path(post, path = "/v1/auth/agent/claim/complete", tag = "agent registration",
    request_body = CompleteClaimBody,
    responses(
        (status = 200, description = "The new key.", body = CompletedClaimBody),
        (status = 400, description = "`invalid_request`",
            body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`otp_invalid`: the code is wrong; `otp_expired`: it is expired, was \
            tried too often or was never mailed.",
            body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`claim_denied`: the person refused, or is suspended.",
            body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`invalid_claim_token`: unknown or expired.",
            body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`already_claimed`",
            body = Problem, content_type = "application/problem+json"),
        ProblemReads,
    ))]
async fn complete_claim(mut call: Call) -> Answer {
    call.limit(LimitClass::AgentRegistration).await?;
    let mut body = call.json(&["claim_token", "code"]).await?;
    let input = CompleteInput { token: body.secret("claim_token"), code: body.secret("code") };
    let complete = input.check().map_err(Refusal::of)?;
    let claimed = call.hop(move |engine, origin| engine.complete_claim(&complete, origin)).await?;
    let claimed = claimed.map_err(|error| Refusal::of_limited(error, call.engine().now()))?;
    Ok(HttpResponse::Ok().json(CompletedClaimBody::from(claimed)))
}
