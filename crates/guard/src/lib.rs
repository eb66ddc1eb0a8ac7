//! For resource servers: an API that takes Portcullis' access tokens and API keys.
//!
//! A [`Guard`] checks access tokens (JWTs) offline, against the key set of the auth server, which it keeps
//! and renews by itself, and API keys by asking the auth server, whose answers it keeps for some seconds. It
//! makes every refusal that the protocol knows: 401 with `resource_metadata` (RFC 9728), 403, 402, and 503
//! when the auth server cannot be asked; it never lets anybody in for want of an answer.
//!
//! The core knows no web framework. Features bring one: `tower` the layer
//! [`tower::GuardLayer`] for axum and tonic, `axum` its extractor besides, `tonic` refusals as a
//! `tonic::Status`, `actix` the middleware [`actix::Protect`]. `client`, on by default, brings an
//! [`HttpsClient`]; anything else that speaks HTTP can take its place as a [`Transport`].
//!
//! It runs on tokio, as these frameworks do, and reads no clock: it is handed a
//! [`Clock`](portcullis_kernel::Clock).

#[cfg(feature = "actix")]
pub mod actix;
#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "client")]
mod client;
mod cost;
mod flight;
mod gate;
#[cfg(feature = "tower")]
mod grpc;
mod guard;
mod introspect;
mod keys;
mod metadata;
mod meter;
mod options;
mod presented;
mod principal;
mod rate;
mod refusal;
mod server;
mod shelf;
mod told;
#[cfg(feature = "tower")]
pub mod tower;
mod transport;
mod url;

#[cfg(feature = "client")]
pub use client::HttpsClient;
pub use cost::{Cost, InvalidCost};
pub use guard::Guard;
pub use metadata::Metadata;
pub use meter::{Charged, OperationId};
pub use options::{
    About, Credentials, GuardOptions, IntrospectionPolicy, InvalidOptions, KeySetPolicy,
};
pub use portcullis_kernel::{InvalidScopes, Scopes};
pub use presented::Presented;
pub use principal::Principal;
pub use refusal::{Reason, Refusal, Unguarded};
pub use transport::{Answering, MOST_BYTES, Transport, TransportError};
