//! Mails that wait: who takes them, how long, and when they are given up.

use std::{collections::BTreeSet, sync::Arc};

use portcullis_audit::{Action, Actor, AuditEvent, Outcome};
use portcullis_email::{RequestKind, retry_after};
use portcullis_flows::mail::{Claimed, Failure};
use portcullis_kernel::{Instant, Origin};
use portcullis_storage::{MemoryStorage, TxMode};
use portcullis_testkit::{
    engine::TestEngine,
    faults::{Fault, FaultyStorage, Step},
};
use time::Duration;

use super::{
    JANE, JOHN, KEYS, PASSWORD, People as _, Stored as _, at_once,
    mailbox::{Mail as _, address, carried, kinds, waiting},
};

const LEASE: Duration = Duration::seconds(30);

fn take(engine: &TestEngine) -> Option<Claimed> {
    engine.claim_mail().unwrap()
}

/// Two servers, and Jane's first mail in the hand of the first.
fn in_hand() -> (TestEngine, TestEngine, Claimed) {
    let one = TestEngine::new();
    let two = one.peer().build();
    one.join(JANE);
    let mail = take(&one).unwrap();
    (one, two, mail)
}

/// Every event of a mail that was given up on.
fn refused(engine: &TestEngine) -> Vec<AuditEvent> {
    let id = engine.find_user(JANE).unwrap().id;
    engine.events(id).into_iter().filter(|event| event.action == Action::MailRefused).collect()
}

#[test]
fn m7_a_mail_whose_worker_died_is_delivered_by_another_after_its_lease_and_not_before() {
    let (_one, two, mail) = in_hand();
    assert!(take(&two).is_none());
    two.clock.advance(LEASE - Duration::MICROSECOND);
    assert!(take(&two).is_none());
    two.clock.advance(Duration::MICROSECOND);
    let again = take(&two).unwrap();
    assert_eq!((again.id, again.created_at), (mail.id, mail.created_at), "the same mail");
    assert_eq!(carried(&again.letter), carried(&mail.letter));
    assert_eq!((mail.attempt(), again.attempt()), (1, 2));
    two.mail_delivered(&again).unwrap();
    two.clock.advance(LEASE);
    assert!(take(&two).is_none() && waiting(&two).is_empty());
}

#[test]
fn whoever_lost_a_mail_to_another_does_not_speak_for_it_any_more() {
    for report in [
        |engine: &TestEngine, mail: &Claimed| engine.mail_delivered(mail).unwrap(),
        |engine: &TestEngine, mail: &Claimed| {
            engine.mail_failed(mail, Failure::Temporary).unwrap();
        },
        |engine: &TestEngine, mail: &Claimed| {
            engine.mail_failed(mail, Failure::Final).unwrap();
        },
        |engine: &TestEngine, mail: &Claimed| assert!(!engine.renew_mail(mail).unwrap()),
    ] {
        let (one, two, mail) = in_hand();
        one.clock.advance(LEASE);
        let again = take(&two).unwrap();
        let before = waiting(&one);
        report(&one, &mail);
        assert_eq!(waiting(&one), before, "neither removed nor due at another time");
        assert!(refused(&one).is_empty());
        assert!(two.renew_mail(&again).unwrap());
        two.mail_delivered(&again).unwrap();
        assert!(waiting(&two).is_empty());
    }
}

#[test]
fn a_mail_that_is_worked_on_is_kept_by_renewing_it() {
    let (one, two, mail) = in_hand();
    for _ in 0..5 {
        one.clock.advance(Duration::seconds(20));
        assert!(one.renew_mail(&mail).unwrap());
        assert!(take(&two).is_none());
    }
    one.clock.advance(LEASE);
    assert!(take(&two).is_some(), "until it is not");
    assert!(!one.renew_mail(&mail).unwrap());
}

#[test]
fn m7_a_mail_that_failed_for_now_is_tried_again_and_again_with_growing_waits() {
    let engine = TestEngine::new();
    engine.join(JANE);
    let queued = engine.now();
    let mut waits = Vec::new();
    while engine.now() < queued + Duration::HOUR {
        let mail = take(&engine).unwrap();
        engine.clock.advance(Duration::SECOND);
        let again = engine.mail_failed(&mail, Failure::Temporary).unwrap().unwrap();
        assert_eq!(again, engine.now() + retry_after(queued, engine.now()));
        waits.push((again - engine.now()).whole_seconds());
        engine.clock.set(again - Duration::MICROSECOND);
        assert!(take(&engine).is_none());
        engine.clock.set(again);
    }
    assert!(waits.is_sorted(), "{waits:?}");
    assert_eq!((waits[0], waits[waits.len() - 1]), (1, 45));
    assert_eq!(kinds(&engine.deliver()), [(JANE, "verify_email")], "and arrives in the end");
    assert!(refused(&engine).is_empty());
}

