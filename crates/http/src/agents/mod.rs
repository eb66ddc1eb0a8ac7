//! The Agents surface: `/api/*`, for programs with an account of their own.

pub(crate) mod account;
mod answers;
mod audit_log;
mod body;
mod directory;
mod key;
pub(crate) mod keys;
mod profile;
mod recovery;
pub(crate) mod register;
pub(crate) mod token;
mod verify_email;

use portcullis_flows::{
    Engine,
    agents::{AgentCaller, AgentLimit, authorize_agent},
};
use portcullis_identity::Agent;
use portcullis_kernel::Origin;

use crate::kit::{Call, Refusal, Routes};

/// The segment of a path that names an agent.
const AGENT: &str = "agent_id";
/// The segment of a path that names an API key.
const KEY: &str = "key_id";

pub(crate) fn mount(routes: &mut Routes) {
    register::mount(routes);
    verify_email::mount(routes);
    token::mount(routes);
    recovery::mount(routes);
    keys::mount(routes);
    key::mount(routes);
    account::mount(routes);
    profile::mount(routes);
    directory::mount(routes);
    audit_log::mount(routes);
}

/// Accepts an access token of the agent that the path names, and runs `work` for it.
async fn as_named_agent<T: Send + 'static>(
    call: &Call,
    work: impl FnOnce(&Engine, AgentCaller, &Origin) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let named = call.segment(AGENT);
    call.as_agent(AgentLimit::Usual, move |engine, caller, origin| {
        authorize_agent(caller.agent.id, &named).map_err(Refusal::of)?;
        work(engine, caller, origin)
    })
    .await
}

/// Accepts the recovery key of the agent that the path names, and runs `work` for it.
async fn as_named_owner<T: Send + 'static>(
    call: &Call,
    limit: AgentLimit,
    work: impl FnOnce(&Engine, Agent, &Origin) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let named = call.segment(AGENT);
    call.as_recovery(limit, move |engine, agent, origin| {
        authorize_agent(agent.id, &named).map_err(Refusal::of)?;
        work(engine, agent, origin)
    })
    .await
}
