use actix_web::HttpResponse;
use portcullis_flows::{
    LimitClass,
    agents::{AskRecovery, AskedRecovery, Recover, RecoveredAgent},
};
use portcullis_kernel::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{answers::Reads, body::AgentError};
use crate::kit::{Answer, Call, Refusal, Routes, seconds};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_ask_for_recovery, ask_for_recovery);
    routes.add(__path_recover_agent, recover_agent);
}

/// Whose recovery key is lost.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct AskForRecoveryBody {
    /// The confirmed address of the agents.
    #[schema(example = "bot@example.com")]
    email: String,
    /// The one agent that is wanted; the newest five of the address when left out.
    #[schema(example = "agt_0123456789abcdef0123456789abcdef")]
    agent_id: Option<String>,
}

/// What is told of a request, whether an agent has the address or not.
#[derive(Serialize, ToSchema)]
struct AskedRecoveryBody {
    /// Always empty.
    #[schema(example = "")]
    agent_id: &'static str,
    /// The address, in its canonical form.
    #[schema(example = "bot@example.com")]
    email: String,
    /// When the codes die, if there are any.
    #[schema(example = "2026-04-03T20:15:00Z")]
    code_expires_at: String,
    message: &'static str,
}

/// A code that was mailed.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct RecoverAgentBody {
    /// The address it was mailed to.
    #[schema(example = "bot@example.com")]
    email: String,
    /// Six digits. The code says which agent is meant.
    #[schema(example = "042137")]
    code: String,
    /// Whether every API key of the agent is revoked, too; `false` when left out.
    revoke_keys: Option<bool>,
}

/// An agent with a new recovery key.
#[derive(Serialize, ToSchema)]
struct RecoveredAgentBody {
    #[schema(example = "agt_0123456789abcdef0123456789abcdef")]
    agent_id: String,
    /// `rk_…`, in the place of the old one. Shown once.
    recovery_key: String,
    message: &'static str,
}

impl From<AskedRecovery> for AskedRecoveryBody {
    fn from(asked: AskedRecovery) -> Self {
        Self {
            agent_id: "",
            email: asked.email,
            code_expires_at: seconds(asked.code_expires_at),
            message: "If an agent is registered with this email, a recovery code will be sent.",
        }
    }
}

impl From<RecoveredAgent> for RecoveredAgentBody {
    fn from(recovered: RecoveredAgent) -> Self {
        Self {
            agent_id: recovered.id.to_string(),
            recovery_key: recovered.recovery_key.into_secret().expose_secret().to_owned(),
            message: "Recovery key reset successfully. Save the new recovery key securely.",
        }
    }
}

/// Mails a code for each agent with this confirmed address. Answers the same for every address. By
/// default 5 in 15 minutes from one client address, and 3 in 15 minutes and 5 an hour for one e-mail
/// address: `X-RateLimit-IP-*` and `X-RateLimit-Email-*` tell what is left.
#[utoipa::path(post, path = "/api/auth/recovery/request", tag = "agents",
    request_body = AskForRecoveryBody,
    responses(
        (status = 200, description = "Taken note of.", body = AskedRecoveryBody),
        (status = 400, description = "`INVALID_EMAIL`, `INVALID_AGENT_ID` or `INVALID_REQUEST`",
            body = AgentError),
        Reads,
    ))]
async fn ask_for_recovery(mut call: Call) -> Answer {
    call.limit_shown_by_address(LimitClass::Recovery).await?;
    let mut body = call.json(&["email", "agent_id"]).await?;
    let input = AskRecovery { email: body.string("email"), agent_id: body.string("agent_id") };
    let ask = call.engine().check_ask_recovery(input).map_err(Refusal::of)?;
    let asked = call.hop(move |engine, origin| {
        engine.ask_recovery(&ask, origin).map_err(|error| Refusal::of_limited(error, engine.now()))
    });
    let asked = asked.await?.inspect_err(|refusal| call.show_named("email", refusal.standing))?;
    call.show_named("email", asked.standing);
    Ok(HttpResponse::Ok().json(AskedRecoveryBody::from(asked)))
}

/// Replaces the recovery key of the agent that the code was mailed for. Of parallel uses one succeeds.
/// API keys and tokens live on unless `revoke_keys` is `true`. By default 10 in 15 minutes from one
/// client address.
#[utoipa::path(post, path = "/api/auth/recovery/verify", tag = "agents",
    request_body = RecoverAgentBody,
    responses(
        (status = 200, description = "The new recovery key.", body = RecoveredAgentBody),
        (status = 400, description = "`INVALID_EMAIL` or `INVALID_REQUEST`", body = AgentError),
        (status = 401, description = "`INVALID_CODE`: wrong, expired or tried too often.",
            body = AgentError),
        (status = 409, description = "`CODE_ALREADY_USED`", body = AgentError),
        Reads,
    ))]
async fn recover_agent(mut call: Call) -> Answer {
    call.limit(LimitClass::Recover).await?;
    let mut body = call.json(&["email", "code", "revoke_keys"]).await?;
    let input = Recover {
        email: body.string("email"),
        code: body.secret("code"),
        revoke_keys: body.flag("revoke_keys"),
    };
    let recover = call.engine().check_recover(input).map_err(Refusal::of)?;
    let recovered = call
        .hop(move |engine, origin| engine.recover_agent(&recover, origin))
        .await?
        .map_err(Refusal::of)?;
    Ok(HttpResponse::Ok().json(RecoveredAgentBody::from(recovered)))
}
