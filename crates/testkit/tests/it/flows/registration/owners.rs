//! Whose the agent is after a claim.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::agents::ProfileInput;
use portcullis_identity::Role;
use portcullis_kernel::{Classify as _, ErrorKind, Origin, Slice};
use portcullis_testkit::engine::TestEngine;

use super::{
    super::{
        JANE, JOHN, PASSWORD, People as _, Stored as _,
        agents::{Agents as _, everywhere},
        from, home,
        mailbox::{Mail as _, OTHER_PASSWORD, kinds},
    },
    Claims as _, StoredClaims as _, unlimited,
};

#[test]
fn who_has_an_account_keeps_it_as_it_is() {
    let engine = TestEngine::new();
    let jane = engine.join_verified(JANE);
    engine.set_role(jane.user.id, Role::Host, Actor::Operator, &Origin::local()).unwrap();
    let before = engine.find_user(JANE).unwrap();
    let newcomer = engine.anonymous();
    engine.claim(&newcomer, JANE);
    assert_eq!(engine.find_bot(&newcomer).unwrap().owner, Some(jane.user.id));
    assert_eq!(engine.find_user(JANE).unwrap(), before);
    assert!(engine.is_alive(&jane.tokens), "a proven account loses nothing");
    engine.enter(JANE);
    assert_eq!(engine.count(jane.user.id, Action::UserRegistered, Outcome::Success), 1);
}

#[test]
fn who_has_none_gets_one_without_a_password_and_may_set_one() {
    let engine = TestEngine::new();
    let newcomer = engine.anonymous();
    engine.claim(&newcomer, "Jane@Example.com");
    let details = engine.show_user(JANE).unwrap();
    assert!(!details.has_password && details.user.is_verified() && details.sessions.is_empty());
    assert_eq!(details.user.email.delivery(), "Jane@example.com");
    assert_eq!(engine.count(details.user.id, Action::UserRegistered, Outcome::Success), 1);
    assert!(engine.try_enter(JANE, PASSWORD, &home()).is_err(), "no password opens it");
    engine.deliver();
    let token = engine.reset_token(JANE);
    engine.try_reset(&token, OTHER_PASSWORD).unwrap();
    engine.try_enter(JANE, OTHER_PASSWORD, &home()).unwrap();
    assert_eq!(engine.find_bot(&newcomer).unwrap().owner, Some(details.user.id));
}

#[test]
fn v10_an_account_that_a_stranger_opened_on_the_mailbox_is_cleared_first_and_that_is_told() {
    let engine = TestEngine::new();
    let planted = engine.join(JANE);
    let entered = engine.try_enter(JANE, PASSWORD, &from("198.51.100.9")).unwrap();
    let page = engine.enter_page(JANE);
    engine.deliver();
    let newcomer = engine.anonymous();
    engine.claim(&newcomer, JANE);
    let user = engine.find_user(JANE).unwrap();
    assert_eq!(user.id, planted.user.id, "the account itself stays");
    assert!(user.is_verified() && !engine.show_user(JANE).unwrap().has_password);
    for tokens in [&planted.tokens, &entered.tokens] {
        assert!(engine.try_bearer(tokens).is_none() && engine.rotate(&tokens.refresh).is_err());
    }
    assert!(engine.page(&page).is_none());
    for origin in [home(), from("198.51.100.9")] {
        assert!(engine.try_enter(JANE, PASSWORD, &origin).is_err());
    }
    let letters = engine.deliver();
    let mut told = kinds(&letters);
    told.sort_unstable();
    assert_eq!(told, [(JANE, "account_reclaimed"), (JANE, "agent_claimed")]);
    assert_eq!(engine.find_bot(&newcomer).unwrap().owner, Some(user.id));
}

#[test]
fn v10_a_wrong_code_clears_nothing() {
    let engine = TestEngine::new();
    let planted = engine.join(JANE);
    engine.deliver();
    let newcomer = engine.anonymous();
    let code = engine.code(&newcomer, JANE);
    engine.complete(&newcomer, &super::wrong(&code, 0)).unwrap_err();
    assert!(engine.is_alive(&planted.tokens) && !engine.find_user(JANE).unwrap().is_verified());
}

