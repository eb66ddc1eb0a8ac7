//! The storage adapters: the contract on each of them, and what each promises beside it.

mod agent_locks;
mod agent_rows;
mod lab;
mod limits;
mod locks;
mod migrations;
mod plans;
mod postgres;
mod registration_locks;
mod sqlite;
mod transactions;

use portcullis_storage::{MemoryStorage, contract};

use self::lab::{PostgresLab, SqliteLab};

#[test]
fn memory_keeps_the_contract() {
    contract::run_all(&|| Box::new(MemoryStorage::default()));
}

#[test]
fn sqlite_keeps_the_contract() {
    let lab = SqliteLab::migrated();
    contract::run_all(&|| Box::new(lab.storage()));
}

#[test]
fn postgres_keeps_the_contract() {
    let Some(lab) = PostgresLab::migrated() else { return };
    contract::run_all(&|| Box::new(lab.storage()));
}
