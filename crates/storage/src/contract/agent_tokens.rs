//! Cases of [`AgentTokenRepository`](crate::AgentTokenRepository).

use portcullis_credentials::AgentToken;
use portcullis_email::OutboxEntry;
use portcullis_kernel::{Instant, StoreError, TokenDigest, UniqueKey};

use super::{
    case_list,
    lab::{Lab, TICK, at, in_parallel},
};
use crate::{Storage, StorageExt};

case_list! {
    a_token_of_an_agent_comes_back_as_it_was_stored,
    a_token_of_an_agent_is_dead_from_its_end_on,
    a_new_token_of_an_agent_takes_the_place_of_those_not_used,
    of_many_callers_one_spends_a_token_of_an_agent,
    of_many_transactions_one_spends_a_token_of_an_agent,
    a_token_that_was_used_is_there_without_its_mail,
    open_tokens_of_an_agent_are_removed_with_their_mails,
    a_token_of_no_agent_is_refused,
    a_taken_digest_of_a_token_of_an_agent_is_a_conflict,
    of_many_tokens_put_under_the_agents_lock_the_last_is_left,
    of_many_tokens_of_an_agent_put_at_once_one_is_left,
}

fn find(lab: &Lab<'_>, token: &AgentToken, now: Instant) -> Option<AgentToken> {
    lab.read(|uow| uow.agent_tokens().find(&token.digest, now))
}

fn spend(lab: &Lab<'_>, token: &AgentToken, now: Instant) -> bool {
    lab.statement(|uow| uow.agent_tokens().spend(&token.digest, now))
}

/// The token and a mail that carries it.
fn mailed(lab: &Lab<'_>, token: AgentToken) -> (AgentToken, OutboxEntry) {
    lab.write(|uow| uow.agent_tokens().put(&token));
    let mail = lab.queue(OutboxEntry { agent_token: Some(token.digest), ..lab.new_mail() });
    (token, mail)
}

/// Every field, times to the microsecond.
pub fn a_token_of_an_agent_comes_back_as_it_was_stored(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let agent = lab.agent().id;
    for used_at in [Some(at(2) + TICK), None] {
        let token = AgentToken {
            email: format!("ünï+{}@example.com", lab.tag()),
            created_at: at(0) + TICK,
            expires_at: at(60) - TICK,
            used_at,
            ..lab.new_agent_token(agent)
        };
        assert_eq!(find(&lab, &token, at(1)), None);
        lab.write(|uow| uow.agent_tokens().put(&token));
        assert_eq!(find(&lab, &token, at(1)), Some(token));
    }
}

/// At that very time it is neither found nor spent, used or not.
pub fn a_token_of_an_agent_is_dead_from_its_end_on(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let mut token = lab.agent_token(lab.agent().id);
    let end = token.expires_at;
    assert_eq!(find(&lab, &token, end), None);
    assert!(!spend(&lab, &token, end));
    assert_eq!(find(&lab, &token, end - TICK).as_ref(), Some(&token));
    assert!(spend(&lab, &token, end - TICK));
    assert_eq!(find(&lab, &token, end), None);
    token.used_at = Some(end - TICK);
    assert_eq!(find(&lab, &token, end - TICK), Some(token));
}

/// With their mails; used ones stay, and so do those of another agent.
pub fn a_new_token_of_an_agent_takes_the_place_of_those_not_used(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (agent, other) = (lab.agent().id, lab.agent().id);
    let used = lab.agent_token(agent);
    assert!(spend(&lab, &used, at(1)));
    let (old, old_mail) = mailed(&lab, lab.new_agent_token(agent));
    let (foreign, foreign_mail) = mailed(&lab, lab.new_agent_token(other));
    // Also one that has expired.
    let expired = AgentToken { expires_at: at(1), ..lab.new_agent_token(agent) };
    let (expired, expired_mail) = mailed(&lab, expired);
    let (new, new_mail) = mailed(&lab, lab.new_agent_token(agent));
    for (token, found) in
        [(used, true), (old, false), (expired, false), (new, true), (foreign, true)]
    {
        assert_eq!(find(&lab, &token, at(0)).is_some(), found);
    }
    let mails = [&old_mail, &expired_mail, &new_mail, &foreign_mail];
    assert_eq!(lab.waiting(mails), [false, false, true, true]);
}

/// Each as a statement of its own.
pub fn of_many_callers_one_spends_a_token_of_an_agent(storage: &dyn Storage) {
    one_spends(storage, spend);
}

/// Each in a transaction.
pub fn of_many_transactions_one_spends_a_token_of_an_agent(storage: &dyn Storage) {
    one_spends(storage, |lab, token, now| {
        lab.write(|uow| uow.agent_tokens().spend(&token.digest, now))
    });
}

