//! Accounts of people: registration, sign-in, refresh, sign-out, profile, sessions.

mod authenticate;
mod issue;
mod profile;
mod refresh;
mod register;
mod sessions;
mod sign_in;
mod sign_out;

pub use authenticate::{AuthenticateError, Caller};
pub use issue::{SignedIn, Tokens};
pub use profile::{ProfileError, UpdateProfile};
pub use refresh::{Refresh, RefreshError};
pub use register::{Register, RegisterError, Registration};
pub use sessions::{SessionError, SessionView};
pub use sign_in::{SignIn, SignInAttempt, SignInError};
pub use sign_out::{SignOut, SignOutError};
