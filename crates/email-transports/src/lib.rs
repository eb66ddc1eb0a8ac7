//! Transports of mail: [`Smtp`] hands it to a mail server, [`Directory`] writes it to files.
//!
//! Both send the same mail, made in one place.

mod address;
mod directory;
mod mime;
mod sender;
mod setup;
mod smtp;

pub use directory::Directory;
pub use sender::Sender;
pub use setup::SetupError;
pub use smtp::{Smtp, SmtpOptions, SmtpTls};
