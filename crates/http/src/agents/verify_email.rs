use actix_web::HttpResponse;
use portcullis_flows::{
    LimitClass,
    agents::{AgentTokenError, ReadAgentToken},
    mail::AddressInput,
};
use portcullis_identity::Agent;
use portcullis_kernel::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    answers::{Limited, Reads},
    body::{AgentAddressBody, AgentError, AgentMessageBody},
};
use crate::{
    kit::{Answer, Call, PageCall, Refusal, Routes},
    pages::show_proven_agent,
};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_open_agent_link, open_agent_link);
    routes.add(__path_verify_agent_email, verify_agent_email);
    routes.add(__path_resend_agent_verification, resend_agent_verification);
}

/// A token that was mailed.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct VerifyAgentEmailBody {
    /// `evt_…`, as it was mailed.
    token: String,
}

/// The agent whose address was proven.
#[derive(Serialize, ToSchema)]
struct VerifiedAgentBody {
    #[schema(example = "agt_0123456789abcdef0123456789abcdef")]
    agent_id: String,
    /// Always `true`.
    email_verified: bool,
    message: &'static str,
}

fn verified(agent: &Agent) -> HttpResponse {
    HttpResponse::Ok().json(VerifiedAgentBody {
        agent_id: agent.id.to_string(),
        email_verified: true,
        message: "Email verified successfully.",
    })
}

/// Proves the address of an agent with the token mailed to it, which is good once, for an hour. Answers
/// with a page where `Accept` prefers HTML: then also a token that was used is told of with 200. A `HEAD`
/// only looks at the token.
#[utoipa::path(get, path = "/api/auth/verify-email", tag = "agents",
    params(("token" = String, Query, description = "`evt_…`, as it was mailed.")),
    responses(
        (status = 200, description = "The address is proven.",
            content((VerifiedAgentBody = "application/json"), (String = "text/html"))),
        (status = 400, description = "`INVALID_REQUEST`", body = AgentError),
        (status = 401, description = "`INVALID_TOKEN`: unknown, expired or used.", body = AgentError),
        Limited,
    ))]
async fn open_agent_link(page: PageCall) -> Answer {
    if page.call.prefers_html() {
        let answer = async { show_proven_agent(&page, prove(&page.call).await?) };
        return answer.await.map_err(Refusal::on_a_page);
    }
    let agent = prove(&page.call).await?.map_err(Refusal::of)?;
    Ok(verified(&agent))
}

/// Spends the token of the query.
async fn prove(call: &Call) -> Result<Result<Agent, AgentTokenError>, Refusal> {
    call.limit(LimitClass::AgentAnonymous).await?;
    let input = ReadAgentToken { token: call.query().take("token").map(SecretString::from) };
    let token = input.check().map_err(Refusal::of)?;
    let head = call.is_head();
    call.hop(move |engine, origin| {
        if head {
            engine.preview_agent_email(&token)
        } else {
            engine.verify_agent_email(&token, origin)
        }
    })
    .await
}

/// Proves the address of an agent with the token mailed to it, which is good once, for an hour.
#[utoipa::path(post, path = "/api/auth/verify-email", tag = "agents",
    request_body = VerifyAgentEmailBody,
    responses(
        (status = 200, description = "The address is proven.", body = VerifiedAgentBody),
        (status = 400, description = "`INVALID_REQUEST`", body = AgentError),
        (status = 401, description = "`INVALID_TOKEN`: unknown, expired or used.", body = AgentError),
        Reads,
    ))]
async fn verify_agent_email(mut call: Call) -> Answer {
    call.limit(LimitClass::AgentAnonymous).await?;
    let mut body = call.json(&["token"]).await?;
    let token = ReadAgentToken { token: body.secret("token") }.check().map_err(Refusal::of)?;
    let agent = call
        .hop(move |engine, origin| engine.verify_agent_email(&token, origin))
        .await?
        .map_err(Refusal::of)?;
    Ok(verified(&agent))
}

/// Mails a new token to each agent of the address that is still to be confirmed, five at most; older
/// ones die. Answers the same for every address. By default 5 an hour from one client address.
#[utoipa::path(post, path = "/api/auth/verification/resend", tag = "agents",
    request_body = AgentAddressBody,
    responses(
        (status = 200, description = "Taken note of.", body = AgentMessageBody),
        (status = 400, description = "`INVALID_EMAIL` or `INVALID_REQUEST`", body = AgentError),
        Reads,
    ))]
async fn resend_agent_verification(mut call: Call) -> Answer {
    call.limit(LimitClass::AgentResend).await?;
    let mut body = call.json(&["email"]).await?;
    let input = AddressInput { email: body.string("email") };
    let ask = call.engine().check_ask_for_agent_mail(input).map_err(Refusal::of)?;
    call.hop(move |engine, origin| engine.ask_for_mail(&ask, origin))
        .await?
        .map_err(Refusal::of)?;
    let message =
        "If an account with this email exists and is unverified, a verification message was sent.";
    Ok(HttpResponse::Ok().json(AgentMessageBody { message }))
}
