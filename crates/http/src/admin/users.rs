use actix_web::HttpResponse;
use portcullis_flows::admin::{ListUsers, UserDetails};
use portcullis_identity::User;
use portcullis_kernel::{Cursor, Page};
use serde::Serialize;
use utoipa::ToSchema;

use super::{as_admin, body::AccountBody, page_in_query, user_in_path};
use crate::{
    kit::{Answer, Call, Refusal, Routes},
    people::body::{PeopleError, SessionBody},
};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_list_users, list_users);
    routes.add(__path_show_user, show_user);
    routes.add(__path_delete_user, delete_user);
    routes.add(__path_revoke_sessions, revoke_sessions);
}

/// Some of the accounts, the oldest first.
#[derive(Serialize, ToSchema)]
struct AccountsBody {
    users: Vec<AccountBody>,
    /// What asks for the next ones, as `cursor`; `null` at the end.
    next_cursor: Option<String>,
}

impl From<Page<User>> for AccountsBody {
    fn from(page: Page<User>) -> Self {
        Self {
            users: page.items.iter().map(AccountBody::from).collect(),
            next_cursor: page.next.as_ref().map(Cursor::encode),
        }
    }
}

/// An account and what belongs to it.
#[derive(Serialize, ToSchema)]
struct AccountDetailsBody {
    #[serde(flatten)]
    account: AccountBody,
    /// Whether it has a password.
    has_password: bool,
    /// Its live sessions, the last used first.
    sessions: Vec<SessionBody>,
}

impl From<UserDetails> for AccountDetailsBody {
    fn from(details: UserDetails) -> Self {
        Self {
            account: AccountBody::from(&details.user),
            has_password: details.has_password,
            sessions: details.sessions.into_iter().map(SessionBody::from).collect(),
        }
    }
}

/// Lists accounts, all or those that fit every parameter given.
#[utoipa::path(get, path = "/v1/admin/users", tag = "admin",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 200; 50 when left out."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("email" = Option<String>, Query, description = "Part of the address."),
        ("role" = Option<String>, Query,
            description = "`user`, `verified_user`, `host` or `admin`."),
        ("status" = Option<String>, Query, description = "`active` or `suspended`."),
    ),
    security(("access_token" = [])),
    responses(
        (status = 200, description = "The accounts.", body = AccountsBody),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 403, description = "`forbidden`: not an administrator.", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn list_users(call: Call) -> Answer {
    let mut query = call.query();
    let page = as_admin(&call, move |engine, _, _| {
        let input = ListUsers {
            page: page_in_query(&mut query),
            email: query.take("email"),
            role: query.take("role"),
            status: query.take("status"),
        };
        let (filter, page) = input.check().map_err(Refusal::of)?;
        engine.list_users(&filter, &page).map_err(Refusal::of)
    })
    .await?;
    Ok(HttpResponse::Ok().json(AccountsBody::from(page)))
}

/// An account and what belongs to it.
#[utoipa::path(get, path = "/v1/admin/users/{id}", tag = "admin",
    params(("id" = String, Path, description = "The user's id.")),
    security(("access_token" = [])),
    responses(
        (status = 200, description = "The account.", body = AccountDetailsBody),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 403, description = "`forbidden`: not an administrator.", body = PeopleError),
        (status = 404, description = "`not_found`: no such user.", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn show_user(call: Call) -> Answer {
    let id = call.segment("id");
    let details = as_admin(&call, move |engine, _, _| {
        let id = user_in_path(&id)?;
        engine.show_user(&id.to_string()).map_err(Refusal::of)
    })
    .await?;
    Ok(HttpResponse::Ok().json(AccountDetailsBody::from(details)))
}

/// Erases an account with everything that belongs to it; not one's own.
#[utoipa::path(delete, path = "/v1/admin/users/{id}", tag = "admin",
    params(("id" = String, Path, description = "The user's id.")),
    security(("access_token" = [])),
    responses(
        (status = 204, description = "The account is gone."),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 403, description = "`forbidden`: not an administrator.", body = PeopleError),
        (status = 404, description = "`not_found`: no such user.", body = PeopleError),
        (status = 409, description = "`conflict`: one's own account.", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn delete_user(call: Call) -> Answer {
    let id = call.segment("id");
    as_admin(&call, move |engine, actor, origin| {
        engine.delete_user(user_in_path(&id)?, actor, origin).map_err(Refusal::of)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Ends every session of an account.
#[utoipa::path(delete, path = "/v1/admin/users/{id}/sessions", tag = "admin",
    params(("id" = String, Path, description = "The user's id.")),
    security(("access_token" = [])),
    responses(
        (status = 204, description = "They are over."),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 403, description = "`forbidden`: not an administrator.", body = PeopleError),
        (status = 404, description = "`not_found`: no such user.", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn revoke_sessions(call: Call) -> Answer {
    let id = call.segment("id");
    as_admin(&call, move |engine, actor, origin| {
        engine.revoke_sessions(user_in_path(&id)?, actor, origin).map_err(Refusal::of)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
