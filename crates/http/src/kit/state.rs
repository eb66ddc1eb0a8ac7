use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use portcullis_flows::Engine;
use portcullis_kernel::Entropy;
use portcullis_limits::TrustedProxies;

use super::{Blocking, HashQueue, html::Html};
use crate::oauth::Discovery;

/// What every request needs.
pub struct AppState {
    pub(crate) engine: Arc<Engine>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) blocking: Blocking,
    pub(crate) hashes: HashQueue,
    pub(crate) proxies: TrustedProxies,
    pub(crate) https: bool,
    /// The origin that clients know.
    pub(crate) origin: String,
    pub(crate) html: Html,
    /// The inbox of development is shown.
    pub(crate) dev_inbox: bool,
    pub(crate) openapi: String,
    pub(crate) discovery: Discovery,
    pub(crate) stopping: AtomicBool,
}

impl AppState {
    /// From now on every answer closes its connection.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}
