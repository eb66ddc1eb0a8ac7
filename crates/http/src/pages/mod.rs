//! What browsers are served: pages made here, with forms and without scripts.

mod account;
mod ask;
mod assets;
mod claim;
mod dev;
mod link;
mod reset;
mod templates;
mod verify;
mod verify_agent;

use crate::kit::Routes;

pub(crate) use templates::html;
pub(crate) use verify_agent::show_proven_agent;

pub(crate) fn mount(routes: &mut Routes) {
    assets::mount(routes);
    verify::mount(routes);
    verify_agent::mount(routes);
    reset::mount(routes);
    account::mount(routes);
    claim::mount(routes);
    dev::mount(routes);
}
