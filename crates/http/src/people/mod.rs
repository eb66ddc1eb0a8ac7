//! The People surface: `/v1/auth/*` and `/v1/users/*`.

mod agents;
pub(crate) mod body;
mod email_change;
mod login;
mod logout;
mod me;
mod password_change;
mod password_reset;
mod refresh;
mod register;
mod sessions;
mod verify_email;

use crate::kit::Routes;

pub(crate) fn mount(routes: &mut Routes) {
    register::mount(routes);
    login::mount(routes);
    refresh::mount(routes);
    logout::mount(routes);
    verify_email::mount(routes);
    password_reset::mount(routes);
    password_change::mount(routes);
    sessions::mount(routes);
    me::mount(routes);
    email_change::mount(routes);
    agents::mount(routes);
}
