//! Who calls: agents by an API key, resource servers by their secret.

use actix_web::http::StatusCode;
use portcullis_flows::{
    Engine,
    agents::{AdmittedAgent, AgentAuthError},
    oauth::{ServerAuthError, ServerLimit},
};
use portcullis_identity::ResourceServer;
use portcullis_kernel::{Origin, codes};

use crate::kit::{Call, Challenge, Refusal};

/// Accepts a resource server's secret, counts the request, and runs `work` for it, all in one hop.
pub(crate) async fn as_server<T: Send + 'static>(
    call: &Call,
    limit: ServerLimit,
    work: impl FnOnce(&Engine, ResourceServer, &Origin) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let (presented, client) = (call.basic(), call.client()?);
    let done = call.hop(move |engine, origin| {
        let admitted = engine.admit_server(presented, limit, client, origin)?;
        let AdmittedAgent { caller, standing } = admitted;
        Ok((standing, work(engine, caller, origin)))
    });
    match done.await? {
        Ok((standing, done)) => {
            call.show(standing);
            done
        }
        Err(ServerAuthError::Limit(error)) => Err(call.limited(error)),
        Err(error) => {
            if let ServerAuthError::Refused(standing) = &error {
                call.show(*standing);
            }
            Err(Refusal::of(error).challenging(Challenge::Basic))
        }
    }
}

/// What a refused API key becomes: a client that is not known is `invalid_client`, one that is known and
/// may not act is `unauthorized_client` (RFC 6749 §5.2).
pub(super) fn refused_key(error: AgentAuthError) -> Refusal {
    match error {
        AgentAuthError::Missing => unreadable(
            "Authenticate the client by HTTP Basic, with an agent id and one of its API keys; \
             credentials in the body are not read.",
        ),
        AgentAuthError::Suspended | AgentAuthError::Network => {
            let told = error.to_string();
            Refusal::new(StatusCode::BAD_REQUEST, codes::UNAUTHORIZED_CLIENT, told)
        }
        error => Refusal::of(error).challenging(Challenge::Basic),
    }
}

/// The refusal of a client whose credential cannot be read.
pub(super) fn unreadable(told: &str) -> Refusal {
    let refusal = Refusal::new(StatusCode::UNAUTHORIZED, codes::INVALID_CLIENT, told);
    refusal.challenging(Challenge::Basic)
}
