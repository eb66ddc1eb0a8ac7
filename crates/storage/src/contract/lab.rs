mod agents;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    panic::Location,
    sync::{
        Barrier, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use portcullis_credentials::{MailedKind, MailedToken, PasswordHash};
use portcullis_email::OutboxEntry;
use portcullis_identity::{EmailAddress, EmailChange, EmailRules, Invitation, User};
use portcullis_kernel::{
    CodeMac, EmailChangeId, Entropy, EntropyError, Instant, InvitationId, MailId, Origin,
    SessionId, StoreResult, TokenDigest, UserId,
};
use portcullis_tokens::{
    Algorithm, KeyPurpose, PublicJwk, RefreshPolicy, RefreshRow, RefreshState, RefreshToken,
    Session, SigningKey,
};
use time::Duration;

pub(super) use self::agents::{check_slices, seven_places};
use crate::{Storage, StorageExt, UnitOfWork};

/// How many threads do the same at once.
pub(super) const THREADS: usize = 16;

/// Held by every case; by those that sweep, for writing.
static SWEEPS: RwLock<()> = RwLock::new(());
/// How many labs there were.
static LABS: AtomicU64 = AtomicU64::new(0);

/// What a case works with: a storage, and rows that no other case has.
pub(super) struct Lab<'s> {
    pub(super) storage: &'s dyn Storage,
    pub(super) entropy: SeededEntropy,
    /// A master key that seals mails of this case only.
    pub(super) sealed_by: String,
    _turn: Turn,
}

