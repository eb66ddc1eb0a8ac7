//! What is set for credits.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Secret;

section! {
    /// Credits.
    Credits {
        topup_url: Option<String> = None,
        webhook_secret: Option<Secret> = None,
        webhook_secret_file: Option<PathBuf> = None,
    }
}
