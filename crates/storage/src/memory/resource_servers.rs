use portcullis_identity::ResourceServer;
use portcullis_kernel::{ResourceServerId, StoreResult, TokenDigest, UniqueKey};

use super::{Unit, tables::check_free};
use crate::ResourceServerRepository;

impl ResourceServerRepository for Unit<'_> {
    fn insert(&mut self, server: &ResourceServer) -> StoreResult<()> {
        self.change(|tables| {
            let servers = &mut tables.resource_servers;
            let taken = servers.values().any(|other| other.digest == server.digest);
            check_free(taken || servers.contains(&server.id), UniqueKey::Other)?;
            servers.put(server.id, server.clone());
            Ok(())
        })
    }

    fn find_by_secret(&mut self, digest: &TokenDigest) -> StoreResult<Option<ResourceServer>> {
        self.read(|tables| {
            tables.resource_servers.values().find(|server| server.digest == *digest).cloned()
        })
    }

    fn has_audience(&mut self, audience: &str) -> StoreResult<bool> {
        self.read(|tables| {
            let mut servers = tables.resource_servers.values();
            servers.any(|server| server.audience.as_deref() == Some(audience))
        })
    }

    fn list(&mut self) -> StoreResult<Vec<ResourceServer>> {
        self.read(|tables| {
            let mut servers: Vec<_> = tables.resource_servers.values().cloned().collect();
            servers.sort_by_key(|server| (server.created_at, server.id));
            servers
        })
    }

    fn remove(&mut self, id: ResourceServerId) -> StoreResult<bool> {
        self.change(|tables| Ok(tables.resource_servers.remove(&id).is_some()))
    }
}
