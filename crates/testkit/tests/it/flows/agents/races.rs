//! What happens between the look and the write of another.

use std::sync::Arc;

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::{
    agents::{AgentTokenError, ChangeAgentEmail, CreateKey, KeyError, RecoverError},
    mail::Failure,
};
use portcullis_identity::AgentStatus;
use portcullis_kernel::{ExposeSecret as _, Origin, Slice};
use portcullis_storage::{MemoryStorage, TxMode};
use portcullis_testkit::{
    engine::TestEngine,
    faults::{FaultyStorage, Step},
};
use time::Duration;

use super::{
    super::{
        home,
        mailbox::{Mail as _, kinds, waiting},
    },
    Agents as _, BOX, Bot, OTHER_BOX, StoredAgents as _, codes_in, shown,
};

/// A server, and a slow one over the same rows that can be made to wait at any step.
struct Pair {
    fast: Arc<TestEngine>,
    slow: TestEngine,
    steps: Arc<FaultyStorage>,
}

impl Pair {
    fn new() -> Self {
        let memory = MemoryStorage::default();
        let fast = Arc::new(TestEngine::builder().storage(Arc::new(memory.clone())).build());
        let steps = FaultyStorage::over(Arc::new(memory));
        let slow = fast.peer().storage(steps.clone()).build();
        Self { fast, slow, steps }
    }

    /// Right before the slow server begins to write, the fast one does this.
    fn before_writing(&self, step: usize, act: impl FnOnce(&TestEngine) + Send + 'static) {
        let fast = Arc::clone(&self.fast);
        self.steps.run_at(step, move || act(&fast));
    }

    /// It was there that the slow one began to write.
    fn began_to_write_at(&self, step: usize) {
        assert_eq!(
            self.steps.steps()[step],
            Step::Begin(TxMode::Write),
            "{:?}",
            self.steps.steps()
        );
    }
}

/// Recovers the only agent of [`BOX`] with this code, and revokes its keys.
fn recover(engine: &TestEngine, code: &str) -> Bot {
    let done = engine.try_recover(BOX, code, true, &home()).unwrap();
    let recovery = done.recovery_key.into_secret().expose_secret().to_owned();
    Bot { id: done.id, recovery }
}

#[test]
fn v4_no_key_made_with_the_old_recovery_key_outlives_a_recovery_beside_it() {
    let pair = Pair::new();
    let bot = pair.fast.sign_up_at("bot", BOX);
    let code = pair.fast.codes(BOX).remove(0).1;
    // The thief's request was let in, and then the owner was faster.
    let accepted = pair.slow.manage(&bot).unwrap();
    let wanted = CreateKey { name: "thief".into(), ..CreateKey::default() };
    let new = pair.slow.check_create_key(wanted).unwrap();
    pair.before_writing(0, move |fast| drop(recover(fast, &code)));
    let refused = pair.slow.create_key(&accepted, new, Actor::Agent(bot.id), &home()).unwrap_err();
    assert!(matches!(refused, KeyError::Gone), "{refused:?}");
    pair.began_to_write_at(0);
    assert!(pair.fast.list_api_keys(bot.id, &Slice::first(9)).unwrap().items.is_empty());
}

#[test]
fn v10_no_address_asked_for_with_the_old_recovery_key_outlives_a_recovery_beside_it() {
    let pair = Pair::new();
    let bot = pair.fast.sign_up_at("bot", BOX);
    let code = pair.fast.codes(BOX).remove(0).1;
    let accepted = pair.slow.manage(&bot).unwrap();
    let email = pair.slow.check_agent_email(ChangeAgentEmail { email: OTHER_BOX.into() }).unwrap();
    pair.before_writing(0, move |fast| drop(recover(fast, &code)));
    assert!(pair.slow.change_agent_email(&accepted, &email, &home()).is_err());
    assert!(pair.fast.agent(bot.id).pending_email.is_none());
    assert_eq!(kinds(&pair.fast.deliver()), [(BOX, "agent_recovered")]);
}

#[test]
fn v10_a_link_that_is_used_beside_a_recovery_proves_nothing() {
    let pair = Pair::new();
    let bot = pair.fast.sign_up_at("bot", BOX);
    pair.fast.try_move(&bot, OTHER_BOX);
    let link = pair.fast.receive("agent_verify_email");
    let code = pair.fast.codes(BOX).remove(0).1;
    pair.before_writing(3, move |fast| drop(recover(fast, &code)));
    let refused = pair.slow.verify_agent_email(&shown(&link), &home()).unwrap_err();
    assert!(matches!(refused, AgentTokenError::InvalidToken));
    pair.began_to_write_at(3);
    assert!(pair.fast.agent(bot.id).is_recovered_by(BOX));
}

#[test]
fn of_a_link_and_a_recovery_at_once_the_address_that_was_proven_first_decides() {
    let pair = Pair::new();
    let bot = pair.fast.sign_up_at("bot", BOX);
    pair.fast.try_move(&bot, OTHER_BOX);
    let link = pair.fast.receive("agent_verify_email");
    let code = pair.fast.codes(BOX).remove(0).1;
    // The recovery has found its code, and the agent moves before it is locked: with one writer at a
    // time that is before it begins.
    pair.before_writing(0, move |fast| drop(fast.prove(&link).unwrap()));
    let refused = pair.slow.try_recover(BOX, &code, false, &home()).unwrap_err();
    assert!(matches!(refused, RecoverError::InvalidCode));
    assert!(pair.fast.manage(&bot).is_ok());
    assert!(pair.fast.agent(bot.id).is_recovered_by(OTHER_BOX));
}

