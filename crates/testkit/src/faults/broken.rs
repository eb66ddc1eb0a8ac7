use portcullis_audit::AuditEvent;
use portcullis_credentials::{
    AgentToken, ApiKey, MailedKind, MailedToken, PasswordHash, RecoveryCode, RecoveryRequest, Tried,
};
use portcullis_credits::{AccountId, Entry, Ledger, OperationId, Posted, Posting, Reason};
use portcullis_email::{OutboxEntry, ports::InboxEntry};
use portcullis_identity::{
    Agent, AgentFilter, DisplayName, EmailChange, Invitation, ResourceServer, Role, User,
    UserFilter, UserStatus,
};
use portcullis_kernel::{
    AgentId, ApiKeyId, AuditEventId, ClaimAttemptId, EmailChangeId, Instant, InvitationId, MailId,
    Page, PageRequest, RecoveryId, RegistrationId, ResourceServerId, SessionId, Slice, StoreResult,
    TokenDigest, TokenId, UserId,
};
use portcullis_limits::{BucketKey, HitLog, Policy};
use portcullis_registration::{ClaimAttempt, Decision, Registration};
use portcullis_storage::{
    AgentAccess, AgentNetworkRepository, AgentRepository, AgentTokenRepository, ApiKeyRepository,
    AuditRepository, CreditRepository, EmailChangeRepository, InboxRepository,
    InvitationRepository, KeyHolder, KnownAddressRepository, MailedTokenRepository,
    OutboxRepository, PasswordRepository, RateLimitRepository, RecoveryRepository,
    RegistrationRepository, ResourceServerRepository, SessionRepository, SigningKeyRepository,
    SpentTokenRepository, UserRepository,
};
use portcullis_tokens::{RefreshRow, RefreshState, Session, SigningKey, SpentToken};

use super::Fault;

/// Every repository, failing whatever it is asked.
#[derive(Default)]
pub(super) struct Broken(Option<Fault>);

impl Broken {
    /// Failing like this.
    pub(super) fn by(&mut self, fault: Fault) -> &mut Self {
        self.0 = Some(fault);
        self
    }

    fn fails<T>(&self) -> StoreResult<T> {
        Err(self.0.unwrap_or(Fault::Failed).error())
    }
}

macro_rules! broken {
    ($($repository:ident { $($name:ident($($input:ty),*) -> $output:ty;)* })*) => {
        $(impl $repository for Broken {
            $(broken!(method $name($($input),*) -> $output);)*
        })*
    };
    (method $name:ident() -> $output:ty) => {
        fn $name(&mut self) -> StoreResult<$output> { self.fails() }
    };
    (method $name:ident($a:ty) -> $output:ty) => {
        fn $name(&mut self, _: $a) -> StoreResult<$output> { self.fails() }
    };
    (method $name:ident($a:ty, $b:ty) -> $output:ty) => {
        fn $name(&mut self, _: $a, _: $b) -> StoreResult<$output> { self.fails() }
    };
    (method $name:ident($a:ty, $b:ty, $c:ty) -> $output:ty) => {
        fn $name(&mut self, _: $a, _: $b, _: $c) -> StoreResult<$output> { self.fails() }
    };
    (method $name:ident($a:ty, $b:ty, $c:ty, $d:ty) -> $output:ty) => {
        fn $name(&mut self, _: $a, _: $b, _: $c, _: $d) -> StoreResult<$output> { self.fails() }
    };
    (method $name:ident($a:ty, $b:ty, $c:ty, $d:ty, $e:ty) -> $output:ty) => {
        fn $name(&mut self, _: $a, _: $b, _: $c, _: $d, _: $e) -> StoreResult<$output> {
            self.fails()
        }
    };
}

