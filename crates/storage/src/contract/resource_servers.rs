//! Cases of [`ResourceServerRepository`](crate::ResourceServerRepository).

use portcullis_identity::ResourceServer;
use portcullis_kernel::{Scopes, StoreError, TokenDigest, UniqueKey};

use super::{
    case_list,
    lab::{Lab, TICK, at},
};
use crate::{Storage, StorageExt};

case_list! {
    a_resource_server_comes_back_as_it_was_stored,
    a_taken_id_or_secret_of_a_resource_server_is_a_conflict,
    resource_servers_are_listed_in_the_order_of_their_making,
    a_resource_server_is_removed_once,
}

fn add(lab: &Lab<'_>, server: ResourceServer) -> ResourceServer {
    lab.write(|uow| uow.resource_servers().insert(&server));
    server
}

fn find(lab: &Lab<'_>, digest: &TokenDigest) -> Option<ResourceServer> {
    lab.read(|uow| uow.resource_servers().find_by_secret(digest))
}

fn has_audience(lab: &Lab<'_>, audience: &str) -> bool {
    lab.read(|uow| uow.resource_servers().has_audience(audience))
}

/// Every field, by its secret.
pub fn a_resource_server_comes_back_as_it_was_stored(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let audience = format!("https://{}.example/ünï", lab.tag());
    let full = ResourceServer {
        name: "Zoë’s 🦀 % _ ' \\".into(),
        audience: Some(audience.clone()),
        scopes: "b:c a d".parse().unwrap(),
        people: true,
        created_at: at(1) + TICK,
        ..lab.new_server()
    };
    let bare = ResourceServer { scopes: Scopes::default(), ..lab.new_server() };
    assert!(!has_audience(&lab, &audience));
    for server in [full, bare] {
        assert_eq!(find(&lab, &server.digest), None);
        let server = add(&lab, server);
        assert_eq!(find(&lab, &server.digest), Some(server));
    }
    assert!(has_audience(&lab, &audience));
    for other in [&audience.to_uppercase(), &lab.tag(), "", "%"] {
        assert!(!has_audience(&lab, other), "{other}");
    }
}

/// `Conflict(Other)`; of one audience there may be several.
pub fn a_taken_id_or_secret_of_a_resource_server_is_a_conflict(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let audience = Some(lab.tag());
    let server = add(&lab, ResourceServer { audience, ..lab.new_server() });
    let by_id = ResourceServer { id: server.id, ..lab.new_server() };
    let by_secret = ResourceServer { digest: server.digest, ..lab.new_server() };
    for rival in [by_id, by_secret] {
        let refused = storage.transact(|uow| uow.resource_servers().insert(&rival));
        assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::Other))), "{refused:?}");
    }
    add(&lab, ResourceServer { audience: server.audience.clone(), ..lab.new_server() });
    assert_eq!(find(&lab, &server.digest), Some(server));
}

/// Those of one time by their ids.
pub fn resource_servers_are_listed_in_the_order_of_their_making(storage: &dyn Storage) {
    let lab = Lab::alone(storage);
    let list = || lab.read(|uow| uow.resource_servers().list());
    for old in list() {
        assert!(lab.write(|uow| uow.resource_servers().remove(old.id)));
    }
    let made = [at(2), at(1), at(1), at(1) + TICK, at(0)];
    let mut servers =
        made.map(|created_at| add(&lab, ResourceServer { created_at, ..lab.new_server() }));
    servers.sort_by_key(|server| (server.created_at, server.id));
    assert_eq!(list(), servers);
}

/// And no other one.
pub fn a_resource_server_is_removed_once(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let audience = lab.tag();
    let server = ResourceServer { audience: Some(audience.clone()), ..lab.new_server() };
    let (server, other) = (add(&lab, server), add(&lab, lab.new_server()));
    let remove = || lab.statement(|uow| uow.resource_servers().remove(server.id));
    assert_eq!([remove(), remove()], [true, false]);
    assert_eq!(find(&lab, &server.digest), None);
    assert!(!has_audience(&lab, &audience));
    assert_eq!(find(&lab, &other.digest), Some(other));
}
