use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use actix_web::{
    App, HttpServer,
    dev::{Server, ServerHandle},
    middleware::from_fn,
    rt::time::sleep,
    web::{self, Data, ServiceConfig},
};
use portcullis_flows::Engine;
use portcullis_kernel::Entropy;
use portcullis_limits::TrustedProxies;
use socket2::SockRef;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    kit::{AppState, Blocking, Connection, HashQueue, Refusal, finish},
    oauth::Discovery,
    pages, surfaces,
};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// How long a connection may lie idle.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long the head of a request may take to arrive.
const HEAD_ARRIVES: Duration = Duration::from_secs(10);
/// How long a client may take to see that its connection ends.
const CLOSES: Duration = Duration::from_secs(5);
/// Accepting ends within this time of being told to.
const PAUSE: Duration = Duration::from_millis(10);
/// What clients have sent is read within this time.
const SETTLE: Duration = Duration::from_millis(200);

/// How the server listens and what it allows at once.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Where to listen.
    pub bind: SocketAddr,
    /// Threads that serve connections.
    pub workers: usize,
    /// The origin that clients know, such as `https://auth.example.com`.
    pub public_url: String,
    /// What the service calls itself on its pages.
    pub service_name: String,
    /// Whether `/dev/inbox` shows the mails that the local inbox holds; for development.
    pub dev_inbox: bool,
    /// Whose forwarding headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// Password hashes at once.
    pub hash_permits: usize,
    /// Requests that wait for one at most.
    pub hash_queue: usize,
    /// How long one waits.
    pub hash_wait: Duration,
    /// Requests that work on the database at once.
    pub database_permits: usize,
    /// How long one waits.
    pub database_wait: Duration,
    /// How long a client waits for its work once it has begun. Longer than the time-outs of the
    /// database, so that it is met only when the database gives no sign of life: what is not answered
    /// in time may still be done.
    pub database_deadline: Duration,
    /// How long running requests may take once the server is told to stop.
    pub shutdown_timeout: Duration,
}

impl AppState {
    /// The state of a server with these options.
    pub fn new(engine: Arc<Engine>, entropy: Arc<dyn Entropy>, options: &HttpOptions) -> Self {
        Self {
            discovery: Discovery::new(&options.public_url, &options.service_name, engine.options()),
            engine,
            entropy,
            blocking: Blocking::new(
                options.database_permits,
                options.database_wait,
                options.database_deadline,
            ),
            hashes: HashQueue::new(options.hash_permits, options.hash_queue, options.hash_wait),
            proxies: options.trusted_proxies.clone(),
            https: options.public_url.starts_with("https://"),
            origin: options.public_url.clone(),
            html: pages::html(&options.service_name, options.dev_inbox),
            dev_inbox: options.dev_inbox,
            openapi: surfaces::openapi(),
            stopping: AtomicBool::new(false),
        }
    }
}

/// Mounts every route.
pub fn configure(config: &mut ServiceConfig) {
    surfaces::routes().mount(config);
    config.default_service(web::to(|| async {
        let not_found = actix_web::http::StatusCode::NOT_FOUND;
        Err::<String, Refusal>(Refusal::from_status(not_found))
    }));
}

/// A server that listens, and does not serve yet.
pub struct Bound {
    server: Server,
    state: Data<AppState>,
    listener: TcpListener,
    address: SocketAddr,
    signals: [Signal; 2],
}

/// Listens. Must be called within an actix runtime.
///
/// # Errors
/// What is in the way of listening, or of hearing signals.
pub fn bind(
    engine: Arc<Engine>,
    entropy: Arc<dyn Entropy>,
    options: HttpOptions,
) -> io::Result<Bound> {
    let state = Data::new(AppState::new(engine, entropy, &options));
    let shared = state.clone();
    let threads = options.database_permits + options.hash_permits;
    let listener = TcpListener::bind(options.bind)?;
    SockRef::from(&listener).listen(BACKLOG)?;
    let address = listener.local_addr()?;
    let server = HttpServer::new(move || {
        App::new().app_data(shared.clone()).wrap(from_fn(finish)).configure(configure)
    })
    .workers(options.workers)
    .worker_max_blocking_threads(threads.div_ceil(options.workers.max(1)).max(1))
    .on_connect(Connection::begin)
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(HEAD_ARRIVES)
    .client_disconnect_timeout(CLOSES)
    .shutdown_timeout(options.shutdown_timeout.as_secs())
    .disable_signals()
    .listen(listener.try_clone()?)?;
    let signals = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    Ok(Bound { server: server.run(), state, listener, address, signals })
}

impl Bound {
    /// Where it listens: the real port when port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until SIGTERM or SIGINT, then lets running requests end. A second signal does not wait
    /// for them.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self) -> io::Result<()> {
        let Self { mut server, state, listener, mut signals, .. } = self;
        tokio::select! {
            served = &mut server => return served,
            () = heard(&mut signals) => {}
        }
        tracing::info!("stopping: running requests are let end, new ones are refused");
        state.stop();
        let stopped = drain(server.handle(), listener);
        tokio::select! {
            served = &mut server => served,
            () = stopped => Ok(()),
            () = heard(&mut signals) => {
                tracing::warn!("stopping at once: running requests are cut");
                Ok(())
            }
        }
    }
}

/// Refuses new connections at once, and ends the others when what has come over them is answered.
/// Without the pauses a request that has arrived, but was not begun, would lose its connection.
async fn drain(handle: ServerHandle, listener: TcpListener) {
    handle.pause().await;
    sleep(PAUSE).await;
    if let Err(error) = SockRef::from(&listener).shutdown(Shutdown::Both) {
        tracing::debug!(%error, "the listener is closed later");
    }
    sleep(SETTLE).await;
    handle.stop(true).await;
}

async fn heard([terminate, interrupt]: &mut [Signal; 2]) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
