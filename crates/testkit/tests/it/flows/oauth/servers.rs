//! Resource servers, and how they authenticate.

use portcullis_audit::Actor;
use portcullis_flows::{
    LimitClass, LimitError, Limited as _,
    agents::PresentedBasic,
    oauth::{AddServer, AddServerError, ServerAuthError, ServerLimit},
};
use portcullis_kernel::{ErrorKind, Field, Origin};
use portcullis_testkit::{
    engine::TestEngine,
    faults::{Fault, FaultyStorage},
};

use super::{
    super::{
        KEYS, Stored as _,
        agents::{Agents as _, basic, everywhere},
        from, ip, told,
    },
    API, add, field,
};

const CLIENT: &str = "192.0.2.1";

/// The limit and what is left of the bucket that counted; or how it was refused.
fn admit(
    engine: &TestEngine,
    presented: Option<PresentedBasic>,
    client: &str,
) -> Result<u64, ServerAuthError> {
    admit_to(engine, ServerLimit::OAuth, presented, client)
}

fn admit_to(
    engine: &TestEngine,
    limit: ServerLimit,
    presented: Option<PresentedBasic>,
    client: &str,
) -> Result<u64, ServerAuthError> {
    let admitted = engine.admit_server(presented, limit, ip(client), &from(client))?;
    Ok(u64::from(admitted.standing.unwrap().limit))
}

#[test]
fn k1_a_server_is_added_listed_and_removed() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let (first, secret) = add(&engine, Some(API), &["messages:read", "x"], true);
        let (second, _) = add(&engine, None, &["x"], false);
        assert!(first.id.to_string().starts_with("rs_") && first.id.to_string().len() == 3 + 32);
        assert!(secret.starts_with("rss_") && secret.len() == 4 + 43 + 6);
        assert_eq!(first.scopes.to_string(), "messages:read x");
        let mut listed = engine.list_servers().unwrap();
        listed.sort_by_key(|server| server.id);
        let mut wanted = vec![first.clone(), second];
        wanted.sort_by_key(|server| server.id);
        assert_eq!(listed, wanted, "{stored:?}");
        assert!(!format!("{listed:?}").contains(&secret[4..]), "k3");
        let presented = || Some(basic(first.id, &secret));
        assert_eq!(admit(&engine, presented(), CLIENT).unwrap(), 600);
        let id = first.id.to_string();
        let remove =
            |id: &str| engine.remove_server(id, Actor::Operator, &Origin::local()).unwrap();
        assert_eq!([remove(&id), remove(&id), remove("x")], [true, false, false]);
        assert!(matches!(admit(&engine, presented(), CLIENT), Err(ServerAuthError::Refused(_))));
        assert_eq!(engine.event_count(), KEYS + 3, "two added, one removed");
    }
}

#[test]
fn every_broken_field_of_a_server_is_named() {
    let engine = TestEngine::new();
    let good = AddServer {
        name: "api".into(),
        audience: API.into(),
        scopes: field(&["x"]),
        people: false,
    };
    for (input, why) in [
        (AddServer { name: " ".into(), ..good.clone() }, "name must be 1 to 100 characters"),
        (AddServer { name: "a\nb".into(), ..good.clone() }, "name must be 1 to 100 characters"),
        (AddServer { name: Field::Absent, ..good.clone() }, "name is required"),
        (AddServer { audience: "api".into(), ..good.clone() }, "audience must be an absolute URI"),
        (AddServer { audience: "https://a#b".into(), ..good.clone() }, "audience must be"),
        (AddServer { scopes: field(&[]), ..good.clone() }, "scopes must name 1 to 64 scopes"),
        (AddServer { scopes: field(&["a b"]), ..good.clone() }, "scopes must name"),
        (AddServer { scopes: Field::Absent, ..good.clone() }, "scopes is required"),
    ] {
        let refused = engine.add_server(input, Actor::Operator, &Origin::local()).unwrap_err();
        assert!(matches!(refused, AddServerError::Invalid(_)));
        assert!(refused.to_string().starts_with(why), "{refused}");
    }
    assert!(engine.list_servers().unwrap().is_empty());
    assert_eq!(engine.event_count(), KEYS);
    assert!(engine.add_server(good, Actor::Operator, &Origin::local()).is_ok());
}