#[test]
fn an_agent_that_is_shut_beside_the_proof_of_its_address_proves_nothing() {
    let pair = Pair::new();
    let bot = pair.fast.try_sign_up("bot", Some(BOX)).unwrap().agent.id;
    let link = pair.fast.receive("agent_verify_email");
    pair.before_writing(3, move |fast| {
        let shut = AgentStatus::Suspended;
        fast.set_agent_status(bot, shut, Actor::Operator, &Origin::local()).unwrap();
    });
    assert!(pair.slow.verify_agent_email(&shown(&link), &home()).is_err());
    pair.began_to_write_at(3);
    assert!(pair.fast.agent(bot).email.is_none());
    let open = AgentStatus::Active;
    pair.fast.set_agent_status(bot, open, Actor::Operator, &Origin::local()).unwrap();
    assert!(pair.fast.prove(&link).is_ok(), "the link was not used up");
}

#[test]
fn an_agent_erased_while_its_request_is_in_hand_gets_no_mail() {
    type Ask = fn(&TestEngine);
    let asks: [Ask; 2] = [
        |engine| drop(engine.try_ask(BOX, None, &home()).unwrap()),
        |engine| engine.resend(OTHER_BOX),
    ];
    for ask in asks {
        let pair = Pair::new();
        let bot = pair.fast.sign_up_at("bot", BOX);
        pair.fast.try_move(&bot, OTHER_BOX);
        pair.fast.deliver();
        ask(&pair.fast);
        // It looks whether anything is due, takes it, looks whether it lives, and then fulfils it.
        let begins = if waiting(&pair.fast)[0].recovery.is_some() { 7 } else { 4 };
        pair.before_writing(begins, move |fast| {
            fast.delete_agent(bot.id, Actor::Operator, &Origin::local()).unwrap();
        });
        let letters = pair.slow.deliver();
        pair.began_to_write_at(begins);
        assert_eq!(kinds(&letters), [(BOX, "agent_deleted")]);
        assert!(waiting(&pair.fast).is_empty());
        assert_eq!(pair.fast.bot_count(bot.id, Action::RecoveryAsked, Outcome::Success), 0);
    }
}

#[test]
fn a_newer_request_for_codes_beside_the_older_ones_fulfilment_leaves_the_newer_alone() {
    let pair = Pair::new();
    let bot = pair.fast.sign_up_at("bot", BOX);
    pair.fast.try_ask(BOX, None, &home()).unwrap();
    pair.before_writing(7, |fast| drop(fast.try_ask(BOX, None, &home()).unwrap()));
    let codes: Vec<_> = pair.slow.deliver().iter().flat_map(codes_in).collect();
    pair.began_to_write_at(7);
    assert_eq!(codes.len(), 1, "of the newer");
    assert_eq!(pair.fast.bot_count(bot.id, Action::RecoveryAsked, Outcome::Success), 1);
    assert_eq!(recover(&pair.fast, &codes[0].1).id, bot.id);
}

#[test]
fn m7_a_worker_that_comes_back_after_its_lease_makes_no_second_codes() {
    let pair = Pair::new();
    let bot = pair.fast.sign_up_at("bot", BOX);
    pair.fast.try_ask(BOX, None, &home()).unwrap();
    pair.before_writing(7, |fast| {
        fast.clock.advance(Duration::seconds(30));
        let mail = fast.claim_mail().unwrap().unwrap();
        assert_eq!(codes_in(&mail.letter).len(), 1);
        fast.mail_failed(&mail, Failure::Temporary).unwrap();
    });
    assert!(pair.slow.deliver().is_empty());
    pair.began_to_write_at(7);
    assert_eq!(pair.fast.bot_count(bot.id, Action::RecoveryAsked, Outcome::Success), 1);
    pair.fast.clock.advance(Duration::MINUTE);
    let codes: Vec<_> = pair.fast.deliver().iter().flat_map(codes_in).collect();
    assert_eq!(recover(&pair.fast, &codes[0].1).id, bot.id);
}

#[test]
fn m7_two_workers_fulfil_a_request_for_codes_once() {
    for _ in 0..4 {
        let one = TestEngine::new();
        let two = one.peer().build();
        let bot = one.sign_up_at("bot", BOX);
        one.try_ask(BOX, None, &home()).unwrap();
        let letters: Vec<_> =
            super::super::at_once(2, |index| [&one, &two][index].deliver()).concat();
        assert_eq!(kinds(&letters), [(BOX, "agent_recovery_codes")]);
        assert_eq!(one.bot_count(bot.id, Action::RecoveryAsked, Outcome::Success), 1);
    }
}

#[test]
fn k6_a_token_issued_beside_the_revocation_of_its_key_is_dead() {
    let pair = Pair::new();
    let bot = pair.fast.sign_up_bot("bot");
    let key = pair.fast.make_key(&bot);
    let fast = Arc::clone(&pair.fast);
    let (id, owner) = (key.id.to_string(), bot.id);
    // Its key was looked at; what comes after is no step of the storage.
    let token = pair.slow.token(&key);
    fast.revoke_key(owner, &id, Actor::Operator, &home()).unwrap();
    assert!(!pair.slow.is_good(&token) && !pair.fast.is_good(&token));
}
