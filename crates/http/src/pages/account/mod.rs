//! A person's own account: `/account` and what is below it.

mod agents;
mod delete;
mod device;
mod done;
mod email;
mod password;
mod profile;
mod register;
mod sessions;
mod sign_in;
mod view;

use crate::kit::Routes;

pub(super) fn mount(routes: &mut Routes) {
    profile::mount(routes);
    sign_in::mount(routes);
    register::mount(routes);
    email::mount(routes);
    password::mount(routes);
    sessions::mount(routes);
    agents::mount(routes);
    delete::mount(routes);
}
