//! What is set for credits.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Limit, Secret, Span};

section! {
    /// Credits.
    Credits {
        topup_url: Option<String> = None,
        webhook_secret: Option<Secret> = None,
        webhook_secret_file: Option<PathBuf> = None,
    }
}

section! {
    /// Rate limits of balances, charges and top-ups.
    CreditLimits {
        anonymous: Limit = Limit { limit: 60, window: Span::minutes(1) },
        principal: Limit = Limit { limit: 100, window: Span::minutes(1) },
        charge: Limit = Limit { limit: 600, window: Span::minutes(1) },
        top_up: Limit = Limit { limit: 600, window: Span::minutes(1) },
    }
}
