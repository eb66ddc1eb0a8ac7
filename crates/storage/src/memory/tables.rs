use portcullis_audit::AuditEvent;
use portcullis_credentials::{
    AgentToken, ApiKey, MailedToken, PasswordHash, RecoveryCode, RecoveryRequest,
};
use portcullis_credits::{AccountId, Entry};
use portcullis_email::{OutboxEntry, ports::InboxEntry};
use portcullis_identity::{Agent, EmailChange, Invitation, ResourceServer, User};
use portcullis_kernel::{
    AgentId, ApiKeyId, AuditEventId, ClaimAttemptId, CreditEntryId, EmailChangeId, Instant,
    InvitationId, MailId, RecoveryId, RegistrationId, ResourceServerId, SessionId, StoreError,
    StoreResult, TokenDigest, TokenId, UniqueKey, UserId,
};
use portcullis_limits::{BucketKey, HitLog};
use portcullis_registration::{ClaimAttempt, Registration};
use portcullis_tokens::{RefreshRow, Session, SigningKey, SpentToken};

use super::table::{Journal, Table};

/// All tables.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) users: Table<UserId, User>,
    /// The unique key over canonical addresses.
    pub(super) emails: Table<String, UserId>,
    pub(super) known_addresses: Table<(UserId, String), Instant>,
    pub(super) passwords: Table<UserId, PasswordHash>,
    pub(super) sessions: Table<SessionId, Session>,
    pub(super) refresh: Table<TokenDigest, RefreshRow>,
    pub(super) signing_keys: Table<String, SigningKey>,
    pub(super) mailed_tokens: Table<TokenDigest, MailedToken>,
    pub(super) email_changes: Table<EmailChangeId, EmailChange>,
    pub(super) invitations: Table<InvitationId, Invitation>,
    pub(super) agents: Table<AgentId, Agent>,
    pub(super) api_keys: Table<ApiKeyId, ApiKey>,
    pub(super) agent_tokens: Table<TokenDigest, AgentToken>,
    pub(super) agent_networks: Table<(AgentId, String), Instant>,
    pub(super) recoveries: Table<RecoveryId, RecoveryRequest>,
    pub(super) recovery_codes: Table<(RecoveryId, AgentId), RecoveryCode>,
    pub(super) registrations: Table<RegistrationId, Registration>,
    /// What undoes a claim, and until when.
    pub(super) undos: Table<RegistrationId, (TokenDigest, Instant)>,
    pub(super) claim_attempts: Table<ClaimAttemptId, ClaimAttempt>,
    pub(super) spent_tokens: Table<TokenId, SpentToken>,
    pub(super) resource_servers: Table<ResourceServerId, ResourceServer>,
    /// Balances.
    pub(super) credit_accounts: Table<AccountId, i64>,
    pub(super) credit_entries: Table<CreditEntryId, Entry>,
    pub(super) outbox: Table<MailId, OutboxEntry>,
    pub(super) inbox: Table<MailId, InboxEntry>,
    pub(super) audit: Table<AuditEventId, AuditEvent>,
    pub(super) buckets: Table<BucketKey, Bucket>,
}

/// A rate-limit bucket.
#[derive(Clone)]
pub(super) struct Bucket {
    pub(super) log: HitLog,
    /// When its last hit leaves the window.
    pub(super) empty_at: Instant,
}

impl Tables {
    pub(super) fn keep(&mut self) {
        self.journals().into_iter().for_each(Journal::keep);
    }

    pub(super) fn roll_back(&mut self) {
        self.journals().into_iter().for_each(Journal::roll_back);
    }

    /// What a foreign key to the user says.
    pub(super) fn check_user(&self, id: UserId) -> StoreResult<()> {
        check_there(self.users.contains(&id), "user")
    }

    /// What a foreign key to the agent says.
    pub(super) fn check_agent(&self, id: AgentId) -> StoreResult<()> {
        check_there(self.agents.contains(&id), "agent")
    }

    /// Removes a user and everything that belongs to it; says whether it was there.
    pub(super) fn remove_user(&mut self, id: UserId) -> bool {
        let Some(user) = self.users.remove(&id) else { return false };
        self.emails.remove(&user.email.as_str().to_owned());
        self.passwords.remove(&id);
        self.known_addresses.remove_where(u32::MAX, |(owner, _), _| *owner == id);
        for session in self.sessions.keys_where(u32::MAX, |_, session| session.user == id) {
            self.remove_session(session);
        }
        for token in self.mailed_tokens.keys_where(u32::MAX, |_, token| token.user == id) {
            self.remove_mailed_token(&token);
        }
        for change in self.email_changes.keys_where(u32::MAX, |_, change| change.user == id) {
            self.remove_email_change(change);
        }
        for agent in self.agents.keys_where(u32::MAX, |_, agent| agent.owner == Some(id)) {
            self.agents.update(&agent, |agent| agent.owner = None);
        }
        self.remove_account(AccountId::User(id));
        self.remove_mails(|entry| entry.user == Some(id));
        true
    }

