use diesel::{dsl::exists, prelude::*};
use portcullis_identity::ResourceServer;
use portcullis_kernel::{ResourceServerId, Scopes, StoreResult, TokenDigest};
use portcullis_storage::ResourceServerRepository;

use super::{
    super::DbInstant,
    Unit, found,
    schema::resource_servers::{self, dsl as column},
};
use crate::column::{AsText, DigestBytes};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = resource_servers)]
struct Row {
    id: AsText<ResourceServerId>,
    name: String,
    digest: DigestBytes,
    audience: Option<String>,
    scopes: AsText<Scopes>,
    people: bool,
    created_at: DbInstant,
}

impl From<&ResourceServer> for Row {
    fn from(server: &ResourceServer) -> Self {
        Self {
            id: AsText(server.id),
            name: server.name.clone(),
            digest: DigestBytes(server.digest),
            audience: server.audience.clone(),
            scopes: AsText(server.scopes.clone()),
            people: server.people,
            created_at: DbInstant(server.created_at),
        }
    }
}

impl From<Row> for ResourceServer {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.0,
            name: row.name,
            digest: row.digest.0,
            audience: row.audience,
            scopes: row.scopes.0,
            people: row.people,
            created_at: row.created_at.0,
        }
    }
}

impl ResourceServerRepository for Unit {
    fn insert(&mut self, server: &ResourceServer) -> StoreResult<()> {
        let query = diesel::insert_into(resource_servers::table).values(Row::from(server));
        self.change(|conn| query.execute(conn)).map(drop)
    }

    fn find_by_secret(&mut self, digest: &TokenDigest) -> StoreResult<Option<ResourceServer>> {
        let query = resource_servers::table
            .filter(column::digest.eq(DigestBytes(*digest)))
            .select(Row::as_select());
        self.read(|conn| query.first(conn).optional()).map(|row| row.map(ResourceServer::from))
    }

    fn has_audience(&mut self, audience: &str) -> StoreResult<bool> {
        let named = resource_servers::table.filter(column::audience.eq(audience));
        self.read(|conn| diesel::select(exists(named)).get_result(conn))
    }

    fn list(&mut self) -> StoreResult<Vec<ResourceServer>> {
        let query = resource_servers::table
            .order((column::created_at, column::id))
            .select(Row::as_select());
        let rows: Vec<Row> = self.read(|conn| query.load(conn))?;
        Ok(rows.into_iter().map(ResourceServer::from).collect())
    }

    fn remove(&mut self, id: ResourceServerId) -> StoreResult<bool> {
        let query = diesel::delete(resource_servers::table.find(AsText(id)));
        self.change(|conn| query.execute(conn)).map(found)
    }
}