#[test]
fn a_mail_refused_for_good_is_given_up_and_written_down_without_the_address() {
    let (one, two, mail) = in_hand();
    let jane = one.find_user(JANE).unwrap().id;
    assert_eq!(one.mail_failed(&mail, Failure::Final).unwrap(), None);
    assert!(waiting(&one).is_empty());
    one.clock.advance(LEASE);
    assert!(take(&two).is_none());
    let events = refused(&one);
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].actor, events[0].outcome), (Actor::System, Outcome::Failure));
    assert_eq!(
        (events[0].subject, events[0].detail.as_deref()),
        (Some(jane), Some("verify_email"))
    );
    assert!(!format!("{events:?}").contains(JANE));
    one.mail_failed(&mail, Failure::Final).unwrap();
    assert_eq!(refused(&one).len(), 1, "once");
    assert!(one.try_verify(&carried(&mail.letter)).is_ok(), "the link itself is good");
}

#[test]
fn m7_a_mail_that_is_no_longer_worth_delivering_is_dropped_and_never_handed_out() {
    let to_the_end = |prepare: fn(&TestEngine), life: Duration| {
        for (late, mails) in [(-Duration::SECOND, 1), (Duration::ZERO, 0)] {
            let engine = TestEngine::new();
            prepare(&engine);
            assert_eq!(waiting(&engine).len(), 1);
            engine.clock.advance(life + late);
            assert_eq!(engine.deliver().len(), mails, "{life} {late}");
            assert!(waiting(&engine).is_empty());
        }
    };
    to_the_end(|engine| drop(engine.join(JANE)), Duration::DAY);
    to_the_end(
        |engine| {
            let caller = engine.bearer(&engine.join_verified(JANE).tokens);
            engine.try_delete(&caller, Some(PASSWORD)).unwrap();
        },
        Duration::days(3),
    );
    to_the_end(
        |engine| {
            let caller = engine.bearer(&engine.join(JANE).tokens);
            engine.deliver();
            engine.try_change_email(&caller, JOHN, PASSWORD).unwrap();
        },
        Duration::minutes(15),
    );
    to_the_end(
        |engine| {
            engine.queue_test_mail(&address(engine, JANE)).unwrap();
        },
        Duration::HOUR,
    );
}

#[test]
fn m7_a_mail_goes_with_what_it_carries() {
    let engine = TestEngine::new();
    let caller = engine.bearer(&engine.join(JANE).tokens);
    let first = take(&engine).unwrap();
    engine.try_verify(&carried(&first.letter)).unwrap();
    assert!(waiting(&engine).is_empty(), "its link is spent");
    engine.mail_failed(&first, Failure::Temporary).unwrap();
    engine.mail_failed(&first, Failure::Final).unwrap();
    assert!(waiting(&engine).is_empty() && refused(&engine).is_empty());
    engine.ask(RequestKind::Reset, JANE);
    let reset = take(&engine).unwrap();
    engine.try_change_password(&caller, PASSWORD, "staple wrong horse").unwrap();
    engine.mail_failed(&reset, Failure::Temporary).unwrap();
    assert_eq!(kinds(&engine.deliver()), [(JANE, "password_changed")]);
    engine.ask(RequestKind::Reset, JANE);
    engine.delete_user(caller.user.id, Actor::Operator, &Origin::local()).unwrap();
    assert!(engine.deliver().is_empty());
}

#[test]
fn workers_of_two_servers_share_the_mails_and_each_is_delivered_once() {
    let one = TestEngine::new();
    let two = one.peer().build();
    let to = address(&one, JANE);
    let queued: BTreeSet<_> = (0..40).map(|_| one.queue_test_mail(&to).unwrap()).collect();
    let delivered = at_once(4, |index| {
        let engine = [&one, &two][index % 2];
        let mut ids = Vec::new();
        while let Some(mail) = take(engine) {
            engine.mail_delivered(&mail).unwrap();
            ids.push(mail.id);
        }
        ids
    });
    let delivered: Vec<_> = delivered.into_iter().flatten().collect();
    assert_eq!(delivered.len(), 40);
    assert_eq!(delivered.into_iter().collect::<BTreeSet<_>>(), queued);
}

