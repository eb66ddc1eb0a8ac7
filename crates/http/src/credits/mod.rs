//! The Credits surface: `/v1/balance`, `/v1/meter/*`, `/v1/credits/*`.

mod balance;
mod body;
mod charge;
mod top_up;

use crate::kit::Routes;

pub(crate) fn mount(routes: &mut Routes) {
    balance::mount(routes);
    charge::mount(routes);
    top_up::mount(routes);
}
