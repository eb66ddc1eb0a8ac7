use std::{io, path::PathBuf};

/// Why a transport cannot be made of its options.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The sender is not one mailbox.
    #[error("the sender is not one address, with or without a name before it")]
    Sender,
    /// The host is no host.
    #[error("`{0}` is not the name or address of a mail server")]
    Host(String),
    /// Mail would leave the machine in clear.
    #[error("mail goes without TLS to a loopback address only, which {0} is not")]
    Clear(String),
    /// The certificates of the certificate authority cannot be read.
    #[error("the certificate authority cannot be used: {0}")]
    Authority(String),
    /// There is no time to answer.
    #[error("the timeout is zero")]
    Timeout,
    /// The directory cannot be made or read.
    #[error("the directory {} cannot be used: {cause}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        cause: io::Error,
    },
}
