use actix_web::HttpResponse;
use portcullis_flows::{
    LimitClass,
    registration::{SignUpInput, SignedUp},
};
use portcullis_kernel::{ExposeSecret as _, Scopes};
use portcullis_registration::RegistrationKind;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{CredentialTypeBody, names};
use crate::kit::{Answer, Call, Problem, ProblemReads, Refusal, Routes, epoch_millis};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_sign_up_agent, sign_up_agent);
}

/// How an agent signs up.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct SignUpBody {
    /// `anonymous`: a key at once. `identity_assertion`: a key once the person has read a code.
    #[schema(example = "anonymous")]
    r#type: String,
    /// Of an assertion: `verified_email`.
    #[schema(example = "verified_email")]
    assertion_type: Option<String>,
    /// Of an assertion: the address of the person.
    #[schema(example = "jane@example.com")]
    assertion: Option<String>,
    /// `api_key`, which is the default.
    #[schema(example = "api_key")]
    requested_credential_type: Option<String>,
}

/// An agent that just signed up.
#[derive(Serialize, ToSchema)]
struct SignedUpBody {
    #[schema(example = "rgn_0123456789abcdef0123456789abcdef")]
    registration_id: String,
    #[schema(example = "agt_0123456789abcdef0123456789abcdef")]
    agent_id: String,
    registration_type: RegistrationTypeBody,
    /// The key, and what belongs to it; absent when an address was named.
    #[serde(flatten)]
    credential: Option<CredentialBody>,
    /// What the agent may do once it is claimed.
    #[schema(example = json!(["api.read", "api.write"]))]
    post_claim_scopes: Vec<String>,
    /// A page for the person. Its token claims nothing.
    claim_url: String,
    /// `clm_…`: what the agent is claimed with. Shown once; never for the person.
    claim_token: String,
    /// Milliseconds since 1970.
    #[schema(example = 1_775_332_800_000_i64)]
    claim_token_expires: i64,
}

/// A key to begin with.
#[derive(Serialize, ToSchema)]
struct CredentialBody {
    credential_type: CredentialTypeBody,
    /// The key. Shown once; dies when the agent is claimed.
    #[schema(example = "anon_…")]
    credential: String,
    /// `null`: it has no end of its own.
    credential_expires: Option<i64>,
    #[schema(example = json!(["api.read"]))]
    scopes: Vec<String>,
}

/// How an agent signed up.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum RegistrationTypeBody {
    /// Without naming anybody.
    Anonymous,
    /// For an address, to which a code was mailed.
    EmailVerification,
}

impl SignedUpBody {
    fn of(made: SignedUp, post_claim_scopes: &Scopes, url: impl Fn(&str) -> String) -> Self {
        let SignedUp { registration, claim, view, key, .. } = made;
        let view = view.into_secret();
        Self {
            registration_id: registration.id.to_string(),
            agent_id: registration.agent.to_string(),
            registration_type: match registration.kind {
                RegistrationKind::Anonymous => RegistrationTypeBody::Anonymous,
                RegistrationKind::Email { .. } => RegistrationTypeBody::EmailVerification,
            },
            credential: key.map(|made| CredentialBody {
                credential_type: CredentialTypeBody::ApiKey,
                credential: made.secret.into_secret().expose_secret().to_owned(),
                credential_expires: made.key.expires_at.map(epoch_millis),
                scopes: names(&made.key.scopes),
            }),
            post_claim_scopes: names(post_claim_scopes),
            claim_url: url(&format!("/claim?token={}", view.expose_secret())),
            claim_token: claim.into_secret().expose_secret().to_owned(),
            claim_token_expires: epoch_millis(registration.expires_at),
        }
    }
}

/// Signs an agent up that has no account: with a key for reading at once, or for a person whose code it
/// waits for. A credential is ignored. By default 5 an hour from one client address; 10 for an address.
#[utoipa::path(post, path = "/v1/auth/agent", tag = "agent registration", request_body = SignUpBody,
    responses(
        (status = 200, description = "The registration. For an address, whether it is known or not, a code \
            was mailed there.", body = SignedUpBody),
        (status = 400, description = "`invalid_request`, `unsupported_type`, `unsupported_assertion_type`, \
            `unsupported_credential_type` or `invalid_email`",
            body = Problem, content_type = "application/problem+json"),
        ProblemReads,
    ))]
async fn sign_up_agent(mut call: Call) -> Answer {
    call.limit(LimitClass::AgentRegistration).await?;
    let known = ["type", "assertion_type", "assertion", "requested_credential_type"];
    let mut body = call.json(&known).await?;
    let input = SignUpInput {
        kind: body.string("type"),
        assertion_type: body.string("assertion_type"),
        assertion: body.string("assertion"),
        credential_type: body.string("requested_credential_type"),
    };
    let sign_up = call.engine().check_sign_up(input).map_err(Refusal::of)?;
    let made = call.hop(move |engine, origin| engine.sign_up(&sign_up, origin)).await?;
    let made = made.map_err(|error| Refusal::of_limited(error, call.engine().now()))?;
    call.show(made.standing);
    let scopes = &call.engine().options().agent_registration.post_claim_scopes;
    Ok(HttpResponse::Ok().json(SignedUpBody::of(made, scopes, |path| call.url(path))))
}
