//! Limits of client addresses and of users.

use std::sync::Arc;

use portcullis_flows::{
    AdmitError, Admitted, LimitClass, LimitError,
    people::{AuthenticateError, Tokens},
};
use portcullis_kernel::{Clock as _, ErrorKind, ExposeSecret as _};
use portcullis_limits::Standing;
use portcullis_storage::MemoryStorage;
use portcullis_testkit::{
    engine::TestEngine,
    faults::{Fault, FaultyStorage},
};
use time::Duration;

use super::{JANE, JOHN, People as _, Stored as _, at_once, from, ip, told};

const CLIENT: &str = "192.0.2.1";

/// One request without a credential.
fn ask(
    engine: &TestEngine,
    class: LimitClass,
    client: &str,
) -> Result<Option<Standing>, LimitError> {
    engine.admit_address(class, ip(client), &from(client))
}

/// One request with a bearer token.
fn call(engine: &TestEngine, token: Option<&str>, client: &str) -> Result<Admitted, AdmitError> {
    engine.admit_bearer(token, ip(client), &from(client))
}

fn bearer(tokens: &Tokens) -> &str {
    tokens.access.token.expose_secret()
}

fn is_exceeded<T>(result: &Result<T, LimitError>) -> bool {
    matches!(result, Err(LimitError::Exceeded(_)))
}

/// How many requests in a row are let through.
fn through(engine: &TestEngine, class: LimitClass, client: &str) -> usize {
    (0..200).take_while(|_| ask(engine, class, client).is_ok()).count()
}

#[test]
fn l1_an_address_has_3_registrations_5_sign_ins_and_30_others() {
    for (class, limit, window) in [
        (LimitClass::Register, 3, Duration::HOUR),
        (LimitClass::SignIn, 5, Duration::minutes(15)),
        (LimitClass::Anonymous, 30, Duration::MINUTE),
    ] {
        let engine = TestEngine::new();
        assert_eq!(through(&engine, class, CLIENT), limit, "{class:?}");
        assert_eq!(through(&engine, class, "192.0.2.2"), limit, "another address");
        // Hits of leased slices count as of the end of their lease.
        engine.clock.advance(window + window / 12);
        assert_eq!(through(&engine, class, CLIENT), limit, "and again after its window");
    }
}

#[test]
fn l1_each_class_counts_for_itself() {
    let engine = TestEngine::new();
    assert_eq!(through(&engine, LimitClass::Register, CLIENT), 3);
    assert_eq!(through(&engine, LimitClass::SignIn, CLIENT), 5);
    assert_eq!(through(&engine, LimitClass::Anonymous, CLIENT), 30);
}

#[test]
fn l14_the_window_slides() {
    let engine = TestEngine::new();
    for _ in 0..3 {
        assert!(ask(&engine, LimitClass::Register, CLIENT).is_ok());
        engine.clock.advance(Duration::minutes(10));
    }
    engine.clock.advance(Duration::minutes(30) - Duration::MILLISECOND);
    assert!(is_exceeded(&ask(&engine, LimitClass::Register, CLIENT)), "59:59.999 after the first");
    engine.clock.advance(Duration::MILLISECOND);
    assert!(ask(&engine, LimitClass::Register, CLIENT).is_ok());
    assert!(is_exceeded(&ask(&engine, LimitClass::Register, CLIENT)), "one place was free");
}

#[test]
fn refused_requests_do_not_prolong_the_wait() {
    let engine = TestEngine::new();
    through(&engine, LimitClass::SignIn, CLIENT);
    for _ in 0..14 {
        engine.clock.advance(Duration::MINUTE);
        assert!(is_exceeded(&ask(&engine, LimitClass::SignIn, CLIENT)));
    }
    engine.clock.advance(Duration::MINUTE);
    assert!(ask(&engine, LimitClass::SignIn, CLIENT).is_ok());
}

