//! What every surface shares: the call, its body, limits, refusals, envelopes, routes.

mod blocking;
mod body;
mod call;
mod connection;
mod envelope;
mod finish;
mod json;
mod refusal;
mod routes;
mod state;
mod unread;
mod wire_time;

pub(crate) use blocking::{Blocking, HashQueue};
pub(crate) use body::JsonBody;
pub(crate) use call::{Answer, Call};
pub(crate) use connection::Connection;
pub use finish::finish;
pub(crate) use refusal::Refusal;
pub(crate) use routes::Routes;
pub use state::AppState;
pub(crate) use wire_time::seconds;