broken! {
    UserRepository {
        insert(&User) -> ();
        find(UserId) -> Option<User>;
        hold_active(UserId) -> bool;
        lock(UserId) -> Option<User>;
        update(&User) -> bool;
        find_by_email(&str) -> Option<User>;
        list(&UserFilter, &PageRequest) -> Page<User>;
        set_display_name(UserId, Option<&DisplayName>) -> bool;
        set_role(UserId, Role) -> bool;
        set_status(UserId, UserStatus) -> bool;
        delete(UserId) -> bool;
    }
    KnownAddressRepository {
        touch(UserId, &str, Instant) -> ();
        is_known(UserId, &str, Instant) -> bool;
        list(UserId, Instant) -> Vec<String>;
        forget(UserId) -> u64;
        delete_before(Instant, u32) -> u64;
    }
    PasswordRepository {
        put(UserId, &PasswordHash, Instant) -> ();
        find(UserId) -> Option<PasswordHash>;
        remove(UserId) -> bool;
        replace(UserId, &PasswordHash, &PasswordHash, Instant) -> bool;
    }
    SessionRepository {
        insert(&Session, &RefreshRow) -> ();
        find_token(&TokenDigest) -> Option<RefreshState>;
        rotate(&TokenDigest, &RefreshRow, Instant) -> bool;
        mark_raced(&TokenDigest, Instant) -> bool;
        count_raced(SessionId, Instant) -> u32;
        find_live(SessionId, Instant) -> Option<Session>;
        list_live(UserId, Instant) -> Vec<Session>;
        end(SessionId, UserId, Instant) -> bool;
        end_all(UserId, Option<SessionId>, Instant) -> u64;
        end_beyond(UserId, u32, Instant) -> u64;
        delete_dead(Instant, u32) -> u64;
    }
    SigningKeyRepository {
        insert(&SigningKey) -> ();
        list() -> Vec<SigningKey>;
        lock() -> Vec<SigningKey>;
        set_end(&str, Option<Instant>, Option<Instant>) -> bool;
        reseal(&str, &str, &[u8], &str) -> bool;
        delete_removed(Instant) -> u64;
    }
    MailedTokenRepository {
        put(&MailedToken) -> ();
        find(MailedKind, &TokenDigest, Instant) -> Option<MailedToken>;
        spend(MailedKind, &TokenDigest, Instant) -> bool;
        remove(UserId, MailedKind) -> u64;
        delete_expired(Instant, u32) -> u64;
    }
    EmailChangeRepository {
        put(&EmailChange) -> ();
        take_try(UserId, SessionId, u32, Instant) -> Option<EmailChange>;
        find(EmailChangeId, Instant) -> Option<EmailChange>;
        remove(UserId) -> bool;
        delete_expired(Instant, u32) -> u64;
    }
    InvitationRepository {
        insert(&Invitation) -> ();
        find(&TokenDigest, Instant) -> Option<Invitation>;
        spend(&TokenDigest, Instant) -> bool;
        list(&PageRequest, Instant) -> Page<Invitation>;
        remove(InvitationId) -> bool;
        remove_for(&str) -> u64;
        delete_expired(Instant, u32) -> u64;
    }
    AgentRepository {
        insert(&Agent) -> ();
        find(AgentId) -> Option<Agent>;
        find_by_recovery(&TokenDigest) -> Option<Agent>;
        lock(AgentId) -> Option<Agent>;
        update(&Agent) -> bool;
        delete(AgentId) -> bool;
        list_proven(&str, u32) -> Vec<Agent>;
        list_pending(&str, u32) -> Vec<Agent>;
        list(&AgentFilter, &Slice<AgentId>) -> Page<Agent>;
        list_public(&Slice<AgentId>) -> Page<Agent>;
        list_owned(UserId) -> Vec<Agent>;
    }
    ApiKeyRepository {
        insert(&ApiKey) -> ();
        find(ApiKeyId) -> Option<ApiKey>;
        count_live(AgentId, Instant) -> u32;
        list_live(&[AgentId], Instant) -> Vec<ApiKey>;
        list(AgentId, &Slice<ApiKeyId>) -> Page<ApiKey>;
        revoke(ApiKeyId, AgentId, Instant) -> bool;
        revoke_all(AgentId, Instant) -> u64;
        replace(ApiKeyId, AgentId, ApiKeyId, Instant, Instant) -> bool;
        touch(ApiKeyId, Instant) -> ();
        delete_dead(Instant, u32) -> u64;
    }
    AgentAccess {
        find_key(&TokenDigest) -> Option<KeyHolder>;
        find_token(ApiKeyId, TokenId) -> Option<(KeyHolder, bool)>;
    }
    AgentTokenRepository {
        put(&AgentToken) -> ();
        find(&TokenDigest, Instant) -> Option<AgentToken>;
        spend(&TokenDigest, Instant) -> bool;
        remove_open(AgentId) -> u64;
        delete_expired(Instant, u32) -> u64;
    }
    AgentNetworkRepository {
        touch(AgentId, &str, Instant, Instant) -> bool;
        is_known(&str, &str, Instant) -> bool;
        delete_before(Instant, u32) -> u64;
    }
    RecoveryRepository {
        open(&RecoveryRequest) -> ();
        find_open(RecoveryId, Instant) -> Option<RecoveryRequest>;
        lock_open(RecoveryId, Instant) -> Option<RecoveryRequest>;
        lock_all(&str, Instant) -> Vec<RecoveryRequest>;
        add_code(&RecoveryCode) -> ();
        codes(&[RecoveryId]) -> Vec<RecoveryCode>;
        take_try(RecoveryId, Tried, u32) -> bool;
        give_back_try(RecoveryId, Tried) -> ();
        spend(RecoveryId, AgentId, Instant) -> bool;
        remove_open_codes(AgentId) -> u64;
        delete_expired(Instant, u32) -> u64;
    }
    RegistrationRepository {
        insert(&Registration) -> ();
        lock_by_claim(&TokenDigest) -> Option<Registration>;
        lock_by_view(&TokenDigest) -> Option<Registration>;
        lock_by_attempt(ClaimAttemptId) -> Option<Registration>;
        lock_by_undo(&TokenDigest, Instant) -> Option<Registration>;
        find_by_view(&TokenDigest) -> Option<Registration>;
        find_by_undo(&TokenDigest, Instant) -> Option<Registration>;
        find_by_agent(AgentId) -> Option<Registration>;
        decide(RegistrationId, &Decision, Instant) -> bool;
        remove(RegistrationId) -> bool;
        forget_undo(RegistrationId) -> bool;
        attempt(RegistrationId) -> Option<ClaimAttempt>;
        put_attempt(&ClaimAttempt) -> ();
        take_try(ClaimAttemptId, u32) -> bool;
        give_back_try(ClaimAttemptId) -> ();
        list_unclaimed(Instant, Option<Instant>, u32) -> Vec<AgentId>;
        delete_dead_attempts(Instant, u32) -> u64;
    }
    SpentTokenRepository {
        spend(&SpentToken) -> bool;
        is_spent(TokenId) -> bool;
        delete_expired(Instant, u32) -> u64;
    }
    ResourceServerRepository {
        insert(&ResourceServer) -> ();
        find_by_secret(&TokenDigest) -> Option<ResourceServer>;
        has_audience(&str) -> bool;
        list() -> Vec<ResourceServer>;
        remove(ResourceServerId) -> bool;
    }
    CreditRepository {
        post(&Posting) -> Posted;
        balance(AccountId) -> i64;
        ledger(AccountId, u32) -> Ledger;
        find(Reason, Option<ResourceServerId>, &OperationId) -> Option<Entry>;
        merge(AccountId, AccountId) -> ();
    }
    OutboxRepository {
        insert(&OutboxEntry) -> ();
        is_due(&str, Instant) -> bool;
        claim(&str, Instant, Instant) -> Option<OutboxEntry>;
        postpone(MailId, i32, Instant) -> bool;
        remove(MailId, i32) -> bool;
        lock_sealed_by(&str) -> Vec<OutboxEntry>;
        reseal(MailId, &str, &[u8], &str) -> bool;
        delete_expired(Instant, u32) -> u64;
    }
    InboxRepository {
        put(&InboxEntry) -> ();
        list(u32) -> Vec<InboxEntry>;
        find(MailId) -> Option<InboxEntry>;
        trim(u32) -> u64;
        clear() -> u64;
    }
    AuditRepository {
        append(&AuditEvent) -> ();
        list_for(UserId, u32) -> Vec<AuditEvent>;
        list_for_agent(AgentId, &Slice<AuditEventId>) -> Page<AuditEvent>;
        pseudonymise(UserId) -> u64;
        pseudonymise_agent(AgentId) -> u64;
        delete_before(Instant, u32) -> u64;
    }
    RateLimitRepository {
        charge(&BucketKey, &Policy, u32, Instant, Instant) -> Option<HitLog>;
        find(&BucketKey) -> Option<HitLog>;
        refund(&BucketKey, Instant) -> bool;
        delete_empty(Instant, u32) -> u64;
    }
}