#[test]
fn the_mail_that_has_been_due_longest_goes_first() {
    let engine = TestEngine::new();
    let to = address(&engine, JANE);
    let ids: Vec<_> = (0..5)
        .map(|_| {
            engine.clock.advance(Duration::SECOND);
            engine.queue_test_mail(&to).unwrap()
        })
        .collect();
    let delayed = take(&engine).unwrap();
    assert_eq!(delayed.id, ids[0]);
    engine.clock.advance(Duration::SECOND);
    engine.mail_failed(&delayed, Failure::Temporary).unwrap();
    engine.clock.advance(Duration::minutes(1));
    let mut order = Vec::new();
    while let Some(mail) = take(&engine) {
        engine.mail_delivered(&mail).unwrap();
        order.push(mail.id);
    }
    assert_eq!(order, [ids[1], ids[2], ids[3], ids[4], ids[0]]);
}

#[test]
fn while_nothing_is_due_nothing_is_written() {
    let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
    let engine = TestEngine::builder().storage(faulty.clone()).build();
    let mail = engine.queue_test_mail(&address(&engine, JANE)).unwrap();
    assert_eq!(take(&engine).unwrap().id, mail);
    faulty.heal();
    assert!(take(&engine).is_none());
    assert_eq!(faulty.steps(), [Step::Begin(TxMode::Read), Step::Call]);
}

#[test]
fn m7_whatever_fails_no_mail_is_lost_and_at_most_one_comes_twice() {
    for fault in [Fault::Unavailable, Fault::Failed] {
        for number in 0.. {
            let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
            let engine = TestEngine::builder().storage(faulty.clone()).build();
            let jane = engine.join(JANE).user.id;
            engine.deliver();
            engine.ask(RequestKind::Reset, JANE);
            faulty.fail_at(number, fault);
            let mut arrived = Vec::new();
            // What a worker does: a mail is sent, and whatever comes after that cannot take it back.
            while let Ok(Some(mail)) = engine.claim_mail() {
                arrived.push(mail.letter.content.kind());
                if engine.mail_delivered(&mail).is_err() {
                    break;
                }
            }
            let failed = faulty.steps().get(number).copied();
            faulty.heal();
            engine.clock.advance(LEASE);
            arrived.extend(engine.deliver().iter().map(|letter| letter.content.kind()));
            assert!((1..=2).contains(&arrived.len()), "at {number}, {failed:?}: {arrived:?}");
            assert!(arrived.iter().all(|kind| *kind == "reset_password"));
            assert!(waiting(&engine).is_empty());
            assert_eq!(engine.count(jane, Action::PasswordResetAsked, Outcome::Success), 1);
            if failed.is_none() {
                assert_eq!(arrived.len(), 1);
                break;
            }
        }
    }
}

#[test]
fn a_test_mail_goes_to_the_address_it_was_asked_for() {
    let engine = TestEngine::new();
    let id = engine.queue_test_mail(&address(&engine, "Ops@Example.com")).unwrap();
    let mail = take(&engine).unwrap();
    assert_eq!((mail.id, mail.letter.content.kind()), (id, "test"));
    assert_eq!((mail.letter.to.as_str(), mail.letter.asked.client), ("Ops@example.com", None));
    let at: Instant = mail.created_at;
    assert_eq!(at, engine.now());
    engine.mail_failed(&mail, Failure::Final).unwrap();
    assert_eq!(engine.event_count(), KEYS + 1, "those of the keys, and that it was refused");
}

#[test]
fn f8_a_mail_that_is_put_off_by_itself_is_tried_less_and_less_often() {
    let engine = TestEngine::new();
    engine.join(JANE);
    let queued = engine.now();
    let put_off = |age: Duration| {
        engine.clock.set(queued + age);
        let mail = take(&engine).unwrap();
        let again = engine.mail_failed(&mail, Failure::Deferred).unwrap().unwrap();
        (again - engine.now()).whole_seconds()
    };
    let waits = [0, 60, 3600, 36_000].map(|age| put_off(Duration::seconds(age)));
    assert_eq!(waits, [5, 7, 450, 600]);
}
