//! A storage that fails where a test wants it to, or lets the test act in between.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use portcullis_kernel::{StoreError, StoreResult};
use portcullis_storage::{
    AgentAccess, AgentNetworkRepository, AgentRepository, AgentTokenRepository, ApiKeyRepository,
    AuditRepository, CreditRepository, EmailChangeRepository, InboxRepository,
    InvitationRepository, KnownAddressRepository, MailedTokenRepository, OutboxRepository,
    PasswordRepository, RateLimitRepository, RecoveryRepository, RegistrationRepository,
    ResourceServerRepository, SessionRepository, SigningKeyRepository, SpentTokenRepository,
    Storage, TxMode, UnitOfWork, UserRepository,
};

mod broken;

use broken::Broken;

/// A point at which work with a storage can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A unit of work is to be opened.
    Begin(TxMode),
    /// A repository is to be asked; when this fails, so does what it is asked.
    Call,
    /// Work is to be committed; when this fails, nothing of it happened.
    Commit,
    /// Work was committed; when this fails, the answer was lost on its way.
    Committed,
}

/// How a storage fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The database cannot be reached.
    Unavailable,
    /// Another transaction was in the way.
    Contention,
    /// The database refused.
    Failed,
}

impl Fault {
    /// As the error that an adapter answers with.
    pub fn error(self) -> StoreError {
        let cause = "on purpose".into();
        match self {
            Self::Unavailable => StoreError::Unavailable(cause),
            Self::Contention => StoreError::Contention(cause),
            Self::Failed => StoreError::Failed(cause),
        }
    }
}

type Action = Box<dyn FnOnce() + Send>;

#[derive(Default)]
enum Plan {
    #[default]
    Work,
    /// Every step fails.
    Down(Fault),
    /// The step of this number fails, and no other.
    FailAt(usize, Fault),
    /// Before the step of this number something happens.
    RunAt(usize, Action),
}

#[derive(Default)]
struct Script {
    plan: Plan,
    steps: Vec<Step>,
}

/// A storage over another one, which fails as planned. Steps are counted from 0, anew with each plan.
pub struct FaultyStorage {
    inner: Arc<dyn Storage>,
    script: Mutex<Script>,
}

impl FaultyStorage {
    /// Over this storage; nothing fails yet.
    pub fn over(inner: Arc<dyn Storage>) -> Arc<Self> {
        Arc::new(Self { inner, script: Mutex::default() })
    }

    /// From now on nothing fails.
    pub fn heal(&self) {
        self.follow(Plan::Work);
    }

    /// From now on everything fails.
    pub fn take_down(&self, fault: Fault) {
        self.follow(Plan::Down(fault));
    }

    /// The step of this number fails, once.
    pub fn fail_at(&self, step: usize, fault: Fault) {
        self.follow(Plan::FailAt(step, fault));
    }

    /// Runs `action` right before the step of this number, once. It may use the storage itself,
    /// unless a unit that writes is open then.
    pub fn run_at(&self, step: usize, action: impl FnOnce() + Send + 'static) {
        self.follow(Plan::RunAt(step, Box::new(action)));
    }

    /// The steps since the last plan.
    pub fn steps(&self) -> Vec<Step> {
        self.lock().steps.clone()
    }

    /// The number of the first step of this kind since the last plan.
    pub fn position(&self, wanted: Step) -> Option<usize> {
        self.lock().steps.iter().position(|step| *step == wanted)
    }

