//! How long a code works, and how many wrong ones are borne.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::registration::{ClaimError, CompleteInput};
use portcullis_kernel::{Classify as _, ErrorKind, Field};
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{
    super::{
        JANE, JOHN,
        agents::{StoredAgents as _, everywhere},
        at_once, from, home, told,
    },
    Claims as _, Newcomer, StoredClaims as _, unlimited, wrong,
};

/// A newcomer, and the code that was mailed to Jane.
fn asked(engine: &TestEngine) -> (Newcomer, String) {
    let newcomer = engine.anonymous();
    let code = engine.code(&newcomer, JANE);
    (newcomer, code)
}

fn elsewhere(n: u32) -> portcullis_kernel::Origin {
    from(&format!("198.51.{}.{}", n / 250, n % 250))
}

#[test]
fn o7_a_code_works_until_its_ten_minutes_are_over_and_not_at_that_very_time() {
    let early = -Duration::MICROSECOND;
    for (late, good) in [(early, true), (Duration::ZERO, false), (Duration::SECOND, false)] {
        let engine = TestEngine::new();
        let (newcomer, code) = asked(&engine);
        engine.clock.advance(Duration::minutes(10) + late);
        let done = engine.complete(&newcomer, &code);
        assert_eq!(done.is_ok(), good, "{late}");
        if let Err(refused) = done {
            assert_eq!(refused.code(), "otp_expired");
            assert!(engine.is_unclaimed(&newcomer));
        }
    }
}

#[test]
fn o7_a_claim_token_works_for_a_day_and_not_at_its_end() {
    for (late, good) in [(-Duration::SECOND, true), (Duration::ZERO, false)] {
        let engine = TestEngine::new();
        let newcomer = engine.anonymous();
        engine.clock.advance(Duration::DAY - Duration::minutes(5));
        let code = engine.code(&newcomer, JANE);
        engine.clock.advance(Duration::minutes(5) + late);
        let results = [
            engine.try_start(&newcomer, JANE, &home()).map(drop),
            engine.view_claim(&super::viewed(&newcomer.view)).map(drop),
            engine.complete(&newcomer, &code).map(drop),
        ];
        for result in results {
            assert_eq!(result.is_ok(), good);
            assert!(result.is_ok() || result.unwrap_err().code() == "invalid_claim_token");
        }
    }
}

#[test]
fn o3_five_wrong_tries_burn_a_code_from_wherever_they_come() {
    for (misses, good) in [(4, true), (5, false), (9, false)] {
        let engine = TestEngine::new();
        let (newcomer, code) = asked(&engine);
        for n in 0..misses {
            let missed = engine.try_complete(&newcomer, &wrong(&code, n), &elsewhere(n * 250));
            let expected = if n < 5 { "otp_invalid" } else { "otp_expired" };
            assert_eq!(missed.unwrap_err().code(), expected, "{n}");
        }
        let done = engine.complete(&newcomer, &code);
        assert_eq!(done.is_ok(), good, "{misses}");
        assert!(good || engine.is_unclaimed(&newcomer));
    }
}

#[test]
fn o3_a_burnt_code_gives_way_to_a_new_one_with_tries_of_its_own() {
    let engine = TestEngine::new();
    let (newcomer, code) = asked(&engine);
    for n in 0..5 {
        engine.complete(&newcomer, &wrong(&code, n)).unwrap_err();
    }
    engine.clock.advance(Duration::MINUTE);
    let next = engine.code(&newcomer, JANE);
    for n in 0..4 {
        engine.complete(&newcomer, &wrong(&next, n)).unwrap_err();
    }
    engine.complete(&newcomer, &next).unwrap();
}

#[test]
fn o3_that_the_tries_are_used_up_is_written_down_once() {
    let engine = TestEngine::new();
    let (newcomer, code) = asked(&engine);
    let count = || engine.bot_count(newcomer.agent, Action::AgentClaimed, Outcome::Failure);
    for n in 0..8 {
        engine.try_complete(&newcomer, &wrong(&code, n), &elsewhere(n)).unwrap_err();
        assert_eq!(count(), usize::from(n >= 4));
    }
    let events = engine.bot_events(newcomer.agent);
    let event = events.iter().find(|event| event.outcome == Outcome::Failure).unwrap();
    assert_eq!((event.actor, event.detail.as_deref()), (Actor::Anonymous, Some("tries_used_up")));
    assert_eq!(event.client, elsewhere(4).client);
}

#[test]
fn o4_wrong_codes_at_once_do_not_outrun_the_count() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage());
        let engine = engine.options(|options| options.limits.enabled = false).build();
        let peer = engine.peer().storage(stored.another_instance().storage()).build();
        let (newcomer, code) = asked(&engine);
        let results = at_once(40, |index| {
            let n = u32::try_from(index).unwrap();
            let server = [&engine, &peer][index % 2];
            server.try_complete(&newcomer, &wrong(&code, n), &elsewhere(n)).unwrap_err()
        });
        let judged = |error: &&ClaimError| matches!(error, ClaimError::InvalidCode);
        assert_eq!(results.iter().filter(judged).count(), 5, "{stored:?}: {results:?}");
        let rest = results.iter().filter(|error| !judged(error));
        assert!(rest.into_iter().all(|error| matches!(error, ClaimError::ExpiredCode)));
        assert_eq!(engine.complete(&newcomer, &code).unwrap_err().code(), "otp_expired");
        assert_eq!(engine.attempt(&newcomer).unwrap().tries, 5);
        let burnt = engine.bot_count(newcomer.agent, Action::AgentClaimed, Outcome::Failure);
        assert_eq!(burnt, 1, "{stored:?}");
    }
}