    /// Removes a session, its refresh tokens and the change of address asked for in it; says whether
    /// it was there.
    pub(super) fn remove_session(&mut self, id: SessionId) -> bool {
        self.refresh.remove_where(u32::MAX, |_, token| token.session == id);
        for change in self.email_changes.keys_where(u32::MAX, |_, change| change.session == id) {
            self.remove_email_change(change);
        }
        self.sessions.remove(&id).is_some()
    }

    /// Removes a mailed token and its mail; says whether it was there.
    pub(super) fn remove_mailed_token(&mut self, digest: &TokenDigest) -> bool {
        self.remove_mails(|entry| entry.token.as_ref() == Some(digest));
        self.mailed_tokens.remove(digest).is_some()
    }

    /// Removes a change of address and its mail; says whether it was there.
    pub(super) fn remove_email_change(&mut self, id: EmailChangeId) -> bool {
        self.remove_mails(|entry| entry.change == Some(id));
        self.email_changes.remove(&id).is_some()
    }

    /// Removes an invitation and its mail; says whether it was there.
    pub(super) fn remove_invitation(&mut self, id: InvitationId) -> bool {
        self.remove_mails(|entry| entry.invitation == Some(id));
        self.invitations.remove(&id).is_some()
    }

    /// Removes an agent and everything that belongs to it; says whether it was there.
    pub(super) fn remove_agent(&mut self, id: AgentId) -> bool {
        if self.agents.remove(&id).is_none() {
            return false;
        }
        self.api_keys.remove_where(u32::MAX, |_, key| key.agent == id);
        for token in self.agent_tokens.keys_where(u32::MAX, |_, token| token.agent == id) {
            self.remove_agent_token(&token);
        }
        self.recovery_codes.remove_where(u32::MAX, |(_, agent), _| *agent == id);
        self.agent_networks.remove_where(u32::MAX, |(agent, _), _| *agent == id);
        for registration in self.registrations.keys_where(u32::MAX, |_, found| found.agent == id) {
            self.remove_registration(registration);
        }
        self.remove_account(AccountId::Agent(id));
        self.remove_mails(|entry| entry.agent == Some(id));
        true
    }

    /// Removes a registration and what belongs to it; says whether it was there.
    pub(super) fn remove_registration(&mut self, id: RegistrationId) -> bool {
        self.remove_attempt_of(id);
        self.undos.remove(&id);
        self.registrations.remove(&id).is_some()
    }

    /// Removes the attempt to claim a registration and its mails.
    pub(super) fn remove_attempt_of(&mut self, id: RegistrationId) {
        for attempt in self.claim_attempts.keys_where(u32::MAX, |_, found| found.registration == id)
        {
            self.remove_mails(|entry| entry.claim == Some(attempt));
            self.claim_attempts.remove(&attempt);
        }
    }

    /// Removes a token of an agent and its mail; says whether it was there.
    pub(super) fn remove_agent_token(&mut self, digest: &TokenDigest) -> bool {
        self.remove_mails(|entry| entry.agent_token.as_ref() == Some(digest));
        self.agent_tokens.remove(digest).is_some()
    }

    /// Removes a request for recovery codes with its codes and mails; says whether it was there.
    pub(super) fn remove_recovery(&mut self, id: RecoveryId) -> bool {
        self.recovery_codes.remove_where(u32::MAX, |(request, _), _| *request == id);
        self.remove_mails(|entry| entry.recovery == Some(id));
        self.recoveries.remove(&id).is_some()
    }

    /// Removes an account of credits with its ledger.
    pub(super) fn remove_account(&mut self, id: AccountId) {
        self.credit_entries.remove_where(u32::MAX, |_, entry| entry.posting.account == id);
        self.credit_accounts.remove(&id);
    }

    /// Removes the mails about what is gone.
    pub(super) fn remove_mails(&mut self, about: impl Fn(&OutboxEntry) -> bool) {
        self.outbox.remove_where(u32::MAX, |_, entry| about(entry));
    }

    fn journals(&mut self) -> [&mut dyn Journal; 27] {
        [
            &mut self.users,
            &mut self.emails,
            &mut self.known_addresses,
            &mut self.passwords,
            &mut self.sessions,
            &mut self.refresh,
            &mut self.signing_keys,
            &mut self.mailed_tokens,
            &mut self.email_changes,
            &mut self.invitations,
            &mut self.agents,
            &mut self.api_keys,
            &mut self.agent_tokens,
            &mut self.agent_networks,
            &mut self.recoveries,
            &mut self.recovery_codes,
            &mut self.registrations,
            &mut self.undos,
            &mut self.claim_attempts,
            &mut self.spent_tokens,
            &mut self.resource_servers,
            &mut self.credit_accounts,
            &mut self.credit_entries,
            &mut self.outbox,
            &mut self.inbox,
            &mut self.audit,
            &mut self.buckets,
        ]
    }
}

/// What a unique key says to the row it would have to hold twice.
pub(super) fn check_free(taken: bool, key: UniqueKey) -> StoreResult<()> {
    if taken { Err(StoreError::Conflict(key)) } else { Ok(()) }
}

/// What a foreign key says to the row that would refer to nothing.
pub(super) fn check_there(there: bool, what: &str) -> StoreResult<()> {
    if there { Ok(()) } else { Err(StoreError::Failed(format!("there is no such {what}").into())) }
}
