//! What an operator does to accounts; the same for every surface that lets them.

mod create;
mod users;

pub use create::{CreateUser, CreateUserError};
pub use users::{FindUserError, UserDetails};
