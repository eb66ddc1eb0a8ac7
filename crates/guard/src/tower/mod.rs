//! A layer and a service for tower: axum, tonic, and whatever else serves `http::Request`.

mod layer;
mod metadata;

pub use layer::{GuardLayer, Guarded, GuardedBody};
pub use metadata::MetadataService;
