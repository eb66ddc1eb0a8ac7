//! Tells when something stops working and when it works again, not every time.

use std::error::Error;

use portcullis_kernel::causes;

/// How one thing that is done again and again goes.
pub(crate) struct Health {
    what: &'static str,
    failing: bool,
}

impl Health {
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, failing: false }
    }

    pub(crate) fn worked(&mut self) {
        if std::mem::take(&mut self.failing) {
            tracing::info!("{} works again", self.what);
        }
    }

    /// A fault of this side.
    pub(crate) fn failed(&mut self, error: &dyn Error) {
        let cause = causes(error);
        if std::mem::replace(&mut self.failing, true) {
            tracing::debug!(cause, "{} still fails", self.what);
        } else {
            tracing::error!(cause, "{} failed; it is tried again", self.what);
        }
    }

    /// Somebody else's fault, that may mend itself.
    pub(crate) fn hindered(&mut self, cause: &str) {
        if std::mem::replace(&mut self.failing, true) {
            tracing::debug!(cause, "{} still fails", self.what);
        } else {
            tracing::warn!(cause, "{} failed; it is tried again", self.what);
        }
    }
}
