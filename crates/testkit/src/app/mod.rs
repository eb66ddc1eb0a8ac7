//! The real routes over every storage, called in-process by clients that each have an address.
//!
//! Every answer is held against what all answers must keep (see [`Reply`]) before a test sees it.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support: a failure is the test's"
)]

mod agent;
mod checks;
mod client;
mod declared;
mod mails;
mod parallel;
mod person;
mod reply;
mod socket;
mod stored;

use std::{
    cell::Cell,
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    time::Duration as Wait,
};

use actix_web::{App, body::to_bytes, middleware::from_fn, test, test::TestRequest, web::Data};
use portcullis_flows::{Engine, EngineOptions};
use portcullis_http::{AppState, HttpOptions, configure, finish};
use portcullis_kernel::StoreResult;
use portcullis_limits::TrustedProxies;
use portcullis_storage::{StorageExt as _, UnitOfWork};

pub use self::{
    agent::Bot,
    client::{Client, Request},
    declared::Declared,
    mails::Mail,
    parallel::all,
    person::{PASSWORD, Person},
    reply::Reply,
    socket::{Raw, Socket},
    stored::Stored,
};
use crate::{clock::FixedClock, engine::TestEngine, entropy::SeededEntropy};

/// One call of the routes.
type Service = Rc<dyn Fn(TestRequest) -> Pin<Box<dyn Future<Output = Reply>>>>;

/// What a test wants other than the defaults.
#[derive(Clone, Debug)]
pub struct AppOptions {
    /// The domain's numbers and switches.
    pub engine: EngineOptions,
    /// The origin that clients know.
    pub public_url: &'static str,
    /// What the service calls itself on its pages.
    pub service_name: &'static str,
    /// Whether the inbox of development is shown.
    pub dev_inbox: bool,
    /// Whose forwarding headers are believed.
    pub trusted_proxies: &'static [&'static str],
}

impl Default for AppOptions {
    fn default() -> Self {
        let mut engine = EngineOptions::default();
        "api.vidivo.app".clone_into(&mut engine.access.issuer);
        Self {
            engine,
            public_url: "http://127.0.0.1:8080",
            service_name: "Portcullis",
            dev_inbox: false,
            trusted_proxies: &[],
        }
    }
}

/// A server without a socket.
pub struct TestApp {
    engine: TestEngine,
    options: AppOptions,
    service: Service,
    clients: Cell<u32>,
    // Last, so that the database outlives its connections.
    stored: Stored,
}

impl TestApp {
    /// With the defaults, over `stored`.
    pub async fn over(stored: Stored) -> Self {
        Self::with(stored, AppOptions::default()).await
    }

    /// With the defaults, over memory.
    pub async fn memory() -> Self {
        Self::over(Stored::memory()).await
    }

    /// With these options, over memory.
    pub async fn memory_with(options: AppOptions) -> Self {
        Self::with(Stored::memory(), options).await
    }

    /// With these options, over `stored`.
    pub async fn with(stored: Stored, options: AppOptions) -> Self {
        let wanted = options.engine.clone();
        let engine =
            TestEngine::builder().storage(stored.storage()).options(|own| *own = wanted).build();
        let service = in_process(state(&engine.engine, &options)).await;
        Self { engine, options, service, clients: Cell::new(0), stored }
    }

    /// Over memory, while the first signing key is still to be made.
    pub async fn without_keys() -> Self {
        let (stored, options) = (Stored::memory(), AppOptions::default());
        let engine = TestEngine::builder().storage(stored.storage()).build_closed();
        let service = in_process(state(&engine.engine, &options)).await;
        Self { engine, options, service, clients: Cell::new(0), stored }
    }

    /// Another instance over the same rows, clock and keys, with memory of its own.
    pub async fn peer(&self) -> Self {
        let stored = self.stored.another_instance();
        let engine = self.engine.peer().storage(stored.storage()).build();
        let options = self.options.clone();
        let service = in_process(state(&engine.engine, &options)).await;
        Self { engine, options, service, clients: Cell::new(1 << 16), stored }
    }