enum Turn {
    Shared { _guard: RwLockReadGuard<'static, ()> },
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

impl<'s> Lab<'s> {
    /// A lab for a case that touches only rows of its own.
    #[track_caller]
    pub(super) fn new(storage: &'s dyn Storage) -> Self {
        let guard = SWEEPS.read().unwrap_or_else(PoisonError::into_inner);
        Self::with(storage, SeededEntropy::here(), Turn::Shared { _guard: guard })
    }

    /// A lab for a case that removes whatever is old, and counts it.
    #[track_caller]
    pub(super) fn alone(storage: &'s dyn Storage) -> Self {
        let guard = SWEEPS.write().unwrap_or_else(PoisonError::into_inner);
        Self::with(storage, SeededEntropy::here(), Turn::Alone { _guard: guard })
    }

    fn with(storage: &'s dyn Storage, entropy: SeededEntropy, turn: Turn) -> Self {
        let sealed_by = format!("{:016x}", entropy.next());
        Self { storage, entropy, sealed_by, _turn: turn }
    }

    pub(super) fn read<T>(&self, work: impl FnOnce(&mut dyn UnitOfWork) -> StoreResult<T>) -> T {
        self.storage.read(work).unwrap()
    }

    pub(super) fn statement<T>(
        &self,
        work: impl FnMut(&mut dyn UnitOfWork) -> StoreResult<T>,
    ) -> T {
        self.storage.statement(work).unwrap()
    }

    pub(super) fn write<T>(&self, work: impl FnMut(&mut dyn UnitOfWork) -> StoreResult<T>) -> T {
        self.storage.transact(work).unwrap()
    }

    /// Lower-case letters and digits that occur nowhere else.
    pub(super) fn tag(&self) -> String {
        format!("{:016x}", self.entropy.next())
    }

    pub(super) fn user_id(&self) -> UserId {
        UserId::generate(at(0), &self.entropy).unwrap()
    }

    /// A user that is not stored.
    pub(super) fn new_user(&self) -> User {
        let email = email(&format!("{}@example.com", self.tag()));
        User::registered(self.user_id(), email, None, at(0))
    }

    /// A stored user.
    pub(super) fn user(&self) -> User {
        let user = self.new_user();
        self.write(|uow| uow.users().insert(&user));
        user
    }

    /// A session that begins at `now`, and its first token; not stored.
    pub(super) fn new_session(&self, user: UserId, now: Instant) -> (Session, RefreshRow) {
        let id = SessionId::generate(&self.entropy).unwrap();
        let end = now + RefreshPolicy::default().absolute;
        let session = Session::begin(id, user, &Origin::local(), end, now);
        let first = self.token(&session, 0, now);
        (session, first)
    }

    /// A stored session that began at `now`.
    pub(super) fn session(&self, user: UserId, now: Instant) -> (Session, RefreshRow) {
        let (session, first) = self.new_session(user, now);
        self.write(|uow| uow.sessions().insert(&session, &first));
        (session, first)
    }

    /// A token of the session; not stored.
    pub(super) fn token(&self, session: &Session, generation: i32, now: Instant) -> RefreshRow {
        let token = RefreshToken::generate(&self.entropy).unwrap();
        RefreshPolicy::default().row(&token, session, generation, now)
    }

    /// Spends the session's token and stores its successor.
    pub(super) fn rotate(&self, session: &Session, spent: &RefreshRow, now: Instant) -> RefreshRow {
        let successor = self.token(session, spent.generation + 1, now);
        assert!(self.write(|uow| uow.sessions().rotate(&spent.digest, &successor, now)));
        successor
    }

    pub(super) fn find_token(&self, digest: &TokenDigest) -> Option<RefreshState> {
        self.read(|uow| uow.sessions().find_token(digest))
    }

    pub(super) fn hash(&self) -> PasswordHash {
        PasswordHash::from_stored(format!("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA${}", self.tag()))
    }

    /// A signing key of a generation of its own; not stored.
    pub(super) fn new_key(&self) -> SigningKey {
        let generation = i32::try_from(self.entropy.below(1 << 30)).unwrap() + 10;
        SigningKey {
            kid: self.tag(),
            purpose: KeyPurpose::People,
            generation,
            algorithm: Algorithm::Rs256,
            public: PublicJwk::Rsa { n: self.tag(), e: "AQAB".into() },
            sealed: self.entropy.next().to_be_bytes().to_vec(),
            sealed_by: "first".into(),
            created_at: at(0),
            active_from: at(300),
            retired_at: None,
            removed_at: None,
        }
    }

    /// A token that lives for an hour; not stored.
    pub(super) fn new_mailed_token(&self, user: UserId, kind: MailedKind) -> MailedToken {
        MailedToken {
            digest: TokenDigest::of(&self.tag()),
            kind,
            user,
            email: format!("{}@example.com", self.tag()),
            created_at: at(0),
            expires_at: at(3600),
        }
    }

    /// The same, stored.
    pub(super) fn mailed_token(&self, user: UserId, kind: MailedKind) -> MailedToken {
        let token = self.new_mailed_token(user, kind);
        self.write(|uow| uow.mailed_tokens().put(&token));
        token
    }

    /// A change of address that lives for an hour; not stored.
    pub(super) fn new_email_change(&self, user: UserId, session: SessionId) -> EmailChange {
        let mut code = [0; 32];
        self.entropy.fill(&mut code).unwrap();
        EmailChange {
            id: EmailChangeId::generate(&self.entropy).unwrap(),
            user,
            session,
            email: email(&format!("New.{}@example.com", self.tag())),
            code: CodeMac::from_bytes(code),
            tries: 0,
            created_at: at(0),
            expires_at: at(3600),
        }
    }

    /// The same in a new session, stored.
    pub(super) fn email_change(&self, user: UserId) -> EmailChange {
        let change = self.new_email_change(user, self.session(user, at(0)).0.id);
        self.write(|uow| uow.email_changes().put(&change));
        change
    }

    /// An invitation for anybody that lives for an hour; not stored.
    pub(super) fn new_invitation(&self) -> Invitation {
        Invitation {
            id: InvitationId::generate(&self.entropy).unwrap(),
            digest: TokenDigest::of(&self.tag()),
            email: None,
            created_at: at(0),
            expires_at: at(3600),
        }
    }

    /// The same, stored.
    pub(super) fn invitation(&self) -> Invitation {
        let invitation = self.new_invitation();
        self.write(|uow| uow.invitations().insert(&invitation));
        invitation
    }

    /// A mail about nothing in particular, due at once; not stored.
    pub(super) fn new_mail(&self) -> OutboxEntry {
        OutboxEntry {
            id: MailId::generate(&self.entropy).unwrap(),
            kind: "test".into(),
            user: None,
            token: None,
            change: None,
            invitation: None,
            agent: None,
            agent_token: None,
            recovery: None,
            claim: None,
            sealed: self.entropy.next().to_be_bytes().to_vec(),
            sealed_by: self.sealed_by.clone(),
            created_at: at(0),
            due_at: at(0),
            expires_at: at(3600),
            attempts: 0,
        }
    }

    /// Stores a mail.
    pub(super) fn queue(&self, mail: OutboxEntry) -> OutboxEntry {
        self.write(|uow| uow.outbox().insert(&mail));
        mail
    }

    /// The mail with this id, if it waits and is one of this case.
    pub(super) fn find_mail(&self, id: MailId) -> Option<OutboxEntry> {
        let mails = self.write(|uow| uow.outbox().lock_sealed_by(&self.sealed_by));
        mails.into_iter().find(|mail| mail.id == id)
    }

    /// Which of the mails still wait.
    pub(super) fn waiting<const N: usize>(&self, mails: [&OutboxEntry; N]) -> [bool; N] {
        mails.map(|mail| self.find_mail(mail.id).is_some())
    }

    /// The stored key.
    pub(super) fn find_key(&self, kid: &str) -> Option<SigningKey> {
        let keys = self.read(|uow| uow.signing_keys().list());
        keys.into_iter().find(|key| key.kid == kid)
    }
}

/// Does the same on many threads at once.
pub(super) fn in_parallel<T: Send>(work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(THREADS);
    let run = |index| {
        start.wait();
        work(index)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|index| scope.spawn(move || run(index))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// A time of ordinary rows.
pub(super) fn at(seconds: i64) -> Instant {
    Instant::UNIX_EPOCH + Duration::seconds(1_710_000_000 + seconds)
}

/// A time at which only rows of the sweeping cases are.
pub(super) fn long_ago(seconds: i64) -> Instant {
    Instant::UNIX_EPOCH + Duration::seconds(50_000_000 + seconds)
}

/// The least difference between two times.
pub(super) const TICK: Duration = Duration::MICROSECOND;

pub(super) fn email(raw: &str) -> EmailAddress {
    EmailAddress::parse(raw, EmailRules { unicode_local: true }).unwrap()
}

/// The `SplitMix64` generator: the same bytes for the same seed, and never fit for secrets.
pub(super) struct SeededEntropy(AtomicU64);

impl SeededEntropy {
    /// Seeded with the caller's place in the code, and how often it was used in this process.
    #[track_caller]
    fn here() -> Self {
        let mut seed = DefaultHasher::new();
        (Location::caller(), LABS.fetch_add(1, Ordering::Relaxed)).hash(&mut seed);
        Self(AtomicU64::new(seed.finish()))
    }

    pub(super) fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&self, bound: u64) -> u64 {
        self.next() % bound
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, dest: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in dest.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    }
}
