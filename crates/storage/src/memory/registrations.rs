use portcullis_kernel::{
    AgentId, ClaimAttemptId, Instant, RegistrationId, StoreResult, TokenDigest, UniqueKey,
};
use portcullis_registration::{ClaimAttempt, Decision, Registration, RegistrationKind, State};

use super::{
    Unit,
    tables::{Tables, check_free, check_there},
};
use crate::RegistrationRepository;

impl RegistrationRepository for Unit<'_> {
    fn insert(&mut self, registration: &Registration) -> StoreResult<()> {
        self.change(|tables| {
            tables.check_agent(registration.agent)?;
            let alike = |other: &Registration| {
                other.id == registration.id
                    || other.agent == registration.agent
                    || other.claim == registration.claim
                    || other.view == registration.view
            };
            check_free(tables.registrations.values().any(alike), UniqueKey::Other)?;
            tables.registrations.put(registration.id, registration.clone());
            Ok(())
        })
    }

    fn lock_by_claim(&mut self, claim: &TokenDigest) -> StoreResult<Option<Registration>> {
        self.change(|tables| Ok(one(tables, |found| found.claim == *claim)))
    }

    fn lock_by_view(&mut self, view: &TokenDigest) -> StoreResult<Option<Registration>> {
        self.change(|tables| Ok(one(tables, |found| found.view == *view)))
    }

    fn lock_by_attempt(&mut self, id: ClaimAttemptId) -> StoreResult<Option<Registration>> {
        self.change(|tables| {
            let attempt = tables.claim_attempts.get(&id);
            let registration = attempt.and_then(|it| tables.registrations.get(&it.registration));
            Ok(registration.cloned())
        })
    }

    fn lock_by_undo(
        &mut self,
        undo: &TokenDigest,
        now: Instant,
    ) -> StoreResult<Option<Registration>> {
        self.change(|tables| Ok(undone_with(tables, undo, now)))
    }

    fn find_by_view(&mut self, view: &TokenDigest) -> StoreResult<Option<Registration>> {
        self.read(|tables| one(tables, |found| found.view == *view))
    }

    fn find_by_undo(
        &mut self,
        undo: &TokenDigest,
        now: Instant,
    ) -> StoreResult<Option<Registration>> {
        self.read(|tables| undone_with(tables, undo, now))
    }

    fn find_by_agent(&mut self, agent: AgentId) -> StoreResult<Option<Registration>> {
        self.read(|tables| one(tables, |found| found.agent == agent))
    }

    fn decide(
        &mut self,
        id: RegistrationId,
        decision: &Decision,
        now: Instant,
    ) -> StoreResult<bool> {
        self.change(|tables| {
            let open = tables.registrations.get(&id).is_some_and(|it| it.state == State::Open);
            if !open {
                return Ok(false);
            }
            let state = match decision {
                Decision::Claim { undo, undo_until } => {
                    tables.undos.put(id, (*undo, *undo_until));
                    State::Claimed(now)
                }
                Decision::Deny => State::Denied(now),
            };
            tables.remove_attempt_of(id);
            Ok(tables.registrations.update(&id, |found| found.state = state))
        })
    }

    fn remove(&mut self, id: RegistrationId) -> StoreResult<bool> {
        self.change(|tables| Ok(tables.remove_registration(id)))
    }

    fn forget_undo(&mut self, id: RegistrationId) -> StoreResult<bool> {
        self.change(|tables| Ok(tables.undos.remove(&id).is_some()))
    }

    fn attempt(&mut self, id: RegistrationId) -> StoreResult<Option<ClaimAttempt>> {
        self.read(|tables| {
            tables.claim_attempts.values().find(|found| found.registration == id).cloned()
        })
    }

    fn put_attempt(&mut self, attempt: &ClaimAttempt) -> StoreResult<()> {
        self.change(|tables| {
            let of = attempt.registration;
            check_there(tables.registrations.contains(&of), "registration")?;
            tables.remove_attempt_of(of);
            check_free(tables.claim_attempts.contains(&attempt.id), UniqueKey::Other)?;
            tables.claim_attempts.put(attempt.id, attempt.clone());
            if attempt.code.is_some() {
                tables.registrations.update(&of, |found| found.codes += 1);
            }
            Ok(())
        })
    }

    fn take_try(&mut self, id: ClaimAttemptId, most: u32) -> StoreResult<bool> {
        self.change(|tables| {
            let left = tables.claim_attempts.get(&id).is_some_and(|found| found.tries < most);
            Ok(left && tables.claim_attempts.update(&id, |found| found.tries += 1))
        })
    }

    fn give_back_try(&mut self, id: ClaimAttemptId) -> StoreResult<()> {
        self.change(|tables| {
            tables.claim_attempts.update(&id, |found| found.tries = found.tries.saturating_sub(1));
            Ok(())
        })
    }

    fn list_unclaimed(
        &mut self,
        claimable_until: Instant,
        anonymous_before: Option<Instant>,
        limit: u32,
    ) -> StoreResult<Vec<AgentId>> {
        self.read(|tables| {
            let stale = |found: &&Registration| match found.kind {
                _ if matches!(found.state, State::Claimed(_)) => false,
                RegistrationKind::Email { .. } => found.expires_at <= claimable_until,
                RegistrationKind::Anonymous => {
                    anonymous_before.is_some_and(|before| found.created_at < before)
                }
            };
            let mut stale: Vec<_> = tables.registrations.values().filter(stale).collect();
            stale.sort_by_key(|found| match found.kind {
                RegistrationKind::Email { .. } => (0, found.expires_at, found.id),
                RegistrationKind::Anonymous => (1, found.created_at, found.id),
            });
            let most = usize::try_from(limit).unwrap_or(usize::MAX);
            stale.into_iter().take(most).map(|found| found.agent).collect()
        })
    }

    fn delete_dead_attempts(&mut self, before: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|tables| {
            let dead = tables.claim_attempts.keys_where(limit, |_, it| it.expires_at <= before);
            for id in &dead {
                tables.remove_mails(|entry| entry.claim == Some(*id));
                tables.claim_attempts.remove(id);
            }
            Ok(u64::try_from(dead.len()).unwrap_or(u64::MAX))
        })
    }
}

fn one(tables: &Tables, wanted: impl Fn(&Registration) -> bool) -> Option<Registration> {
    tables.registrations.values().find(|found| wanted(found)).cloned()
}

fn undone_with(tables: &Tables, undo: &TokenDigest, now: Instant) -> Option<Registration> {
    let undos = tables.undos.iter();
    let mut theirs = undos.filter(|(_, (digest, until))| digest == undo && now < *until);
    let (id, _) = theirs.next()?;
    tables.registrations.get(id).cloned()
}
