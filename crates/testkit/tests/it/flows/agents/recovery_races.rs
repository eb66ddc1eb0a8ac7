//! A code that everybody presents at once: one wins, the others are told so, and nothing fails.

use std::{sync::Arc, time::Duration};

use portcullis_audit::{Action, Outcome};
use portcullis_flows::agents::{RecoverError, RecoveredAgent};
use portcullis_kernel::ExposeSecret as _;
use portcullis_storage::Storage;
use portcullis_storage_diesel::{
    Database as _, PoolOptions, PostgresOptions, PostgresStorage, SqliteOptions, SqliteStorage,
};
use portcullis_testkit::{database::TestDatabase, engine::TestEngine};

use super::{
    super::{at_once, from, mailbox::Mail as _},
    Agents as _, BOX, Bot, StoredAgents as _,
};

/// Patient, so that two hundred threads that wait for eight connections are no error.
const POOL: PoolOptions =
    PoolOptions { max_connections: 8, acquire_timeout: Duration::from_secs(60) };

/// Two hundred redemptions of each of several codes, from two hundred addresses, on two servers.
fn volley(one: &Arc<dyn Storage>, two: &Arc<dyn Storage>) {
    let engine = TestEngine::builder().storage(Arc::clone(one));
    let engine = engine.options(|options| options.limits.enabled = false).build();
    let peer = engine.peer().storage(Arc::clone(two)).build();
    let bot = engine.sign_up_at("bot", BOX);
    for round in 1..=3 {
        let code = engine.codes(BOX).remove(0).1;
        let done = at_once(200, |index| {
            let engine = [&engine, &peer][index % 2];
            engine.try_recover(BOX, &code, false, &from(&format!("198.51.{index}.7")))
        });
        let (won, lost): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
        for error in lost.into_iter().filter_map(Result::err) {
            assert!(matches!(error, RecoverError::AlreadyUsed), "{error:?}");
        }
        let [Ok(RecoveredAgent { id, recovery_key })] = <[_; 1]>::try_from(won).unwrap() else {
            unreachable!()
        };
        let recovery = recovery_key.into_secret().expose_secret().to_owned();
        assert!(engine.manage(&Bot { id, recovery }).is_ok(), "the winner's key works");
        assert_eq!(engine.bot_count(bot.id, Action::AgentRecovered, Outcome::Success), round);
        assert_eq!(engine.bot_count(bot.id, Action::AgentRecovered, Outcome::Failure), 0);
        engine.deliver();
    }
}

#[test]
fn o2_f1_two_hundred_use_one_code_at_once_on_memory() {
    let storage: Arc<dyn Storage> = Arc::new(portcullis_storage::MemoryStorage::default());
    volley(&storage, &storage);
}

#[test]
fn o2_f1_two_hundred_use_one_code_at_once_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let options =
        SqliteOptions { pool: POOL, ..SqliteOptions::new(directory.path().join("test.db")) };
    let storage = SqliteStorage::connect(&options).unwrap();
    storage.migrate().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(storage);
    volley(&storage, &storage);
}

#[test]
fn o2_f1_two_hundred_use_one_code_at_once_on_postgres() {
    let connect = |url: &str| {
        let options = PostgresOptions { pool: POOL, ..PostgresOptions::new(url) };
        PostgresStorage::connect(&options).unwrap()
    };
    let migrate = |url: &str| connect(url).migrate().map(drop).unwrap();
    let Some(database) = TestDatabase::from_template("migrated", migrate) else { return };
    let instance = || -> Arc<dyn Storage> { Arc::new(connect(database.url())) };
    volley(&instance(), &instance());
}
