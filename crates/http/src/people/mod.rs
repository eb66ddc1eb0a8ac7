//! The People surface: `/v1/auth/*` and `/v1/users/*`.

mod body;
mod login;
mod logout;
mod me;
mod refresh;
mod register;
mod sessions;

use crate::kit::Routes;

pub(crate) fn mount(routes: &mut Routes) {
    register::mount(routes);
    login::mount(routes);
    refresh::mount(routes);
    logout::mount(routes);
    sessions::mount(routes);
    me::mount(routes);
}
