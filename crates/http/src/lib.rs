//! The HTTP edge on actix-web: a `kit`, and one folder a surface.
//!
//! A handler parses, makes one call of the engine, and renders. What it may decide is in the flows;
//! what every answer needs (envelope, headers, request id, log line) is in [`kit`].

mod admin;
mod agents;
mod credits;
mod kit;
mod meta;
mod oauth;
mod pages;
mod people;
mod registration;
mod server;
mod surfaces;

pub use server::{Bound, HttpOptions, bind};
pub use surfaces::openapi;

#[doc(hidden)]
pub use kit::{AppState, finish};
#[doc(hidden)] // for tests of the routes without a socket
pub use server::configure;
#[doc(hidden)]
pub use surfaces::development_openapi;
