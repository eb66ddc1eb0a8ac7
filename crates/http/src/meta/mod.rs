//! What belongs to no surface: health, readiness, key set, description, front page.

mod health;
mod index;
mod jwks;
mod openapi;

use crate::kit::Routes;

pub(crate) fn mount(routes: &mut Routes) {
    health::mount(routes);
    index::mount(routes);
    jwks::mount(routes);
    openapi::mount(routes);
}
