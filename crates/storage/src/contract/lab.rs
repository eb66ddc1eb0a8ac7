use std::{
    hash::{DefaultHasher, Hash, Hasher},
    panic::Location,
    sync::{
        Barrier, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use portcullis_credentials::PasswordHash;
use portcullis_identity::{EmailAddress, EmailRules, User};
use portcullis_kernel::{
    Entropy, EntropyError, Instant, Origin, SessionId, StoreResult, TokenDigest, UserId,
};
use portcullis_tokens::{
    Algorithm, KeyPurpose, PublicJwk, RefreshPolicy, RefreshRow, RefreshState, RefreshToken,
    Session, SigningKey,
};
use time::Duration;

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
        Self { storage, entropy: SeededEntropy::here(), _turn: Turn::Shared { _guard: guard } }
    }

    /// A lab for a case that removes whatever is old, and counts it.
    #[track_caller]
    pub(super) fn alone(storage: &'s dyn Storage) -> Self {
        let guard = SWEEPS.write().unwrap_or_else(PoisonError::into_inner);
        Self { storage, entropy: SeededEntropy::here(), _turn: Turn::Alone { _guard: guard } }
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