/// Newcomers with a code each; so many wrong ones are tried from there.
fn miss(engine: &TestEngine, misses: u32, client: &str) -> (Newcomer, String) {
    let mut last = None;
    for n in 0..misses.div_ceil(4) {
        let newcomer = engine.try_sign_up(None, &elsewhere(1000 + n)).unwrap();
        let code =
            engine.code(&newcomer, &format!("jane{n}.{client}@example.com").replace(':', "-"));
        for miss in 0..(misses - n * 4).min(4) {
            let refused = engine.try_complete(&newcomer, &wrong(&code, miss), &from(client));
            assert_eq!(refused.unwrap_err().code(), "otp_invalid");
        }
        last = Some((newcomer, code));
    }
    last.unwrap()
}

#[test]
fn l1_after_twenty_wrong_codes_an_hour_from_one_address_none_is_compared_there() {
    let engine = TestEngine::new();
    let (newcomer, code) = miss(&engine, 20, "192.0.2.1");
    let before = engine.attempt(&newcomer).unwrap();
    for (given, rounds) in [(wrong(&code, 77), 9), (code.clone(), 3)] {
        for _ in 0..rounds {
            let refused = engine.try_complete(&newcomer, &given, &from("192.0.2.1")).unwrap_err();
            assert_eq!(
                (told(&refused).0, told(&refused).1),
                (ErrorKind::RateLimited, "rate_limited")
            );
            let standing = portcullis_flows::Limited::standing(&refused).unwrap();
            assert_eq!((standing.limit, standing.remaining), (20, 0));
            assert_eq!(standing.retry_after(engine.now()), 3600);
        }
    }
    assert_eq!(engine.attempt(&newcomer).unwrap(), before, "no try was taken");
    engine.try_complete(&newcomer, &code, &from("192.0.2.2")).unwrap();
}

#[test]
fn l14_the_hour_of_wrong_codes_slides() {
    let engine = TestEngine::new();
    miss(&engine, 20, "192.0.2.1");
    engine.clock.advance(Duration::HOUR - Duration::SECOND);
    let newcomer = engine.anonymous();
    let code = engine.code(&newcomer, JANE);
    let client = from("192.0.2.1");
    assert!(engine.try_complete(&newcomer, &code, &client).is_err());
    engine.clock.advance(Duration::SECOND);
    engine.try_complete(&newcomer, &code, &client).unwrap();
}

#[test]
fn l5_wrong_codes_of_one_64_are_those_of_one_client() {
    let engine = TestEngine::new();
    let (newcomer, code) = miss(&engine, 20, "2001:db8:1:2::1");
    let neighbour = from("2001:db8:1:2:ffff::9");
    assert!(matches!(engine.try_complete(&newcomer, &code, &neighbour), Err(ClaimError::Limit(_))));
    engine.try_complete(&newcomer, &code, &from("2001:db8:1:3::1")).unwrap();
}

#[test]
fn right_codes_are_no_wrong_ones() {
    let engine = TestEngine::builder();
    let engine = engine.options(|o| o.limits.agent_registration.wrong_codes.limit = 2).build();
    for n in 0..5 {
        let newcomer = engine.try_sign_up(None, &elsewhere(n)).unwrap();
        let code = engine.code(&newcomer, &format!("jane{n}@example.com"));
        engine.complete(&newcomer, &code).unwrap();
    }
}

#[test]
fn o8_only_six_ascii_digits_in_a_string_are_a_code_and_nothing_else_is_a_try() {
    let engine = unlimited();
    let (newcomer, code) = asked(&engine);
    let wide: String =
        code.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap()).collect();
    let shapes = [
        &format!(" {code}"),
        &format!("{code}\n"),
        &code[1..],
        &format!("{code}0"),
        &wide,
        "abcdef",
        "-12345",
        "+12345",
        "1e5000",
        "0x1234",
    ];
    for shape in shapes {
        assert_eq!(engine.complete(&newcomer, shape).unwrap_err().code(), "otp_invalid");
    }
    for field in [Field::Absent, Field::Given("".into()), Field::Invalid("must be a string".into())]
    {
        let token = Field::Given(newcomer.claim.as_str().into());
        let refused = CompleteInput { token, code: field }.check().unwrap_err();
        assert_eq!(refused.code(), "validation_error");
    }
    assert_eq!(engine.attempt(&newcomer).unwrap().tries, 0);
    engine.complete(&newcomer, &code).unwrap();
}

#[test]
fn o6_a_code_is_good_for_its_own_registration_alone() {
    let engine = unlimited();
    let (first, code) = asked(&engine);
    let other = engine.anonymous();
    assert_eq!(engine.complete(&other, &code).unwrap_err().code(), "otp_expired", "it has none");
    let own = engine.code(&other, JOHN);
    assert_ne!(own, code);
    assert_eq!(engine.complete(&other, &code).unwrap_err().code(), "otp_invalid");
    assert_eq!(engine.complete(&first, &own).unwrap_err().code(), "otp_invalid");
    engine.complete(&first, &code).unwrap();
    engine.complete(&other, &own).unwrap();
}

#[test]
fn o1_a_code_is_used_once() {
    let engine = TestEngine::new();
    let (newcomer, code) = asked(&engine);
    engine.complete(&newcomer, &code).unwrap();
    for _ in 0..30 {
        assert_eq!(engine.complete(&newcomer, &code).unwrap_err().code(), "already_claimed");
    }
}
