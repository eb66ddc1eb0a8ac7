//! Service-wide counters: an operator is told once, and nobody is refused.

use portcullis_flows::EngineOptions;
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{
    super::{from, mailbox::Mail as _},
    Claims as _, codes_in,
    endings::watched,
    wrong,
};

#[test]
fn the_numbers_are_those_of_the_contract() {
    let limits = EngineOptions::default().limits.agent_registration;
    let alarms = [limits.alarm_wrong_codes, limits.alarm_sign_ups];
    let numbers = alarms.map(|policy| (policy.limit, policy.window));
    assert_eq!(numbers, [(1000, Duration::DAY), (10_000, Duration::HOUR)]);
}

#[test]
fn l11_too_many_wrong_codes_of_all_together_are_told_once_and_refuse_nobody() {
    let mut options = EngineOptions::default();
    options.limits.agent_registration.alarm_wrong_codes.limit = 9;
    let (server, told) = watched(&TestEngine::new(), options);
    for n in 0..5 {
        let client = from(&format!("198.51.100.{n}"));
        let newcomer = server.try_sign_up(None, &client).unwrap();
        server.try_start(&newcomer, &format!("jane{n}@example.com"), &client).unwrap();
        let code = codes_in(&server.deliver()).remove(0).1;
        for miss in 0..4 {
            assert_eq!(told.heard().len(), usize::from(n * 4 + miss > 9), "{n} {miss}");
            server.try_complete(&newcomer, &wrong(&code, miss), &client).unwrap_err();
        }
        server.try_complete(&newcomer, &code, &client).unwrap();
    }
    let [heard] = &told.heard()[..] else { panic!("{:?}", told.heard()) };
    assert!(heard.starts_with("alarm.wrong_claim_codes"), "{heard}");
}

#[test]
fn l11_too_many_registrations_of_all_together_are_told_once_and_refuse_nobody() {
    let mut options = EngineOptions::default();
    options.limits.agent_registration.alarm_sign_ups.limit = 9;
    let (server, told) = watched(&TestEngine::new(), options);
    for n in 0..30 {
        let email = (n % 2 == 0).then_some("jane@example.com");
        server.try_sign_up(email, &from(&format!("198.51.100.{n}"))).unwrap();
        assert_eq!(told.heard().len(), usize::from(n >= 9), "{n}");
    }
    assert!(told.heard()[0].starts_with("alarm.agent_registrations"), "{:?}", told.heard());
}