    /// The engine behind the routes.
    pub fn engine(&self) -> &TestEngine {
        &self.engine
    }

    /// The time, which stands still unless a test moves it.
    pub fn clock(&self) -> &FixedClock {
        &self.engine.clock
    }

    /// What the app runs with.
    pub fn options(&self) -> &AppOptions {
        &self.options
    }

    /// What holds the rows.
    pub fn stored(&self) -> &Stored {
        &self.stored
    }

    /// Reads committed rows.
    ///
    /// # Panics
    /// When the storage fails.
    pub fn read<T>(&self, work: impl FnOnce(&mut dyn UnitOfWork) -> StoreResult<T>) -> T {
        self.engine.storage.read(work).expect("the storage can be read")
    }

    /// A client with an address that no other client of this app has.
    pub fn client(&self) -> Client<'_> {
        let n = self.clients.get() + 1;
        self.clients.set(n);
        let [_, b, c, d] = n.to_be_bytes();
        self.client_at(IpAddr::from(Ipv4Addr::new(10, b, c, d)))
    }

    /// A client at this address.
    ///
    /// # Panics
    /// When it is none.
    pub fn client_at(&self, address: impl TryInto<IpAddr, Error: std::fmt::Debug>) -> Client<'_> {
        Client::new(self, address.try_into().expect("an address"))
    }

    /// The same engine behind a socket on loopback.
    pub fn listen(&self) -> Socket {
        Socket::open(state(&self.engine.engine, &self.options))
    }

    pub(crate) fn call(&self, request: TestRequest) -> Pin<Box<dyn Future<Output = Reply>>> {
        (self.service)(request)
    }
}

fn state(engine: &Arc<Engine>, options: &AppOptions) -> Data<AppState> {
    let networks = options.trusted_proxies.iter().map(|text| text.parse().expect("a network"));
    let http = HttpOptions {
        bind: (Ipv4Addr::LOCALHOST, 0).into(),
        workers: 1,
        public_url: options.public_url.to_owned(),
        service_name: options.service_name.to_owned(),
        dev_inbox: options.dev_inbox,
        trusted_proxies: TrustedProxies::new(networks.collect()),
        hash_permits: 2,
        hash_queue: 256,
        // Tests wait for their turn on a busy machine rather than fail.
        hash_wait: Wait::from_mins(2),
        database_permits: 8,
        database_wait: Wait::from_mins(2),
        database_deadline: Wait::from_mins(2),
        shutdown_timeout: Wait::from_secs(1),
    };
    Data::new(AppState::new(Arc::clone(engine), Arc::new(SeededEntropy::new(7)), &http))
}

async fn in_process(state: Data<AppState>) -> Service {
    let app = App::new().app_data(state).wrap(from_fn(finish)).configure(configure);
    let service = Rc::new(test::init_service(app).await);
    Rc::new(move |request: TestRequest| {
        let service = Rc::clone(&service);
        Box::pin(async move {
            let answer = test::call_service(&*service, request.to_request()).await;
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let body = to_bytes(answer.into_body()).await.unwrap_or_else(|_| panic!("a body"));
            Reply::new(status, headers, body)
        })
    })
}

/// Runs a test over memory, SQLite and `PostgreSQL`; over the last only where it is installed.
///
/// ```ignore
/// on_every_storage!(a_behaviour, |app| { app.client().get("/health").await.expect(200); });
/// ```
#[macro_export]
macro_rules! on_every_storage {
    ($name:ident, |$app:ident| $body:block) => {
        mod $name {
            use super::*;

            async fn run($app: $crate::app::TestApp) $body

            #[actix_web::test]
            async fn memory() {
                run($crate::app::TestApp::memory().await).await;
            }

            #[actix_web::test]
            async fn sqlite() {
                run($crate::app::TestApp::over($crate::app::Stored::sqlite()).await).await;
            }

            #[actix_web::test]
            async fn postgres() {
                let Some(stored) = $crate::app::Stored::postgres() else { return };
                run($crate::app::TestApp::over(stored).await).await;
            }
        }
    };
}
