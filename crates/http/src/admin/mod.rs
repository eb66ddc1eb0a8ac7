//! The Admin surface: `/v1/admin/*`, for users with the role `admin`.

mod agents;
mod body;
mod invitations;
mod state;
mod users;

use portcullis_audit::Actor;
use portcullis_flows::{
    Engine,
    admin::{FindUserError, ListInput, authorize_admin},
};
use portcullis_kernel::{Origin, UserId};

use crate::kit::{Call, Query, Refusal, Routes};

pub(crate) fn mount(routes: &mut Routes) {
    users::mount(routes);
    state::mount(routes);
    invitations::mount(routes);
    agents::mount(routes);
}

/// Accepts the bearer token of an administrator, and runs `work` on their behalf.
async fn as_admin<T: Send + 'static>(
    call: &Call,
    work: impl FnOnce(&Engine, Actor, &Origin) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    call.as_user(|engine, caller, origin| {
        let actor = authorize_admin(&caller).map_err(Refusal::of)?;
        work(engine, actor, origin)
    })
    .await
}

/// The user that the path names by their id: an address there would get into logs.
fn user_in_path(id: &str) -> Result<UserId, Refusal> {
    id.parse().map_err(|_| Refusal::of(FindUserError::NotFound))
}

/// Which part of a list the query asks for.
fn page_in_query(query: &mut Query) -> ListInput {
    ListInput { limit: query.take("limit"), cursor: query.take("cursor") }
}
