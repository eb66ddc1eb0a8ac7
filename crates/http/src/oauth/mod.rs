//! The OAuth surface: `/oauth2/*`, and the documents that describe this server to standard clients.

mod agent_auth;
mod body;
mod client;
mod discovery;
mod introspect;
mod revoke;
mod token;

pub(crate) use client::as_server;
pub(crate) use discovery::Discovery;

use crate::kit::Routes;

pub(crate) fn mount(routes: &mut Routes) {
    token::mount(routes);
    introspect::mount(routes);
    revoke::mount(routes);
    discovery::mount(routes);
}