#[test]
fn k4_only_the_secret_of_a_server_with_its_own_id_is_accepted() {
    let engine = TestEngine::new();
    let (server, secret) = add(&engine, None, &["messages:read"], false);
    let (other, others) = add(&engine, None, &["messages:read"], false);
    let bot = engine.sign_up_bot("bot");
    let key = engine.make_key(&bot);
    for presented in [
        None,
        Some(basic(server.id, "wrong")),
        Some(basic(server.id, "")),
        Some(basic(server.id, &others)),
        Some(basic(other.id, &secret)),
        Some(basic("rs_x", &secret)),
        Some(basic(server.id, &key.secret)),
        Some(basic(bot.id, &key.secret)),
        Some(basic(bot.id, &bot.recovery)),
        Some(basic(server.id.to_string().to_uppercase(), &secret)),
    ] {
        let refused = admit(&engine, presented, CLIENT).unwrap_err();
        let ServerAuthError::Refused(standing) = &refused else { panic!("{refused:?}") };
        assert_eq!(standing.unwrap().limit, 60, "the bucket of the address");
        assert_eq!(
            (told(&refused).0, told(&refused).1),
            (ErrorKind::Unauthenticated, "invalid_client")
        );
    }
    assert!(admit(&engine, Some(basic(server.id, &secret)), CLIENT).is_ok());
}

#[test]
fn l7_an_accepted_server_has_600_a_minute_and_a_refused_one_what_its_address_has() {
    let engine = TestEngine::new();
    let (server, secret) = add(&engine, None, &["messages:read"], false);
    let good = || Some(basic(server.id, &secret));
    let calls =
        (0..700).take_while(|n| admit(&engine, good(), &format!("192.0.{}.1", n % 200)).is_ok());
    assert_eq!(calls.count(), 600);
    let over = admit(&engine, good(), CLIENT).unwrap_err();
    assert!(matches!(over, ServerAuthError::Limit(LimitError::Exceeded(_))));
    assert_eq!(over.standing().unwrap().limit, 600);
    let (other, others) = add(&engine, None, &["messages:read"], false);
    let refused = (0..100)
        .take_while(|_| matches!(admit(&engine, None, CLIENT), Err(ServerAuthError::Refused(_))));
    assert_eq!(refused.count(), 60);
    let late = admit(&engine, Some(basic(other.id, &others)), CLIENT).unwrap_err();
    assert!(matches!(late, ServerAuthError::Limit(_)), "the address is looked at first");
    assert!(admit(&engine, Some(basic(other.id, &others)), "192.0.2.2").is_ok());
    assert!(engine.exhausted(LimitClass::OAuthAnonymous, ip(CLIENT)).is_some());
}

#[test]
fn l7_neither_charges_nor_questions_of_a_server_nor_of_an_address_stop_the_other() {
    for (used_up, other) in
        [(ServerLimit::OAuth, ServerLimit::Charge), (ServerLimit::Charge, ServerLimit::OAuth)]
    {
        let engine = TestEngine::new();
        let (server, secret) = add(&engine, None, &["messages:read"], false);
        let good = || Some(basic(server.id, &secret));
        let through = |limit, presented: &dyn Fn() -> Option<PresentedBasic>| {
            let asked = (0..700).map(|_| admit_to(&engine, limit, presented(), CLIENT));
            asked.take_while(|asked| !matches!(asked, Err(ServerAuthError::Limit(_)))).count()
        };
        assert_eq!(through(used_up, &good), 600, "{used_up:?}");
        assert_eq!(through(other, &good), 600, "{other:?} after {used_up:?}");
        assert_eq!(through(used_up, &|| None), 60, "{used_up:?}");
        assert_eq!(through(other, &|| None), 60, "{other:?} after {used_up:?}");
    }
}

#[test]
fn while_the_database_is_away_no_good_secret_is_called_bad() {
    let faulty =
        FaultyStorage::over(std::sync::Arc::new(portcullis_storage::MemoryStorage::default()));
    let engine = TestEngine::builder().storage(faulty.clone()).build();
    let (server, secret) = add(&engine, None, &["messages:read"], false);
    faulty.take_down(Fault::Unavailable);
    let refused = admit(&engine, Some(basic(server.id, &secret)), CLIENT).unwrap_err();
    assert!(matches!(refused, ServerAuthError::Fault(_)));
    assert_eq!(told(&refused).0, ErrorKind::Unavailable);
}