#[test]
fn l10_the_headers_say_what_is_left_and_when_more_comes() {
    let engine = TestEngine::new();
    let start = engine.clock.now().unix_timestamp();
    for remaining in [4, 3, 2, 1, 0] {
        let standing = ask(&engine, LimitClass::SignIn, CLIENT).unwrap().unwrap();
        assert_eq!((standing.limit, standing.remaining), (5, remaining));
        assert_eq!(standing.reset.unix_timestamp(), start + 900);
        engine.clock.advance(Duration::SECOND);
    }
    for from_memory in [false, true] {
        let refused = ask(&engine, LimitClass::SignIn, CLIENT).unwrap_err();
        assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::RateLimited, "rate_limited"));
        let LimitError::Exceeded(standing) = refused else { panic!("{refused:?}") };
        assert_eq!((standing.limit, standing.remaining), (5, 0), "{from_memory}");
        assert_eq!(standing.reset.unix_timestamp(), start + 900);
        assert_eq!(standing.retry_after(engine.clock.now()), 895);
    }
    assert_eq!(engine.exhausted(LimitClass::SignIn, ip(CLIENT)).unwrap().remaining, 0);
    assert!(engine.exhausted(LimitClass::Register, ip(CLIENT)).is_none());
}

#[test]
fn l10_the_headers_of_a_leased_limit_count_down_by_one() {
    let engine = TestEngine::new();
    for remaining in (0..30).rev() {
        let standing = ask(&engine, LimitClass::Anonymous, CLIENT).unwrap().unwrap();
        assert_eq!((standing.limit, standing.remaining), (30, remaining));
    }
}

