//! Agents that sign themselves up (the auth.md protocol): `/v1/auth/agent*`, and the documents by which they
//! find their way.

mod body;
mod claim;
mod manifest;
mod revoke;
mod sign_up;

pub(crate) use manifest::manifest;

use crate::kit::Routes;

pub(crate) fn mount(routes: &mut Routes) {
    sign_up::mount(routes);
    claim::mount(routes);
    revoke::mount(routes);
    manifest::mount(routes);
}
