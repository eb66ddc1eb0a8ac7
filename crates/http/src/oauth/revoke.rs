use actix_web::{HttpResponse, http::StatusCode};
use portcullis_flows::{
    Engine, LimitClass,
    agents::PresentedBasic,
    oauth::{RevokeError, Revoker, ServerLimit},
};
use portcullis_kernel::{ExposeSecret as _, Origin, ResourceServerId, codes};

use super::{
    body::{OAuthError, TokenForm, token_in},
    client::{as_server, refused_key, unreadable},
};
use crate::kit::{Answer, Call, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_revoke, revoke);
}

/// Who says that they may revoke, other than resource servers.
enum Presented {
    /// An agent, by one of its keys.
    Key(PresentedBasic),
    /// Whoever holds the key or token, and shows it in the header, too.
    Bearer(String),
    /// A header that cannot be read.
    Unreadable,
    /// Whoever holds the key or token.
    Nothing,
}

/// Revokes a key or token (RFC 7009). A resource server may revoke what it may see, an agent by one of its
/// API keys what is its own; without a client's credential the key or token is the credential. The answer
/// is the same for what is unknown, dead, or none of the caller's business. With a person's token, its
/// session ends.
#[utoipa::path(post, path = "/oauth2/revoke", tag = "oauth",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    security(("resource_server" = []), ("api_key" = []), ()),
    responses(
        (status = 200, description = "It no longer works, if it was the caller's to revoke."),
        (status = 400, description = "`invalid_request`; `unauthorized_client`: the agent is suspended, \
            or the key is not for this network.", body = OAuthError),
        (status = 401, description = "`invalid_client`; `invalid_token`: the bearer token is another than \
            the one to revoke.", body = OAuthError),
        (status = 413, description = "`invalid_request`: over 64 KiB.", body = OAuthError),
        (status = 415, description = "`invalid_request`: no form.", body = OAuthError),
        (status = 429, description = "`slow_down`", body = OAuthError),
        (status = 503, description = "`temporarily_unavailable`", body = OAuthError),
    ))]
async fn revoke(mut call: Call) -> Answer {
    match presented(&call) {
        Presented::Key(basic) if basic.id.starts_with(ResourceServerId::PREFIX) => {
            let bytes = call.form_before_client().await?;
            as_server(&call, ServerLimit::OAuth, move |engine, server, origin| {
                let (revoker, token) = (Revoker::Server(Box::new(server)), token_in(&bytes)?);
                engine.revoke(&revoker, &token, origin).map_err(Refusal::of)
            })
            .await?;
        }
        presented => {
            call.limit(LimitClass::OAuthAnonymous).await?;
            let bytes = call.form_bytes().await?;
            let revoked =
                call.hop(move |engine, origin| revoke_as(engine, presented, &bytes, origin));
            revoked.await??;
        }
    }
    Ok(HttpResponse::Ok().finish())
}

fn presented(call: &Call) -> Presented {
    if let Some(basic) = call.basic() {
        Presented::Key(basic)
    } else if let Some(token) = call.bearer() {
        Presented::Bearer(token)
    } else if call.has_credential() {
        Presented::Unreadable
    } else {
        Presented::Nothing
    }
}

fn revoke_as(
    engine: &Engine,
    presented: Presented,
    bytes: &[u8],
    origin: &Origin,
) -> Result<(), Refusal> {
    let revoker = match presented {
        Presented::Key(basic) => {
            let accepted = engine.revoker_by_key(basic, origin);
            accepted.map_err(|error| match error {
                RevokeError::Auth(error) => refused_key(error),
                error => Refusal::of(error),
            })?
        }
        Presented::Unreadable => {
            return Err(unreadable("Authenticate by HTTP Basic, or leave the header away."));
        }
        Presented::Bearer(bearer) => {
            if token_in(bytes)?.expose_secret() != bearer {
                return Err(foreign_bearer());
            }
            Revoker::Holder
        }
        Presented::Nothing => Revoker::Holder,
    };
    engine.revoke(&revoker, &token_in(bytes)?, origin).map_err(Refusal::of)
}

fn foreign_bearer() -> Refusal {
    let told = "A bearer token revokes itself only: send the same one as token.";
    let mut refusal = Refusal::new(StatusCode::UNAUTHORIZED, codes::UNAUTHORIZED, told);
    refusal.token_refused = true;
    refusal
}