#[test]
fn l2_l6_parallel_requests_to_two_servers_share_one_exact_limit() {
    let one = TestEngine::new();
    let two = one.peer().build();
    let results = at_once(50, |index| {
        ask(if index % 2 == 0 { &one } else { &two }, LimitClass::SignIn, CLIENT)
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 5);
    assert!(results.iter().all(|result| result.is_ok() || is_exceeded(result)));
}

#[test]
fn l6_two_servers_lease_no_more_than_the_limit() {
    let one = TestEngine::new();
    let two = one.peer().build();
    let servers = [&one, &two];
    let asked = (0..100).map(|index| ask(servers[index % 2], LimitClass::Anonymous, CLIENT));
    let granted = asked.flatten().count();
    assert!((24..=30).contains(&granted), "{granted}");
}

#[test]
fn limits_survive_a_restart() {
    let engine = TestEngine::new();
    through(&engine, LimitClass::Register, CLIENT);
    let restarted = engine.peer().build();
    assert!(is_exceeded(&ask(&restarted, LimitClass::Register, CLIENT)));
}

#[test]
fn l5_an_ipv6_client_is_its_64_and_a_mapped_ipv4_address_is_ipv4() {
    let engine = TestEngine::new();
    for client in ["2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:ffff:ffff:ffff:ffff"] {
        assert!(ask(&engine, LimitClass::Register, client).is_ok());
    }
    assert!(is_exceeded(&ask(&engine, LimitClass::Register, "2001:db8:0:1:abcd::")));
    assert!(ask(&engine, LimitClass::Register, "2001:db8:0:2::1").is_ok());
    assert_eq!(through(&engine, LimitClass::Register, CLIENT), 3);
    assert!(is_exceeded(&ask(&engine, LimitClass::Register, "::ffff:192.0.2.1")));
}

#[test]
fn switched_off_limits_refuse_nothing_and_show_no_standing() {
    let engine = TestEngine::builder().options(|options| options.limits.enabled = false).build();
    let tokens = engine.join(JANE).tokens;
    for _ in 0..200 {
        assert_eq!(ask(&engine, LimitClass::Register, CLIENT).unwrap(), None);
    }
    assert!(engine.exhausted(LimitClass::Register, ip(CLIENT)).is_none());
    for _ in 0..40 {
        let refused = call(&engine, Some("x"), CLIENT).unwrap_err();
        assert!(matches!(refused, AdmitError::Unauthenticated(_, None)));
    }
    assert_eq!(call(&engine, Some(bearer(&tokens)), CLIENT).unwrap().standing, None);
    let buckets = engine.clean().unwrap().buckets;
    engine.clock.advance(Duration::DAY);
    assert_eq!((buckets, engine.clean().unwrap().buckets), (0, 0), "nothing was counted");
}

#[test]
fn an_accepted_bearer_is_charged_to_its_user_only() {
    let engine = TestEngine::new();
    let (jane, john) = (engine.join(JANE).tokens, engine.join(JOHN).tokens);
    for remaining in (0..100).rev() {
        let admitted = call(&engine, Some(bearer(&jane)), CLIENT).unwrap();
        let standing = admitted.standing.unwrap();
        assert_eq!((standing.limit, standing.remaining), (100, remaining));
    }
    for client in [CLIENT, "192.0.2.99"] {
        let refused = call(&engine, Some(bearer(&jane)), client).unwrap_err();
        assert!(matches!(refused, AdmitError::Limit(LimitError::Exceeded(_))), "{client}");
    }
    assert!(call(&engine, Some(bearer(&john)), CLIENT).is_ok(), "each user counts for themselves");
    let standing = ask(&engine, LimitClass::Anonymous, CLIENT).unwrap().unwrap();
    assert_eq!(standing.remaining, 29, "nothing was charged to the address");
}

#[test]
fn a_missing_or_refused_bearer_is_charged_to_the_address_which_is_looked_at_first() {
    let engine = TestEngine::new();
    let tokens = engine.join(JANE).tokens;
    for remaining in (0..30).rev() {
        let token = (remaining % 2 == 0).then_some("forged");
        let Err(AdmitError::Unauthenticated(refused, standing)) = call(&engine, token, CLIENT)
        else {
            panic!("with {remaining} left");
        };
        assert_eq!(matches!(refused, AuthenticateError::Missing), token.is_none());
        assert_eq!(standing.unwrap().remaining, remaining);
    }
    for token in [Some("forged"), None, Some(bearer(&tokens))] {
        let refused = call(&engine, token, CLIENT).unwrap_err();
        assert!(matches!(refused, AdmitError::Limit(LimitError::Exceeded(_))), "{token:?}");
    }
    assert!(
        call(&engine, Some(bearer(&tokens)), "192.0.2.2").is_ok(),
        "the user was charged nothing"
    );
}

/// A server over storage that can be taken down, with somebody signed in.
fn fragile() -> (TestEngine, Arc<FaultyStorage>, Tokens) {
    let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
    let engine = TestEngine::builder().storage(faulty.clone()).build();
    let tokens = engine.join(JANE).tokens;
    (engine, faulty, tokens)
}

#[test]
fn l13_without_the_store_registration_and_sign_in_are_closed_and_the_rest_is_open() {
    for fault in [Fault::Unavailable, Fault::Contention] {
        let (engine, faulty, _) = fragile();
        faulty.take_down(fault);
        for class in [LimitClass::Register, LimitClass::SignIn] {
            let refused = ask(&engine, class, CLIENT).unwrap_err();
            assert!(matches!(refused, LimitError::Store(_)), "{class:?}");
            assert_eq!(told(&refused).1, "service_unavailable");
        }
        assert_eq!(ask(&engine, LimitClass::Anonymous, CLIENT).unwrap(), None);
        let Err(AdmitError::Unauthenticated(_, None)) = call(&engine, None, CLIENT) else {
            panic!("a missing token is still a missing token");
        };
        faulty.heal();
        assert_eq!(through(&engine, LimitClass::SignIn, CLIENT), 5, "and nothing was counted");
    }
}

#[test]
fn l13_a_user_whose_bucket_cannot_be_asked_is_let_through() {
    let (engine, faulty, tokens) = fragile();
    faulty.heal();
    call(&engine, Some(bearer(&tokens)), CLIENT).unwrap();
    let charge = faulty.steps().len() - 2;
    faulty.fail_at(charge, Fault::Unavailable);
    // So that no lease answers.
    engine.clock.advance(Duration::MINUTE);
    assert_eq!(call(&engine, Some(bearer(&tokens)), CLIENT).unwrap().standing, None);
}

#[test]
fn l12_an_exhausted_address_is_refused_without_asking_the_database() {
    let (engine, faulty, _) = fragile();
    through(&engine, LimitClass::SignIn, CLIENT);
    faulty.take_down(Fault::Unavailable);
    for _ in 0..10 {
        assert!(is_exceeded(&ask(&engine, LimitClass::SignIn, CLIENT)));
    }
    assert_eq!(faulty.steps(), []);
}

#[test]
fn a_limit_that_is_reached_is_written_down_once_until_it_opens_again() {
    let engine = TestEngine::new();
    let before = engine.event_count();
    at_once(50, |_| ask(&engine, LimitClass::SignIn, CLIENT));
    assert_eq!(engine.event_count() - before, 1);
    engine.clock.advance(Duration::minutes(15));
    through(&engine, LimitClass::SignIn, CLIENT);
    assert_eq!(engine.event_count() - before, 2);
    through(&engine, LimitClass::Register, CLIENT);
    assert_eq!(engine.event_count() - before, 3);
}