#[test]
fn a_suspended_person_claims_nothing() {
    let engine = unlimited();
    let jane = engine.join_verified(JANE).user.id;
    let newcomer = engine.anonymous();
    let code = engine.code(&newcomer, JANE);
    engine.suspend_user(jane, Actor::Operator, &Origin::local()).unwrap();
    assert_eq!(engine.complete(&newcomer, &code).unwrap_err().code(), "claim_denied");
    assert!(engine.is_unclaimed(&newcomer));
    engine.deliver();
    // It was not the registration that was refused: somebody else may claim.
    engine.claim(&newcomer, JOHN);
}

#[test]
fn agents_of_a_person_who_goes_lose_their_owner_and_their_keys() {
    let engine = unlimited();
    let newcomer = engine.anonymous();
    let key = engine.claim(&newcomer, JANE);
    let undo = engine.receive("agent_claimed");
    let jane = engine.find_user(JANE).unwrap().id;
    engine.delete_user(jane, Actor::Operator, &Origin::local()).unwrap();
    assert!(!engine.lives(&key));
    assert_eq!(engine.find_bot(&newcomer).unwrap().owner, None);
    let again = engine.try_start(&newcomer, JOHN, &home()).unwrap_err();
    assert_eq!(
        again.code(),
        "invalid_claim_token",
        "whoever has the claim token gets it no second time"
    );
    assert_eq!(engine.registration(&newcomer), None, "the address of its person goes with them");
    // Whether or not there is something left to undo, nothing comes back by it.
    drop(engine.try_undo(&undo));
    assert!(engine.find_bot(&newcomer).unwrap().owner.is_none() && !engine.lives(&key));
}

#[test]
fn an_agent_that_signed_itself_up_gets_no_recovery_key_until_it_belongs_to_nobody_again() {
    let engine = unlimited();
    let newcomer = engine.anonymous();
    let reset = || engine.reset_recovery_key(newcomer.agent, Actor::Operator, &Origin::local());
    for claimed in [false, true] {
        if claimed {
            engine.claim(&newcomer, JANE);
        }
        let before = engine.event_count();
        assert_eq!(reset().unwrap_err().code(), "conflict");
        assert_eq!(engine.event_count(), before);
        assert_eq!(engine.find_bot(&newcomer).unwrap().recovery, None);
    }
    let jane = engine.find_user(JANE).unwrap().id;
    engine.delete_user(jane, Actor::Operator, &Origin::local()).unwrap();
    reset().unwrap();
}

#[test]
fn who_answers_to_nobody_is_not_in_the_directory() {
    let engine = unlimited();
    let newcomer = engine.anonymous();
    let change = |visibility: &str| {
        let input = ProfileInput {
            description: Some("Helps.".into()),
            visibility: Some(visibility.into()),
            ..ProfileInput::default()
        };
        engine.change_agent_profile(newcomer.agent, &input.check().unwrap(), &home())
    };
    let refused = change("public").unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Forbidden, "forbidden"));
    assert_eq!(engine.find_bot(&newcomer).unwrap().profile.description, None);
    change("private").unwrap();
    let listed = || engine.list_directory(None, &Slice::first(9)).unwrap().items.len();
    assert_eq!(listed(), 0);
    engine.claim(&newcomer, JANE);
    change("public").unwrap();
    assert_eq!(listed(), 1);
}

#[test]
fn k13_agents_of_a_suspended_person_wait_with_them() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let newcomer = engine.anonymous();
        let key = engine.claim(&newcomer, JANE);
        let token = engine.token(&key);
        let jane = engine.find_user(JANE).unwrap().id;
        for _ in 0..2 {
            assert!(engine.lives(&key) && engine.is_good(&token));
            engine.suspend_user(jane, Actor::Operator, &Origin::local()).unwrap();
            assert!(!engine.lives(&key) && !engine.is_good(&token));
            assert!(engine.find_bot(&newcomer).unwrap().is_active(), "it waits for nothing else");
            engine.resume_user(jane, Actor::Operator, &Origin::local()).unwrap();
        }
    }
}
