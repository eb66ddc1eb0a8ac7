//! Everything that meets at one registration at once, on every storage: one wins, nothing fails, and what
//! is left is whole.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::registration::{ClaimError, Report};
use portcullis_kernel::{Classify, ErrorKind, Origin};
use portcullis_testkit::{app::Stored, engine::TestEngine};

use super::{
    super::{
        JANE, JOHN, People as _, Stored as _,
        agents::{Key, StoredAgents as _, everywhere},
        at_once, from,
        mailbox::Mail as _,
    },
    Claims as _, Newcomer, StoredClaims as _,
};

/// Two servers over the same rows.
struct Pair {
    first: TestEngine,
    second: TestEngine,
}

impl Pair {
    fn over(stored: &Stored) -> Self {
        let first = TestEngine::builder().storage(stored.storage());
        let first = first.options(|options| options.limits.enabled = false).build();
        let second = first.peer().storage(stored.another_instance().storage()).build();
        Self { first, second }
    }

    fn each(&self, index: usize) -> &TestEngine {
        if index.is_multiple_of(2) { &self.first } else { &self.second }
    }
}

/// So often on each storage, since a race may go either way.
fn repeatedly(test: impl Fn(&Stored, &Pair)) {
    for stored in everywhere() {
        let pair = Pair::over(&stored);
        for _ in 0..6 {
            test(&stored, &pair);
            pair.first.deliver();
        }
    }
}

/// Whatever a result is, it is no fault of ours.
fn fine<T, E: Classify + std::fmt::Debug>(result: Result<T, E>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            let ours = matches!(error.kind(), ErrorKind::Internal | ErrorKind::Unavailable);
            assert!(!ours, "{error:?}");
            None
        }
    }
}

/// One key works, and it is the one that goes with the owner there is.
fn has_one_key(engine: &TestEngine, newcomer: &Newcomer, claimed: Option<&Key>) {
    let old = newcomer.key.as_ref().unwrap();
    assert_eq!(engine.lives(old), claimed.is_none());
    assert!(claimed.is_none_or(|key| engine.lives(key)));
    assert_eq!(engine.find_bot(newcomer).unwrap().owner.is_some(), claimed.is_some());
}

#[test]
fn o2_of_two_hundred_completions_at_once_one_succeeds() {
    for stored in everywhere() {
        let pair = Pair::over(&stored);
        for known in [false, true] {
            if known {
                pair.first.join_verified(JOHN);
            }
            let email = if known { JOHN } else { JANE };
            let newcomer = pair.first.anonymous();
            let code = pair.first.code(&newcomer, email);
            let results = at_once(200, |index| {
                let client = from(&format!("198.51.{index}.7"));
                pair.each(index).try_complete(&newcomer, &code, &client)
            });
            let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
            for error in lost.into_iter().filter_map(Result::err) {
                assert!(matches!(error, ClaimError::AlreadyClaimed), "{stored:?}: {error:?}");
            }
            assert_eq!(won.len(), 1, "{stored:?}");
            let key = won.into_iter().find_map(Result::ok).map(|won| Key::from(won.key));
            has_one_key(&pair.first, &newcomer, key.as_ref());
            let claims =
                pair.first.bot_count(newcomer.agent, Action::AgentClaimed, Outcome::Success);
            assert_eq!(claims, 1);
            pair.first.receive("agent_claimed");
        }
    }
}

#[test]
fn f1_a_claim_beside_a_refusal_is_one_of_the_two() {
    repeatedly(|stored, pair| {
        let newcomer = pair.first.anonymous();
        let code = pair.first.code(&newcomer, JANE);
        let won = at_once(8, |index| {
            let server = pair.each(index);
            if index < 4 {
                fine(server.complete(&newcomer, &code)).map(|won| Some(Key::from(won.key)))
            } else {
                fine(server.try_deny(&newcomer, Report::No)).map(|()| None)
            }
        });
        let won: Vec<_> = won.into_iter().flatten().collect();
        let [won] = &won[..] else { panic!("{stored:?}: {won:?}") };
        has_one_key(&pair.first, &newcomer, won.as_ref());
        let count = |action| pair.first.bot_count(newcomer.agent, action, Outcome::Success);
        assert_eq!(count(Action::AgentClaimed), usize::from(won.is_some()));
        assert_eq!(count(Action::ClaimDenied), usize::from(won.is_none()));
    });
}

#[test]
fn f1_a_claim_beside_another_address_is_made_or_its_code_is_dead() {
    repeatedly(|_, pair| {
        let newcomer = pair.first.anonymous();
        let code = pair.first.code(&newcomer, JANE);
        let results = at_once(2, |index| {
            let server = pair.each(index);
            if index == 0 {
                fine(server.complete(&newcomer, &code)).map(|won| Some(Key::from(won.key)))
            } else {
                let client = from("198.51.100.9");
                fine(server.try_start(&newcomer, JOHN, &client)).map(|_| None)
            }
        });
        let claimed = results[0].clone().flatten();
        has_one_key(&pair.first, &newcomer, claimed.as_ref());
        let letters = pair.first.deliver();
        let told: Vec<_> = letters.iter().map(|letter| letter.to.as_str()).collect();
        if claimed.is_some() {
            assert_eq!(told, [JANE], "no code goes to anybody once it is claimed");
        } else {
            assert_eq!(told, [JOHN]);
            assert!(pair.first.complete(&newcomer, &code).is_err());
        }
    });
}