    fn follow(&self, plan: Plan) {
        *self.lock() = Script { plan, steps: Vec::new() };
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, step: Step) -> Result<(), Fault> {
        let mut script = self.lock();
        let number = script.steps.len();
        script.steps.push(step);
        match &script.plan {
            Plan::Down(fault) => Err(*fault),
            Plan::FailAt(at, fault) if *at == number => Err(*fault),
            Plan::RunAt(at, _) if *at == number => {
                let Plan::RunAt(_, action) = mem::take(&mut script.plan) else { return Ok(()) };
                // What it does is no step, and may be any number of them.
                let steps = mem::take(&mut script.steps);
                drop(script);
                action();
                self.lock().steps = steps;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Storage for FaultyStorage {
    fn begin(&self, mode: TxMode) -> StoreResult<Box<dyn UnitOfWork + '_>> {
        self.step(Step::Begin(mode)).map_err(Fault::error)?;
        let inner = self.inner.begin(mode)?;
        Ok(Box::new(FaultyUnit { storage: self, inner, broken: Broken::default() }))
    }

    fn check(&self) -> StoreResult<()> {
        self.step(Step::Begin(TxMode::Read)).map_err(Fault::error)?;
        self.inner.check()
    }
}

struct FaultyUnit<'s> {
    storage: &'s FaultyStorage,
    inner: Box<dyn UnitOfWork + 's>,
    broken: Broken,
}

macro_rules! accessors {
    ($($name:ident: $repository:ident,)*) => {
        $(fn $name(&mut self) -> &mut dyn $repository {
            match self.storage.step(Step::Call) {
                Ok(()) => self.inner.$name(),
                Err(fault) => self.broken.by(fault),
            }
        })*
    };
}

impl UnitOfWork for FaultyUnit<'_> {
    accessors! {
        users: UserRepository,
        known_addresses: KnownAddressRepository,
        passwords: PasswordRepository,
        sessions: SessionRepository,
        signing_keys: SigningKeyRepository,
        mailed_tokens: MailedTokenRepository,
        email_changes: EmailChangeRepository,
        agents: AgentRepository,
        api_keys: ApiKeyRepository,
        agent_access: AgentAccess,
        agent_tokens: AgentTokenRepository,
        agent_networks: AgentNetworkRepository,
        recoveries: RecoveryRepository,
        registrations: RegistrationRepository,
        spent_tokens: SpentTokenRepository,
        resource_servers: ResourceServerRepository,
        credits: CreditRepository,
        invitations: InvitationRepository,
        outbox: OutboxRepository,
        inbox: InboxRepository,
        audit: AuditRepository,
        rate_limits: RateLimitRepository,
    }

    fn commit(self: Box<Self>) -> StoreResult<()> {
        self.storage.step(Step::Commit).map_err(Fault::error)?;
        self.inner.commit()?;
        self.storage.step(Step::Committed).map_err(Fault::error)
    }
}

#[cfg(test)]
mod tests {
    use portcullis_storage::{MemoryStorage, StorageExt};

    use super::*;

    fn sweep(storage: &FaultyStorage) -> StoreResult<u64> {
        storage.transact(|uow| uow.audit().delete_before(crate::clock::FixedClock::START, 1))
    }

    #[test]
    fn it_fails_where_it_is_told_to_and_nowhere_else() {
        let storage = FaultyStorage::over(Arc::new(MemoryStorage::default()));
        sweep(&storage).unwrap();
        let steps = [Step::Begin(TxMode::Write), Step::Call, Step::Commit, Step::Committed];
        assert_eq!(storage.steps(), steps);
        for number in 0..steps.len() {
            storage.fail_at(number, Fault::Failed);
            assert!(matches!(sweep(&storage), Err(StoreError::Failed(_))), "{number}");
            sweep(&storage).unwrap();
        }
        storage.take_down(Fault::Unavailable);
        assert!(matches!(sweep(&storage), Err(StoreError::Unavailable(_))));
        storage.heal();
        sweep(&storage).unwrap();
    }

    #[test]
    fn contention_is_tried_again() {
        let storage = FaultyStorage::over(Arc::new(MemoryStorage::default()));
        storage.fail_at(1, Fault::Contention);
        sweep(&storage).unwrap();
        assert_eq!(storage.steps().len(), 2 + 4);
    }
}
