use actix_web::HttpResponse;
use portcullis_flows::{LimitClass, people::Refresh};
use serde::Deserialize;
use utoipa::ToSchema;

use super::body::{PeopleError, TokensBody};
use crate::kit::{Answer, Call, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_refresh, refresh);
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
pub(super) struct RefreshTokenBody {
    /// As it was issued.
    #[schema(example = "rt_01JN2X4K8M3F7QPZRVWT6YBHCE")]
    refresh_token: String,
}

/// Exchanges a refresh token for new tokens; it is dead from then on. Of parallel uses one succeeds.
/// A used token that comes again ends its session, unless it plainly raced itself.
#[utoipa::path(post, path = "/v1/auth/refresh", tag = "people", request_body = RefreshTokenBody,
    responses(
        (status = 200, description = "New tokens.", body = TokensBody),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 401, description = "`invalid_token`: unknown, expired or used.", body = PeopleError),
        (status = 413, description = "`payload_too_large`", body = PeopleError),
        (status = 415, description = "`unsupported_media_type`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn refresh(mut call: Call) -> Answer {
    call.limit(LimitClass::Anonymous).await?;
    let mut body = call.json(&["refresh_token"]).await?;
    let input = Refresh { refresh_token: body.secret("refresh_token") };
    let token = input.check().map_err(Refusal::of)?;
    let tokens = call
        .hop(move |engine, origin| engine.refresh(token, origin))
        .await?
        .map_err(Refusal::of)?;
    Ok(HttpResponse::Ok().json(TokensBody::from(tokens)))
}
