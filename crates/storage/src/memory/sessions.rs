use std::{cmp::Reverse, collections::BTreeSet};

use portcullis_kernel::{Instant, SessionId, StoreResult, TokenDigest, UniqueKey, UserId};
use portcullis_tokens::{RefreshRow, RefreshState, Session};

use super::{
    Unit,
    tables::{Tables, check_free},
};
use crate::SessionRepository;

impl SessionRepository for Unit<'_> {
    fn insert(&mut self, session: &Session, first: &RefreshRow) -> StoreResult<()> {
        self.change(|tables| {
            tables.check_user(session.user)?;
            check_free(tables.sessions.contains(&session.id), UniqueKey::Other)?;
            check_free(tables.refresh.contains(&first.digest), UniqueKey::Other)?;
            tables.sessions.put(session.id, session.clone());
            tables.refresh.put(first.digest, first.clone());
            Ok(())
        })
    }

    fn find_token(&mut self, digest: &TokenDigest) -> StoreResult<Option<RefreshState>> {
        self.read(|tables| {
            let token = tables.refresh.get(digest)?.clone();
            let session = tables.sessions.get(&token.session)?.clone();
            Some(RefreshState { token, session })
        })
    }

    fn rotate(
        &mut self,
        spent: &TokenDigest,
        successor: &RefreshRow,
        now: Instant,
    ) -> StoreResult<bool> {
        self.change(|tables| {
            let before = successor.generation.checked_sub(1);
            let token = tables.refresh.get(spent).is_some_and(|token| {
                token.used_at.is_none()
                    && token.session == successor.session
                    && Some(token.generation) == before
            });
            let session = tables
                .sessions
                .get(&successor.session)
                .is_some_and(|session| session.is_live(now) && Some(session.generation) == before);
            if !token || !session {
                return Ok(false);
            }
            check_free(tables.refresh.contains(&successor.digest), UniqueKey::Other)?;
            tables.refresh.update(spent, |token| token.used_at = Some(now));
            tables.sessions.update(&successor.session, |session| {
                session.generation = successor.generation;
                session.last_used_at = now;
            });
            tables.refresh.put(successor.digest, successor.clone());
            Ok(true)
        })
    }

    fn mark_raced(&mut self, digest: &TokenDigest, now: Instant) -> StoreResult<bool> {
        self.change(|tables| {
            let token = tables.refresh.get(digest);
            let first =
                token.is_some_and(|token| token.used_at.is_some() && token.raced_at.is_none());
            Ok(first && tables.refresh.update(digest, |token| token.raced_at = Some(now)))
        })
    }

    fn count_raced(&mut self, session: SessionId, since: Instant) -> StoreResult<u32> {
        self.read(|tables| {
            let tokens = tables.refresh.values().filter(|token| token.session == session);
            let raced = tokens.filter(|token| token.raced_at.is_some_and(|at| at >= since)).count();
            u32::try_from(raced).unwrap_or(u32::MAX)
        })
    }

    fn find_live(&mut self, id: SessionId, now: Instant) -> StoreResult<Option<Session>> {
        self.read(|tables| tables.sessions.get(&id).filter(|session| session.is_live(now)).cloned())
    }

    fn list_live(&mut self, user: UserId, now: Instant) -> StoreResult<Vec<Session>> {
        self.read(|tables| {
            let mut sessions = live(tables, user, now);
            sessions.retain(|session| has_usable_token(tables, session, now));
            sessions
        })
    }

    fn end(&mut self, id: SessionId, user: UserId, now: Instant) -> StoreResult<bool> {
        self.change(|tables| {
            let session = tables.sessions.get(&id);
            let theirs =
                session.is_some_and(|session| session.user == user && session.is_live(now));
            Ok(theirs && end(tables, id, now))
        })
    }

    fn end_all(&mut self, user: UserId, keep: Option<SessionId>, now: Instant) -> StoreResult<u64> {
        self.change(|tables| {
            let others =
                live(tables, user, now).into_iter().filter(|session| Some(session.id) != keep);
            Ok(others.fold(0, |count, session| count + u64::from(end(tables, session.id, now))))
        })
    }

    fn end_beyond(&mut self, user: UserId, most: u32, now: Instant) -> StoreResult<u64> {
        self.change(|tables| {
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            let surplus = live(tables, user, now).into_iter().skip(most);
            Ok(surplus.fold(0, |count, session| count + u64::from(end(tables, session.id, now))))
        })
    }

    fn delete_dead(&mut self, now: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|tables| {
            let tokens = tables.refresh.remove_where(limit, |_, token| token.expires_at < now);
            let held: BTreeSet<_> = tables.refresh.values().map(|token| token.session).collect();
            let dead = tables
                .sessions
                .keys_where(limit, |id, session| !session.is_live(now) || !held.contains(id));
            Ok(dead
                .into_iter()
                .fold(tokens, |count, id| count + u64::from(tables.remove_session(id))))
        })
    }
}

/// The user's live sessions, newest use first.
fn live(tables: &Tables, user: UserId, now: Instant) -> Vec<Session> {
    let theirs = tables.sessions.values().filter(|session| session.user == user);
    let mut sessions: Vec<_> = theirs.filter(|session| session.is_live(now)).cloned().collect();
    sessions.sort_by_key(|session| Reverse((session.last_used_at, session.id)));
    sessions
}

/// Whether the token of the session's present generation has not expired.
fn has_usable_token(tables: &Tables, session: &Session, now: Instant) -> bool {
    tables.refresh.values().any(|token| {
        token.session == session.id
            && token.generation == session.generation
            && now < token.expires_at
    })
}

fn end(tables: &mut Tables, id: SessionId, now: Instant) -> bool {
    tables.sessions.update(&id, |session| session.ended_at = Some(now))
}
