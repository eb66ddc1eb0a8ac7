//! A middleware, an extractor and a resource for actix-web.

mod answers;
mod protect;

pub use answers::metadata;
pub use protect::{Protect, Protected};
