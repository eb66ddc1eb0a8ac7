//! Cases of [`UnitOfWork`] and [`StorageExt`].

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    thread,
};

use portcullis_audit::{Action, Actor, AuditEvent};
use portcullis_credentials::{MailedKind, MailedToken, PasswordHash};
use portcullis_email::{OutboxEntry, ports::InboxEntry};
use portcullis_identity::{EmailChange, Invitation, Role, User};
use portcullis_kernel::{Instant, MailId, Origin, StoreError, StoreResult};
use portcullis_limits::{BucketKey, HitLog, Policy};
use portcullis_tokens::{RefreshRow, RefreshState, Session, SigningKey};
use time::Duration;

use super::{
    agent_world::{AgentWorld, SeenOfAgent},
    case_list,
    lab::{Lab, at, in_parallel},
};
use crate::{Storage, StorageExt, TxMode, UnitOfWork};

case_list! {
    a_dropped_unit_leaves_everything_as_it_was,
    a_committed_unit_publishes_everything,
    a_unit_sees_its_own_changes,
    nobody_sees_what_is_not_committed,
    many_units_at_once_are_all_published,
    a_statement_needs_no_commit,
    a_reading_unit_sees_what_was_committed_meanwhile,
    a_panic_rolls_back_and_leaves_the_storage_usable,
    work_that_fails_is_rolled_back_and_not_tried_again,
    work_in_the_way_of_another_is_tried_three_times,
}

const FIVE: Policy = Policy::new("contract", 5, Duration::MINUTE);

/// One row of everything.
struct World {
    user: User,
    hash: PasswordHash,
    session: Session,
    token: RefreshRow,
    key: SigningKey,
    mailed: MailedToken,
    email_change: EmailChange,
    invitation: Invitation,
    mail: OutboxEntry,
    delivered: InboxEntry,
    event: AuditEvent,
    bucket: BucketKey,
    agent: AgentWorld,
}

/// What is stored of a world.
#[derive(Debug, PartialEq)]
struct Seen {
    user: Option<User>,
    by_email: Option<User>,
    hash: Option<PasswordHash>,
    known: bool,
    token: Option<RefreshState>,
    key: Option<SigningKey>,
    mailed: Option<MailedToken>,
    email_change: Option<EmailChange>,
    invitation: Option<Invitation>,
    mail_is_due: bool,
    delivered: Option<InboxEntry>,
    events: Vec<AuditEvent>,
    log: Option<HitLog>,
    agent: SeenOfAgent,
}

impl World {
    fn new(lab: &Lab<'_>) -> Self {
        let user = lab.new_user();
        let (session, token) = lab.new_session(user.id, at(0));
        let (action, actor) = (Action::UserRegistered, Actor::User(user.id));
        let event = AuditEvent::new(action, actor, &Origin::local(), at(0), &lab.entropy).unwrap();
        let mailed = lab.new_mailed_token(user.id, MailedKind::VerifyEmail);
        let id = MailId::generate(&lab.entropy).unwrap();
        Self {
            hash: lab.hash(),
            key: lab.new_key(),
            email_change: lab.new_email_change(user.id, session.id),
            invitation: lab.new_invitation(),
            mail: OutboxEntry {
                token: Some(mailed.digest),
                sealed_by: lab.tag(),
                ..lab.new_mail()
            },
            delivered: InboxEntry { id, received_at: at(0), sealed: lab.tag().into_bytes() },
            bucket: BucketKey::principal(&FIVE, user.id),
            agent: AgentWorld::new(lab),
            user,
            session,
            token,
            mailed,
            event,
        }
    }

    fn insert(&self, uow: &mut dyn UnitOfWork) -> StoreResult<()> {
        uow.users().insert(&self.user)?;
        uow.passwords().put(self.user.id, &self.hash, at(0))?;
        uow.known_addresses().touch(self.user.id, "192.0.2.1", at(0))?;
        uow.sessions().insert(&self.session, &self.token)?;
        uow.signing_keys().insert(&self.key)?;
        uow.mailed_tokens().put(&self.mailed)?;
        uow.email_changes().put(&self.email_change)?;
        uow.invitations().insert(&self.invitation)?;
        uow.outbox().insert(&self.mail)?;
        uow.inbox().put(&self.delivered)?;
        uow.audit().append(&self.event)?;
        self.agent.insert(uow)?;
        uow.rate_limits().charge(&self.bucket, &FIVE, 1, at(0), at(0)).map(drop)
    }

