use diesel::{prelude::*, sql_query};
use portcullis_kernel::{Instant, StoreResult};
use portcullis_storage::SigningKeyRepository;
use portcullis_tokens::{Algorithm, KeyPurpose, PublicJwk, SigningKey};

use super::{
    super::{DbInstant, LOCK_SIGNING_KEYS},
    Unit, count, found,
    schema::signing_keys::{self, dsl as column},
};
use crate::column::AsText;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = signing_keys)]
struct Row {
    kid: String,
    purpose: AsText<KeyPurpose>,
    generation: i32,
    algorithm: AsText<Algorithm>,
    public_jwk: AsText<PublicJwk>,
    sealed: Vec<u8>,
    sealed_by: String,
    created_at: DbInstant,
    active_from: DbInstant,
    retired_at: Option<DbInstant>,
    removed_at: Option<DbInstant>,
}

impl From<&SigningKey> for Row {
    fn from(key: &SigningKey) -> Self {
        Self {
            kid: key.kid.clone(),
            purpose: AsText(key.purpose),
            generation: key.generation,
            algorithm: AsText(key.algorithm),
            public_jwk: AsText(key.public.clone()),
            sealed: key.sealed.clone(),
            sealed_by: key.sealed_by.clone(),
            created_at: DbInstant(key.created_at),
            active_from: DbInstant(key.active_from),
            retired_at: key.retired_at.map(DbInstant),
            removed_at: key.removed_at.map(DbInstant),
        }
    }
}

impl From<Row> for SigningKey {
    fn from(row: Row) -> Self {
        Self {
            kid: row.kid,
            purpose: row.purpose.0,
            generation: row.generation,
            algorithm: row.algorithm.0,
            public: row.public_jwk.0,
            sealed: row.sealed,
            sealed_by: row.sealed_by,
            created_at: row.created_at.0,
            active_from: row.active_from.0,
            retired_at: row.retired_at.map(|at| at.0),
            removed_at: row.removed_at.map(|at| at.0),
        }
    }
}

impl SigningKeyRepository for Unit {
    fn insert(&mut self, key: &SigningKey) -> StoreResult<()> {
        let query = diesel::insert_into(signing_keys::table).values(Row::from(key));
        self.change(|conn| query.execute(conn)).map(drop)
    }

    fn list(&mut self) -> StoreResult<Vec<SigningKey>> {
        let query =
            signing_keys::table.order((column::generation, column::kid)).select(Row::as_select());
        let rows = self.read(|conn| query.load(conn))?;
        Ok(rows.into_iter().map(SigningKey::from).collect())
    }

    fn lock(&mut self) -> StoreResult<Vec<SigningKey>> {
        if let Some(lock) = LOCK_SIGNING_KEYS {
            self.change(|conn| sql_query(lock).execute(conn))?;
        }
        // A statement of its own, so that it sees what was committed while the lock was waited for.
        self.list()
    }

    fn set_end(
        &mut self,
        kid: &str,
        retired_at: Option<Instant>,
        removed_at: Option<Instant>,
    ) -> StoreResult<bool> {
        let query = diesel::update(signing_keys::table.find(kid)).set((
            column::retired_at.eq(retired_at.map(DbInstant)),
            column::removed_at.eq(removed_at.map(DbInstant)),
        ));
        self.change(|conn| query.execute(conn)).map(found)
    }

    fn reseal(&mut self, kid: &str, from: &str, sealed: &[u8], to: &str) -> StoreResult<bool> {
        let still = signing_keys::table.find(kid).filter(column::sealed_by.eq(from));
        let query =
            diesel::update(still).set((column::sealed.eq(sealed), column::sealed_by.eq(to)));
        self.change(|conn| query.execute(conn)).map(found)
    }

    fn delete_removed(&mut self, before: Instant) -> StoreResult<u64> {
        let removed = signing_keys::table.filter(column::removed_at.lt(DbInstant(before)));
        self.change(|conn| diesel::delete(removed).execute(conn)).map(count)
    }
}