fn one_spends(
    storage: &dyn Storage,
    spend: impl Fn(&Lab<'_>, &AgentToken, Instant) -> bool + Sync,
) {
    let lab = Lab::new(storage);
    let token = lab.agent_token(lab.agent().id);
    let done = in_parallel(|index| {
        let now = at(i64::try_from(index).unwrap());
        spend(&lab, &token, now).then_some(now)
    });
    let done: Vec<_> = done.into_iter().flatten().collect();
    assert_eq!(done.len(), 1);
    assert!(!spend(&lab, &token, at(99)));
    assert_eq!(find(&lab, &token, at(1)).unwrap().used_at, Some(done[0]));
}

/// And no other mail is gone.
pub fn a_token_that_was_used_is_there_without_its_mail(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let agent = lab.agent().id;
    let (mut token, mail) = mailed(&lab, lab.new_agent_token(agent));
    let (_, other_mail) = mailed(&lab, lab.new_agent_token(lab.agent().id));
    let notice = lab.queue(OutboxEntry { agent: Some(agent), ..lab.new_mail() });
    assert!(!spend(&lab, &lab.new_agent_token(agent), at(1)));
    assert_eq!(lab.waiting([&mail, &other_mail, &notice]), [true; 3]);
    assert!(spend(&lab, &token, at(1) + TICK));
    assert_eq!(lab.waiting([&mail, &other_mail, &notice]), [false, true, true]);
    token.used_at = Some(at(1) + TICK);
    assert_eq!(find(&lab, &token, at(2)), Some(token));
}

/// Used ones stay, and so do those of another agent.
pub fn open_tokens_of_an_agent_are_removed_with_their_mails(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (agent, other) = (lab.agent().id, lab.agent().id);
    let used = lab.agent_token(agent);
    assert!(spend(&lab, &used, at(1)));
    let (gone, mail) = mailed(&lab, lab.new_agent_token(agent));
    let (foreign, foreign_mail) = mailed(&lab, lab.new_agent_token(other));
    let remove = || lab.statement(|uow| uow.agent_tokens().remove_open(agent));
    assert_eq!([remove(), remove()], [1, 0]);
    for (token, found) in [(used, true), (gone, false), (foreign, true)] {
        assert_eq!(find(&lab, &token, at(0)).is_some(), found);
    }
    assert_eq!(lab.waiting([&mail, &foreign_mail]), [false, true]);
}

/// Nothing is left of an agent that another transaction has deleted.
pub fn a_token_of_no_agent_is_refused(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let token = lab.new_agent_token(lab.agent_id());
    assert!(storage.transact(|uow| uow.agent_tokens().put(&token)).is_err());
    assert_eq!(find(&lab, &token, at(0)), None);
}

/// `Conflict(Other)`, also with one of its own that was used; all stay as they were.
pub fn a_taken_digest_of_a_token_of_an_agent_is_a_conflict(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let agent = lab.agent().id;
    let mut used = lab.agent_token(agent);
    assert!(spend(&lab, &used, at(1)));
    used.used_at = Some(at(1));
    let (old, foreign) = (lab.agent_token(agent), lab.agent_token(lab.agent().id));
    let put = |digest: TokenDigest| {
        let token = AgentToken { digest, ..lab.new_agent_token(agent) };
        storage.transact(|uow| uow.agent_tokens().put(&token))
    };
    for digest in [used.digest, foreign.digest] {
        let refused = put(digest);
        assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::Other))), "{refused:?}");
    }
    for token in [used, old, foreign] {
        assert_eq!(find(&lab, &token, at(0)), Some(token));
    }
}

/// As flows put them; with its mail.
pub fn of_many_tokens_put_under_the_agents_lock_the_last_is_left(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let agent = lab.agent().id;
    let put = in_parallel(|_| {
        let token = lab.new_agent_token(agent);
        let mail = OutboxEntry { agent_token: Some(token.digest), ..lab.new_mail() };
        lab.write(|uow| {
            uow.agents().lock(agent)?;
            uow.agent_tokens().put(&token)?;
            uow.outbox().insert(&mail)
        });
        (token, mail)
    });
    let is_left = |token: &AgentToken| find(&lab, token, at(0)).is_some();
    assert_eq!(put.iter().filter(|(token, _)| is_left(token)).count(), 1);
    assert!(put.iter().all(|(token, mail)| lab.waiting([mail]) == [is_left(token)]));
}

/// Without that lock some may be in the way of others; no more than that.
pub fn of_many_tokens_of_an_agent_put_at_once_one_is_left(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let agent = lab.agent().id;
    let put = in_parallel(|_| {
        let token = lab.new_agent_token(agent);
        let put = storage.transact(|uow| uow.agent_tokens().put(&token));
        assert!(matches!(put, Ok(()) | Err(StoreError::Contention(_))), "{put:?}");
        token
    });
    assert_eq!(put.iter().filter(|token| find(&lab, token, at(0)).is_some()).count(), 1);
}