    /// Changes what can be changed.
    fn change(&self, uow: &mut dyn UnitOfWork, lab: &Lab<'_>, now: Instant) -> StoreResult<()> {
        uow.users().set_role(self.user.id, Role::Admin)?;
        let moved = User { email: lab.new_user().email, ..self.user.clone() };
        uow.users().update(&moved)?;
        uow.known_addresses().forget(self.user.id)?;
        uow.passwords().put(self.user.id, &lab.hash(), now)?;
        let successor = lab.token(&self.session, 1, now);
        uow.sessions().rotate(&self.token.digest, &successor, now)?;
        uow.sessions().end_all(self.user.id, None, now)?;
        uow.signing_keys().set_end(&self.key.kid, Some(now), Some(now))?;
        uow.email_changes().take_try(self.user.id, self.session.id, 5, now)?;
        uow.outbox().claim(&self.mail.sealed_by, now, now + Duration::MINUTE)?;
        uow.mailed_tokens().spend(self.mailed.kind, &self.mailed.digest, now)?;
        uow.invitations().spend(&self.invitation.digest, now)?;
        let again = InboxEntry { received_at: now, ..self.delivered.clone() };
        uow.inbox().put(&again)?;
        self.agent.change(uow, lab, now)?;
        uow.rate_limits().charge(&self.bucket, &FIVE, 1, now, now).map(drop)
    }

    fn see(&self, uow: &mut dyn UnitOfWork) -> StoreResult<Seen> {
        let keys = uow.signing_keys().list()?;
        Ok(Seen {
            user: uow.users().find(self.user.id)?,
            by_email: uow.users().find_by_email(self.user.email.as_str())?,
            hash: uow.passwords().find(self.user.id)?,
            known: uow.known_addresses().is_known(self.user.id, "192.0.2.1", at(0))?,
            token: uow.sessions().find_token(&self.token.digest)?,
            key: keys.into_iter().find(|key| key.kid == self.key.kid),
            mailed: uow.mailed_tokens().find(self.mailed.kind, &self.mailed.digest, at(0))?,
            email_change: uow.email_changes().find(self.email_change.id, at(0))?,
            invitation: uow.invitations().find(&self.invitation.digest, at(0))?,
            mail_is_due: uow.outbox().is_due(&self.mail.sealed_by, at(0))?,
            delivered: uow.inbox().find(self.delivered.id)?,
            events: uow.audit().list_for(self.user.id, 10)?,
            log: uow.rate_limits().find(&self.bucket)?,
            agent: self.agent.see(uow)?,
        })
    }

    fn full(&self) -> Seen {
        let (token, session) = (self.token.clone(), self.session.clone());
        Seen {
            user: Some(self.user.clone()),
            by_email: Some(self.user.clone()),
            hash: Some(self.hash.clone()),
            known: true,
            token: Some(RefreshState { token, session }),
            key: Some(self.key.clone()),
            mailed: Some(self.mailed.clone()),
            email_change: Some(self.email_change.clone()),
            invitation: Some(self.invitation.clone()),
            mail_is_due: true,
            delivered: Some(self.delivered.clone()),
            events: vec![self.event.clone()],
            log: Some(HitLog::from_stored(HitLog::stamp(at(0)))),
            agent: self.agent.full(),
        }
    }

    fn empty() -> Seen {
        Seen {
            user: None,
            by_email: None,
            hash: None,
            known: false,
            token: None,
            key: None,
            mailed: None,
            email_change: None,
            invitation: None,
            mail_is_due: false,
            delivered: None,
            events: vec![],
            log: None,
            agent: SeenOfAgent::default(),
        }
    }
}

/// What it added, changed and removed, in every table.
pub fn a_dropped_unit_leaves_everything_as_it_was(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (old, new) = (World::new(&lab), World::new(&lab));
    lab.write(|uow| old.insert(uow));
    let mut unit = storage.begin(TxMode::Write).unwrap();
    new.insert(unit.as_mut()).unwrap();
    old.change(unit.as_mut(), &lab, at(1)).unwrap();
    assert!(unit.users().delete(old.user.id).unwrap());
    assert!(unit.agents().delete(old.agent.agent.id).unwrap());
    drop(unit);
    assert_eq!(lab.read(|uow| new.see(uow)), World::empty());
    assert_eq!(lab.read(|uow| old.see(uow)), old.full());
}

/// Not earlier than by `commit`.
pub fn a_committed_unit_publishes_everything(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let world = World::new(&lab);
    let mut unit = storage.begin(TxMode::Write).unwrap();
    world.insert(unit.as_mut()).unwrap();
    unit.commit().unwrap();
    assert_eq!(lab.read(|uow| world.see(uow)), world.full());
}

