//! What every surface shares: the call, its body, limits, refusals, envelopes, routes.

mod blocking;
mod body;
mod call;
mod connection;
mod cookies;
mod envelope;
mod filled;
mod finish;
mod form;
mod html;
mod json;
mod page;
mod page_answers;
mod password;
mod query;
mod refusal;
mod routes;
mod sender;
mod state;
mod unread;
mod wire_time;

pub(crate) use blocking::{Blocking, HashQueue};
pub(crate) use body::JsonBody;
pub(crate) use call::{Answer, Call};
pub(crate) use connection::Connection;
pub(crate) use filled::Filled;
pub use finish::finish;
pub(crate) use form::FormBody;
pub(crate) use html::{HTML, Html};
pub(crate) use page::{ACCOUNT, Owner, PageCall, go};
pub(crate) use page_answers::{FormAnswers, Reads, UnlimitedReads};
pub(crate) use query::Query;
pub(crate) use refusal::Refusal;
pub(crate) use routes::Routes;
pub use state::AppState;
pub(crate) use wire_time::{readable, seconds};
