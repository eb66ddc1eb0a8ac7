use actix_web::HttpResponse;
use portcullis_flows::LimitClass;
use serde::Serialize;
use utoipa::ToSchema;

use crate::kit::{Answer, Call, Problem, ProblemReads, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_revoke_registered, revoke_registered);
}

/// What was done.
#[derive(Serialize, ToSchema)]
struct RevokedBody {
    #[schema(example = true)]
    revoked: bool,
}

/// Revokes the key or access token that is presented as bearer credential; no other body is read then. A
/// logout or security-event token of an identity provider is received and changes nothing, as no provider
/// is trusted.
#[utoipa::path(post, path = "/v1/auth/agent/revoke", tag = "agent registration",
    request_body(content(
        (String = "application/logout+jwt"),
        (String = "application/secevent+jwt"),
    )),
    security((), ("bearer_key" = [])),
    responses(
        (status = 200, description = "The credential no longer works, or the token was received.",
            body = RevokedBody),
        (status = 401, description = "`unauthorized`: neither a token of a provider nor a live credential.",
            body = Problem, content_type = "application/problem+json"),
        ProblemReads,
    ))]
async fn revoke_registered(mut call: Call) -> Answer {
    call.limit(LimitClass::AgentRegistration).await?;
    if call.has_event_token() {
        call.event_token().await?;
        return Ok(HttpResponse::Ok().json(RevokedBody { revoked: true }));
    }
    let presented = call.bearer();
    let sent = presented.is_some();
    let revoked =
        call.hop(move |engine, origin| engine.revoke_presented(presented.map(Into::into), origin));
    revoked.await?.map_err(|error| {
        let mut refusal = Refusal::of(error);
        refusal.token_refused = sent;
        refusal
    })?;
    Ok(HttpResponse::Ok().json(RevokedBody { revoked: true }))
}
