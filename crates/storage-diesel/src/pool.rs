use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use diesel::r2d2::{self, HandleError, ManageConnection, PooledConnection, R2D2Connection};
use portcullis_kernel::{StoreError, StoreResult};

/// The size and the patience of a pool of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// Connections at most; at least one is taken. SQLite has one more, for writing.
    pub max_connections: u32,
    /// How long a unit of work waits for a connection.
    pub acquire_timeout: Duration,
}

impl Default for PoolOptions {
    /// Ten connections, two seconds.
    fn default() -> Self {
        Self { max_connections: 10, acquire_timeout: Duration::from_secs(2) }
    }
}

/// Opens connections of one dialect.
pub(crate) trait Connect: Send + Sync + 'static {
    type Conn: R2D2Connection + Send + 'static;

    /// A connection that lay idle for longer is pinged before it is used; `None` for never.
    const PING_AFTER: Option<Duration>;

    fn connect(&self) -> Result<Self::Conn, ConnectError>;
}

/// Why there is no connection; without any part of a connection URL.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConnectError(pub(crate) String);

/// A connection and what the pool knows of its health.
pub(crate) struct Link<C> {
    pub(crate) conn: C,
    used_at: Instant,
    broken: bool,
}

impl<C> Link<C> {
    /// Keeps the connection from being used again.
    pub(crate) fn condemn(&mut self) {
        self.broken = true;
    }

    pub(crate) fn is_condemned(&self) -> bool {
        self.broken
    }
}

pub(crate) struct Manager<C> {
    connector: C,
    health: Arc<Health>,
}

#[derive(Default)]
struct Health {
    /// When a connection last broke: those that were used before then may be broken too.
    broke_at: Mutex<Option<Instant>>,
    /// The last attempt to connect failed.
    failing: AtomicBool,
}

impl Health {
    fn is_suspect(&self, used_at: Instant) -> bool {
        let broke_at = *self.broke_at.lock().unwrap_or_else(PoisonError::into_inner);
        broke_at.is_some_and(|broke_at| used_at <= broke_at)
    }

    fn note_break(&self) {
        *self.broke_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

impl<C: Connect> ManageConnection for Manager<C> {
    type Connection = Link<C::Conn>;
    type Error = ConnectError;

    fn connect(&self) -> Result<Self::Connection, ConnectError> {
        let conn = self.connector.connect()?;
        if self.health.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("connected to the database again");
        }
        Ok(Link { conn, used_at: Instant::now(), broken: false })
    }

    fn is_valid(&self, link: &mut Self::Connection) -> Result<(), ConnectError> {
        let Some(ping_after) = C::PING_AFTER else { return Ok(()) };
        if link.used_at.elapsed() < ping_after && !self.health.is_suspect(link.used_at) {
            return Ok(());
        }
        link.conn.ping().map_err(|error| ConnectError(error.to_string()))
    }

    fn has_broken(&self, link: &mut Self::Connection) -> bool {
        let broken = link.broken || std::thread::panicking() || link.conn.is_broken();
        if broken {
            self.health.note_break();
        }
        link.used_at = Instant::now();
        broken
    }
}

/// Warns of the first failure of a row and whispers the others.
struct Reporter(Arc<Health>);

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reporter")
    }
}

impl HandleError<ConnectError> for Reporter {
    fn handle_error(&self, error: ConnectError) {
        if self.0.failing.swap(true, Ordering::Relaxed) {
            tracing::debug!(%error, "still no connection to the database");
        } else {
            tracing::warn!(%error, "no connection to the database");
        }
    }
}

/// How long a unit of work waits while the database is away. The pool goes on trying by itself.
const WAIT_WHILE_AWAY: Duration = Duration::from_millis(250);

/// Connections of one dialect.
pub(crate) struct Pool<C: Connect> {
    connections: r2d2::Pool<Manager<C>>,
    health: Arc<Health>,
    acquire_timeout: Duration,
}

pub(crate) type Pooled<C> = PooledConnection<Manager<C>>;

impl<C: Connect> Pool<C> {
    /// A pool that opens its connections when they are wanted and keeps them for at most `lifetime`.
    pub(crate) fn new(
        connector: C,
        size: u32,
        acquire_timeout: Duration,
        lifetime: Option<Duration>,
    ) -> Self {
        let health = Arc::new(Health::default());
        // r2d2 panics on zeroes.
        let acquire_timeout = acquire_timeout.max(Duration::from_millis(1));
        let builder = r2d2::Pool::builder()
            .max_size(size.max(1))
            .min_idle(Some(0))
            .connection_timeout(acquire_timeout)
            .idle_timeout(lifetime.map(|lifetime| lifetime / 3))
            .max_lifetime(lifetime)
            .test_on_check_out(C::PING_AFTER.is_some())
            .error_handler(Box::new(Reporter(Arc::clone(&health))));
        let manager = Manager { connector, health: Arc::clone(&health) };
        Self { connections: builder.build_unchecked(manager), health, acquire_timeout }
    }

    /// A connection, waited for as long as the options allow, and hardly at all while none can be
    /// made: requests would only queue behind one another.
    pub(crate) fn acquire(&self) -> StoreResult<Pooled<C>> {
        let wait = if self.is_away() { WAIT_WHILE_AWAY } else { self.acquire_timeout };
        let wait = wait.min(self.acquire_timeout);
        self.connections.get_timeout(wait).map_err(|error| StoreError::Unavailable(Box::new(error)))
    }

    /// There is no connection, and the last attempt to make one failed.
    fn is_away(&self) -> bool {
        self.health.failing.load(Ordering::Relaxed) && self.connections.state().connections == 0
    }
}
