//! The life of a cluster: it starts, answers, stops, comes back, and leaves nothing.

#![expect(clippy::panic, clippy::print_stderr, reason = "helpers of tests")]

use std::{
    env,
    io::{BufRead, BufReader, ErrorKind},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use portcullis_testkit_postgres::{Cluster, Options};

fn cluster() -> Option<Cluster> {
    cluster_with(&Options::default())
}

fn cluster_with(options: &Options) -> Option<Cluster> {
    match Cluster::start_with(options) {
        Ok(cluster) => Some(cluster),
        Err(error) if error.kind() == ErrorKind::NotFound && !postgres_is_required() => {
            eprintln!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[expect(clippy::disallowed_methods, reason = "a test tool: settings do not exist here")]
fn postgres_is_required() -> bool {
    let is_set = |name, value| env::var(name).is_ok_and(|v| v == value);
    is_set("CI", "true") || is_set("PORTCULLIS_REQUIRE_POSTGRES", "1")
}

fn accepts(cluster: &Cluster) -> bool {
    TcpStream::connect(("127.0.0.1", cluster.port())).is_ok()
}

#[test]
fn it_starts_answers_and_leaves_nothing() {
    let Some(cluster) = cluster() else { return };
    cluster.execute("CREATE DATABASE sample").unwrap();
    let error = cluster.execute("CREATE DATABASE sample").unwrap_err();
    assert!(error.to_string().contains("already exists"), "{error}");
    assert!(cluster.url("sample").ends_with(&format!("@127.0.0.1:{}/sample", cluster.port())));
    assert!(accepts(&cluster));
    let (directory, port) = (cluster.directory().to_owned(), cluster.port());
    assert!(directory.exists());
    cluster.stop();
    assert!(!directory.exists());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_stopped_server_comes_back_with_its_data() {
    let Some(cluster) = cluster() else { return };
    for stop in [Cluster::stop_server, Cluster::crash_server] {
        cluster.execute("CREATE DATABASE kept").unwrap();
        stop(&cluster).unwrap();
        assert!(!accepts(&cluster));
        assert!(cluster.execute("SELECT 1").is_err());
        cluster.start_server().unwrap();
        assert!(accepts(&cluster));
        cluster.execute("DROP DATABASE kept").unwrap();
    }
}

#[test]
fn a_durable_cluster_writes_to_the_disk() {
    let durable = Options { durable: true, ..Options::default() };
    let Some(cluster) = cluster_with(&durable) else { return };
    let check = "DO $$ BEGIN ASSERT current_setting('fsync') = 'on'; END $$";
    cluster.execute(check).unwrap();
}

/// Plays the owner in the next test: says where its cluster is, then waits to be killed.
#[test]
#[ignore = "started by a_killed_owner_leaves_nothing"]
fn an_owner_that_waits() {
    let Some(cluster) = cluster() else { return };
    eprintln!("{}", cluster.directory().display());
    thread::sleep(Duration::from_mins(2));
}

#[test]
fn a_killed_owner_leaves_nothing() {
    let Some(cluster) = cluster() else { return };
    drop(cluster);
    let mut owner = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "an_owner_that_waits"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(owner.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let directory = Path::new(line.trim_end());
    assert!(directory.is_dir(), "{line}");
    owner.kill().unwrap();
    owner.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while directory.exists() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(50));
    }
    assert!(!directory.exists());
}
