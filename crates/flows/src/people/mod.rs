//! Accounts of people: registration, sign-in, refresh, sign-out, profile, sessions, password, address,
//! deletion.

mod authenticate;
mod change_email;
mod change_password;
mod delete;
mod issue;
mod mailed;
mod page;
mod password;
mod profile;
mod refresh;
mod register;
mod reset;
mod sessions;
mod sign_in;
mod sign_out;
mod verify;

pub use authenticate::{AuthenticateError, Caller};
pub use change_email::{
    AddressChange, ChangeEmail, ChangeEmailError, ConfirmEmail, ConfirmEmailError,
};
pub use change_password::{ChangePassword, PasswordChange};
pub use delete::{DeleteAccount, DeleteError, Deletion};
pub use issue::{SignedIn, Tokens};
pub use mailed::{MailedTokenError, PresentToken, PresentedToken};
pub use page::PageSignedIn;
pub use password::PasswordError;
pub use profile::{ProfileError, UpdateProfile};
pub use refresh::{Refresh, RefreshError};
pub use register::{Register, RegisterError, Registration};
pub use reset::{PasswordReset, ResetError, ResetPassword};
pub(crate) use reset::{prove_mailbox, tell_reclaimed};
pub use sessions::{SessionError, SessionView};
pub use sign_in::{SignIn, SignInAttempt, SignInError};
pub use sign_out::{SignOut, SignOutError};
