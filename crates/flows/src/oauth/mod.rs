//! What resource servers ask, and standard clients: introspection (RFC 7662), revocation (RFC 7009), and
//! the resource servers themselves.

mod introspect;
mod look;
mod revoke;
mod servers;

pub use introspect::{Active, Introspection, PrincipalKind};
pub(crate) use look::Found;
pub use revoke::{RevokeError, Revoker};
pub use servers::{
    AddServer, AddServerError, AddedServer, ServerAuthError, ServerLimit, is_resource,
};