/// Before it is committed.
pub fn a_unit_sees_its_own_changes(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let world = World::new(&lab);
    let mut unit = storage.begin(TxMode::Write).unwrap();
    world.insert(unit.as_mut()).unwrap();
    assert_eq!(world.see(unit.as_mut()).unwrap(), world.full());
    assert!(unit.users().delete(world.user.id).unwrap());
    assert_eq!(unit.users().find(world.user.id).unwrap(), None);
}

/// Another unit sees the state before, at once or when the writing one is over.
pub fn nobody_sees_what_is_not_committed(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let world = World::new(&lab);
    let seen = thread::scope(|scope| {
        let mut unit = storage.begin(TxMode::Write).unwrap();
        world.insert(unit.as_mut()).unwrap();
        let reader = scope.spawn(|| lab.read(|uow| uow.users().find(world.user.id)));
        thread::sleep(std::time::Duration::from_millis(20));
        drop(unit);
        reader.join().unwrap()
    });
    assert_eq!(seen, None);
}

/// Each whole, whatever the others write and read meanwhile.
pub fn many_units_at_once_are_all_published(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let worlds = in_parallel(|_| {
        let worlds: Vec<_> = (0..5).map(|_| World::new(&lab)).collect();
        for world in &worlds {
            lab.write(|uow| world.insert(uow));
            assert_eq!(lab.read(|uow| world.see(uow)), world.full());
        }
        worlds
    });
    for world in worlds.iter().flatten() {
        assert_eq!(lab.read(|uow| world.see(uow)), world.full());
    }
}

/// It is one.
pub fn a_statement_needs_no_commit(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.new_user();
    storage.begin(TxMode::Statement).unwrap().users().insert(&user).unwrap();
    assert_eq!(lab.read(|uow| uow.users().find(user.id)), Some(user));
    let user = lab.new_user();
    let mut unit = storage.begin(TxMode::Statement).unwrap();
    unit.users().insert(&user).unwrap();
    unit.commit().unwrap();
    assert_eq!(lab.read(|uow| uow.users().find(user.id)), Some(user));
}

/// It is no snapshot.
pub fn a_reading_unit_sees_what_was_committed_meanwhile(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.new_user();
    let mut reading = storage.begin(TxMode::Read).unwrap();
    assert_eq!(reading.users().find(user.id).unwrap(), None);
    lab.write(|uow| uow.users().insert(&user));
    assert_eq!(reading.users().find(user.id).unwrap().as_ref(), Some(&user));
    reading.commit().unwrap();
}

/// For the same thread and for others.
pub fn a_panic_rolls_back_and_leaves_the_storage_usable(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let world = World::new(&lab);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        lab.write(|uow| -> StoreResult<()> {
            world.insert(uow)?;
            // Like `panic!`, without a message that looks like a failure.
            resume_unwind(Box::new("on purpose"))
        });
    }));
    assert!(panicked.is_err());
    assert_eq!(lab.read(|uow| world.see(uow)), World::empty());
    thread::scope(|scope| scope.spawn(|| lab.write(|uow| world.insert(uow))).join().unwrap());
    assert_eq!(lab.read(|uow| world.see(uow)), world.full());
}

/// `transact` with any error but contention.
pub fn work_that_fails_is_rolled_back_and_not_tried_again(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let world = World::new(&lab);
    let mut tries = 0;
    let failed = storage.transact(|uow| -> StoreResult<()> {
        tries += 1;
        world.insert(uow)?;
        Err(StoreError::Failed("on purpose".into()))
    });
    assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
    assert_eq!(tries, 1);
    assert_eq!(lab.read(|uow| world.see(uow)), World::empty());
}

/// `transact`; what it did before it was in the way is rolled back each time.
pub fn work_in_the_way_of_another_is_tried_three_times(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    for (contended, tried) in [(1, 2), (2, 3), (3, 3)] {
        let world = World::new(&lab);
        let mut tries = 0;
        let done = storage.transact(|uow| {
            tries += 1;
            world.insert(uow)?;
            let contention = StoreError::Contention("on purpose".into());
            if tries > contended { Ok(()) } else { Err(contention) }
        });
        assert_eq!(tries, tried);
        let expected = if contended < 3 { world.full() } else { World::empty() };
        assert_eq!(lab.read(|uow| world.see(uow)), expected);
        assert_eq!(done.is_ok(), contended < 3, "{done:?}");
    }
}
