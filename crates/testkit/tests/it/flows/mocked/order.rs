//! The order in which rows are locked is one for all: user, password, sessions, what is mailed, audit.
//! Two transactions that keep to it cannot wait for each other for ever on PostgreSQL.

use mockall::{Sequence, predicate::eq};
use portcullis_audit::{Action, Actor};
use portcullis_credentials::{MailedKind, MailedToken};
use portcullis_flows::people::RefreshError;
use portcullis_kernel::{Origin, TokenDigest};
use portcullis_storage::TxMode::{Read, Write};
use portcullis_testkit::engine::TestEngine;

use super::{
    super::{
        JANE, People as _, Stored as _,
        mailbox::{Mail as _, carried},
    },
    outrun,
    planned::{Unit, planned},
};

#[test]
fn a_replay_holds_the_user_before_it_ends_the_session() {
    let (engine, jane) = outrun(|mut state| {
        let (digest, session, user) = (state.token.digest, state.session.id, state.session.user);
        state.token.used_at = Some(state.token.issued_at);
        state.session.generation += 2;
        let mut order = Sequence::new();
        let ends = Unit::expecting(|unit| {
            let find = unit.sessions.expect_find_token().with(eq(digest)).times(1);
            find.in_sequence(&mut order).return_once(move |_| Ok(Some(state)));
            // The notice refers to the user, whose row a change of password holds first.
            let hold = unit.users.expect_hold_active().with(eq(user)).times(1);
            hold.in_sequence(&mut order).returning(|_| Ok(true));
            let end = unit.sessions.expect_end().times(1);
            end.in_sequence(&mut order)
                .withf(move |id, owner, _| (*id, *owner) == (session, user))
                .returning(|_, _, _| Ok(true));
            unit.users.expect_find().with(eq(user)).returning(|_| Ok(None));
            let append = unit.audit.expect_append().times(1).in_sequence(&mut order);
            append.withf(|event| event.action == Action::RefreshReplayed).returning(|_| Ok(()));
        });
        ends.published()
    });
    let refused = engine.rotate(&jane.tokens.refresh).unwrap_err();
    assert!(matches!(refused, RefreshError::InvalidToken), "{refused:?}");
}

#[test]
fn a_used_token_of_a_user_who_went_meanwhile_ends_nothing() {
    let (engine, jane) = outrun(|mut state| {
        state.token.used_at = Some(state.token.issued_at);
        state.session.generation += 2;
        let gone = Unit::expecting(|unit| {
            unit.sessions.expect_find_token().times(1).return_once(move |_| Ok(Some(state)));
            unit.users.expect_hold_active().times(1).returning(|_| Ok(false));
        });
        gone.published()
    });
    let refused = engine.rotate(&jane.tokens.refresh).unwrap_err();
    assert!(matches!(refused, RefreshError::InvalidToken), "{refused:?}");
}

/// Expects that an account is erased, and only then its traces in the audit: what was done beside it
/// is written down by then.
fn erases(unit: &mut Unit, order: &mut Sequence, last: Action) {
    let owned = unit.agents.expect_list_owned().times(1).in_sequence(order);
    owned.returning(|_| Ok(Vec::new()));
    let delete = unit.users.expect_delete().times(1).in_sequence(order);
    delete.returning(|_| Ok(true));
    let withdraw = unit.invitations.expect_remove_for().times(1).in_sequence(order);
    withdraw.returning(|_| Ok(0));
    let forget = unit.audit.expect_pseudonymise().times(1).in_sequence(order);
    forget.returning(|_| Ok(1));
    let append = unit.audit.expect_append().times(1).in_sequence(order);
    append.withf(move |event| event.action == last).returning(|_| Ok(()));
}

#[test]
fn an_account_is_erased_before_its_traces_are() {
    let donor = TestEngine::new();
    let jane = donor.join(JANE).user;
    let id = jane.id;
    let mut order = Sequence::new();
    let erased = Unit::expecting(|unit| {
        let hold = unit.users.expect_lock().with(eq(id)).times(1).in_sequence(&mut order);
        hold.return_once(move |_| Ok(Some(jane)));
        erases(unit, &mut order, Action::UserDeleted);
    });
    let engine = planned(&donor, vec![(Write, erased.published())]).build();
    engine.delete_user(id, Actor::Operator, &Origin::local()).unwrap();
}

#[test]
fn a_disowned_account_is_held_before_its_link_is_spent_and_erased_before_its_traces() {
    let donor = TestEngine::new();
    let user = donor.join(JANE).user;
    let link = carried(&donor.deliver()[0]);
    let digest = TokenDigest::of(&link);
    let token =
        donor.look(|uow| uow.mailed_tokens().find(MailedKind::VerifyEmail, &digest, donor.now()));
    let token: MailedToken = token.unwrap();
    let found = user.clone();
    let look = Unit::expecting(|unit| {
        unit.mailed_tokens.expect_find().times(1).return_once(move |_, _, _| Ok(Some(token)));
        unit.users.expect_find().times(1).return_once(move |_| Ok(Some(found)));
    });
    let mut order = Sequence::new();
    let erased = Unit::expecting(|unit| {
        let hold = unit.users.expect_lock().with(eq(user.id)).times(1).in_sequence(&mut order);
        hold.return_once(move |_| Ok(Some(user)));
        let spend = unit.mailed_tokens.expect_spend().times(1).in_sequence(&mut order);
        spend.returning(|_, _, _| Ok(true));
        erases(unit, &mut order, Action::UserDisowned);
    });
    let engine = planned(&donor, vec![(Read, look), (Write, erased.published())]).build();
    engine.try_disown(&link).unwrap();
}
