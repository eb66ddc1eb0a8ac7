//! A throw-away PostgreSQL cluster for tests and benchmarks, with the standard library alone.
//!
//! [`Cluster::start`] makes a private cluster from the PostgreSQL programs that the machine
//! already has, in a directory of its own and on a loopback port of its own. It works for an
//! ordinary user and for root (PostgreSQL refuses to run as root, so its processes then take
//! an unprivileged account). However the owning process ends, `kill -9` included, the server
//! stops and its directory goes.
//!
//! ```no_run
//! let cluster = portcullis_testkit_postgres::Cluster::start()?;
//! cluster.execute("CREATE DATABASE sample")?;
//! println!("{}", cluster.url("sample"));
//! # Ok::<(), std::io::Error>(())
//! ```

mod account;
mod binaries;
mod cluster;
mod directory;
mod supervisor;
mod wire;

pub use binaries::server_binaries;
pub use cluster::{Cluster, Options};