#[test]
fn f1_a_claim_beside_the_deletion_of_its_owner_leaves_no_agent_without_the_one_it_names() {
    repeatedly(|stored, pair| {
        pair.first.deliver();
        let jane = pair.first.join_verified(JANE).user.id;
        let newcomer = pair.first.anonymous();
        let code = pair.first.code(&newcomer, JANE);
        let results = at_once(2, |index| {
            let server = pair.each(index);
            if index == 0 {
                fine(server.complete(&newcomer, &code)).map(|won| (won.owner, Key::from(won.key)))
            } else {
                server.delete_user(jane, Actor::Operator, &Origin::local()).unwrap();
                None
            }
        });
        let owner = pair.first.find_bot(&newcomer).unwrap().owner;
        let user = pair.first.find_user(JANE).ok().map(|user| user.id);
        assert!(user != Some(jane), "{stored:?}: she is gone");
        assert_eq!(
            owner, user,
            "{stored:?}: the agent is of whoever has the mailbox now, or nobody"
        );
        if let Some((claimer, key)) = &results[0] {
            assert_eq!(pair.first.lives(key), owner.is_some());
            assert_eq!(owner.is_some(), *claimer != jane);
        }
        if let Some(user) = user {
            pair.first.delete_user(user, Actor::Operator, &Origin::local()).unwrap();
        }
    });
}

#[test]
fn f1_a_claim_beside_the_deletion_of_the_agent_is_made_first_or_not_at_all() {
    repeatedly(|_, pair| {
        let newcomer = pair.first.anonymous();
        let code = pair.first.code(&newcomer, JANE);
        let results = at_once(2, |index| {
            let server = pair.each(index);
            if index == 0 {
                return fine(server.complete(&newcomer, &code)).map(|won| Key::from(won.key));
            }
            server.delete_agent(newcomer.agent, Actor::Operator, &Origin::local()).unwrap();
            None
        });
        assert!(pair.first.find_bot(&newcomer).is_none());
        assert!(pair.first.registration(&newcomer).is_none());
        assert!(results.iter().flatten().all(|key| !pair.first.lives(key)));
    });
}

#[test]
fn f1_two_agents_that_one_person_without_account_claims_at_once_make_one_account() {
    repeatedly(|stored, pair| {
        let newcomers: Vec<_> = (0..6)
            .map(|_| {
                let newcomer = pair.first.anonymous();
                let code = pair.first.code(&newcomer, JANE);
                (newcomer, code)
            })
            .collect();
        let owners = at_once(newcomers.len(), |index| {
            let (newcomer, code) = &newcomers[index];
            pair.each(index).complete(newcomer, code).unwrap().owner
        });
        let jane = pair.first.find_user(JANE).unwrap().id;
        assert!(owners.iter().all(|owner| *owner == jane), "{stored:?}: {owners:?}");
        let count = pair.first.count(jane, Action::UserRegistered, Outcome::Success);
        assert_eq!(count, 1, "{stored:?}");
        assert_eq!(pair.first.look(|uow| uow.agents().list_owned(jane)).len(), newcomers.len());
        pair.first.delete_user(jane, Actor::Operator, &Origin::local()).unwrap();
    });
}

#[test]
fn f1_a_claim_beside_a_registration_of_its_person_leaves_a_proven_account_or_takes_it_over() {
    repeatedly(|stored, pair| {
        let newcomer = pair.first.anonymous();
        let code = pair.first.code(&newcomer, JANE);
        let results = at_once(2, |index| {
            let server = pair.each(index);
            if index == 0 {
                Ok(server.complete(&newcomer, &code).unwrap().owner)
            } else {
                Err(fine(server.try_join(JANE)))
            }
        });
        let details = pair.first.show_user(JANE).unwrap();
        assert_eq!(results[0].as_ref().ok(), Some(&details.user.id), "{stored:?}");
        assert!(details.user.is_verified());
        // V10: whatever the stranger got is worth nothing.
        assert!(!details.has_password && details.sessions.is_empty(), "{stored:?}");
        pair.first.delete_user(details.user.id, Actor::Operator, &Origin::local()).unwrap();
    });
}

#[test]
fn l2_of_many_that_sign_up_at_once_from_one_address_no_more_than_the_limit_do() {
    for stored in everywhere() {
        let first = TestEngine::builder().storage(stored.storage()).build();
        let second = first.peer().storage(stored.another_instance().storage()).build();
        let results = at_once(40, |index| {
            let email = (index % 2 == 0).then_some(JANE);
            let server = if index % 4 < 2 { &first } else { &second };
            (email, fine(server.try_sign_up(email, &from("192.0.2.1"))))
        });
        let made = |named: bool| {
            let theirs = results.iter().filter(|(email, _)| email.is_some() == named);
            theirs.filter_map(|(_, made)| made.as_ref()).count()
        };
        assert_eq!((made(false), made(true)), (5, 10), "{stored:?}");
        let newcomers = results.iter().filter_map(|(_, made)| made.as_ref());
        for newcomer in newcomers {
            assert!(first.is_unclaimed(newcomer));
        }
        assert_eq!(first.deliver().len(), 1, "{stored:?}: one mail a minute to one mailbox");
    }
}
