use serde::Serialize;
use utoipa::ToSchema;

/// How an agent signs up (auth.md): where, and what is offered. The names of every version of the protocol
/// that is served stand side by side.
#[derive(Serialize, ToSchema)]
pub(super) struct AgentAuth {
    /// How an agent signs up, in words.
    manifest_url: String,
    skill: String,
    registration_endpoint: String,
    register_uri: String,
    claim_endpoint: String,
    claim_uri: String,
    claim_complete_endpoint: String,
    revocation_endpoint: String,
    revocation_uri: String,
    identity_types_supported: [&'static str; 2],
    assertion_types_supported: [&'static str; 1],
    anonymous: Anonymous,
    identity_assertion: IdentityAssertion,
}

/// What an agent gets that names nobody.
#[derive(Serialize, ToSchema)]
struct Anonymous {
    credential_types_supported: [&'static str; 1],
}

/// What an agent gets that names its person.
#[derive(Serialize, ToSchema)]
struct IdentityAssertion {
    assertion_types_supported: [&'static str; 1],
    credential_types_supported: [&'static str; 1],
}

const VERIFIED_EMAIL: &str = "verified_email";
const API_KEY: &str = "api_key";

impl AgentAuth {
    pub(super) fn of(url: &str) -> Self {
        let at = |path: &str| format!("{url}{path}");
        let (register, claim) = (at("/v1/auth/agent"), at("/v1/auth/agent/claim"));
        let revoke = at("/v1/auth/agent/revoke");
        Self {
            manifest_url: at("/auth.md"),
            skill: at("/auth.md"),
            registration_endpoint: register.clone(),
            register_uri: register,
            claim_endpoint: claim.clone(),
            claim_uri: claim,
            claim_complete_endpoint: at("/v1/auth/agent/claim/complete"),
            revocation_endpoint: revoke.clone(),
            revocation_uri: revoke,
            identity_types_supported: ["anonymous", VERIFIED_EMAIL],
            assertion_types_supported: [VERIFIED_EMAIL],
            anonymous: Anonymous { credential_types_supported: [API_KEY] },
            identity_assertion: IdentityAssertion {
                assertion_types_supported: [VERIFIED_EMAIL],
                credential_types_supported: [API_KEY],
            },
        }
    }
}
