use actix_web::HttpResponse;
use portcullis_audit::Actor;
use portcullis_flows::{Engine, admin::SetRole};
use portcullis_kernel::{Origin, UserId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{as_admin, body::AccountBody, user_in_path};
use crate::{
    kit::{Answer, Call, JsonBody, Refusal, Routes},
    people::body::PeopleError,
};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_set_role, set_role);
    routes.add(__path_suspend_user, suspend_user);
    routes.add(__path_resume_user, resume_user);
}

/// A role.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct RoleBody {
    /// `user`, `verified_user`, `host` or `admin`.
    #[schema(example = "host")]
    role: String,
}

/// Gives a role, not to oneself. Tokens show it from the next refresh or sign-in.
#[utoipa::path(put, path = "/v1/admin/users/{id}/role", tag = "admin", request_body = RoleBody,
    params(("id" = String, Path, description = "The user's id.")),
    security(("access_token" = [])),
    responses(
        (status = 200, description = "The account as it is now.", body = AccountBody),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 403, description = "`forbidden`: not an administrator.", body = PeopleError),
        (status = 404, description = "`not_found`: no such user.", body = PeopleError),
        (status = 409, description = "`conflict`: one's own account.", body = PeopleError),
        (status = 413, description = "`payload_too_large`", body = PeopleError),
        (status = 415, description = "`unsupported_media_type`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn set_role(mut call: Call) -> Answer {
    let bytes = call.bytes_before_bearer().await?;
    changed(&call, move |engine, id, actor, origin| {
        let mut body = JsonBody::parse(&bytes, &["role"])?;
        let role = SetRole { role: body.string("role") }.check().map_err(Refusal::of)?;
        engine.set_role(id, role, actor, origin).map_err(Refusal::of)
    })
    .await
}

/// Shuts an account, not one's own: its sessions end, and nothing of it works until it is resumed.
#[utoipa::path(post, path = "/v1/admin/users/{id}/suspend", tag = "admin",
    params(("id" = String, Path, description = "The user's id.")),
    security(("access_token" = [])),
    responses(
        (status = 200, description = "The account as it is now.", body = AccountBody),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 403, description = "`forbidden`: not an administrator.", body = PeopleError),
        (status = 404, description = "`not_found`: no such user.", body = PeopleError),
        (status = 409, description = "`conflict`: one's own account.", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn suspend_user(call: Call) -> Answer {
    changed(&call, |engine, id, actor, origin| {
        engine.suspend_user(id, actor, origin).map_err(Refusal::of)
    })
    .await
}

/// Opens a suspended account again; its owner signs in anew.
#[utoipa::path(post, path = "/v1/admin/users/{id}/resume", tag = "admin",
    params(("id" = String, Path, description = "The user's id.")),
    security(("access_token" = [])),
    responses(
        (status = 200, description = "The account as it is now.", body = AccountBody),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 403, description = "`forbidden`: not an administrator.", body = PeopleError),
        (status = 404, description = "`not_found`: no such user.", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn resume_user(call: Call) -> Answer {
    changed(&call, |engine, id, actor, origin| {
        engine.resume_user(id, actor, origin).map_err(Refusal::of)
    })
    .await
}

/// Changes the account that the path names, and shows it as it is then.
async fn changed(
    call: &Call,
    change: impl FnOnce(&Engine, UserId, Actor, &Origin) -> Result<(), Refusal> + Send + 'static,
) -> Answer {
    let id = call.segment("id");
    let user = as_admin(call, move |engine, actor, origin| {
        let id = user_in_path(&id)?;
        change(engine, id, actor, origin)?;
        engine.find_user(&id.to_string()).map_err(Refusal::of)
    })
    .await?;
    Ok(HttpResponse::Ok().json(AccountBody::from(&user)))
}
