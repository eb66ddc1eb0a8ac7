use portcullis_credentials::{MailedKind, MailedToken, PlainMailedToken};
use portcullis_email::{Asked, Content, Letter, OutboxEntry, Parcel};
use portcullis_identity::{Agent, EmailAddress, User};
use portcullis_kernel::{AgentId, Instant, MailId, StoreResult};
use portcullis_limits::{BucketKey, Policy};
use portcullis_storage::UnitOfWork;
use time::Duration;

use crate::{Engine, Fault};

/// A mailed token and the mail that carries it, ready to be stored together.
pub(crate) struct Minted {
    token: MailedToken,
    mail: OutboxEntry,
}

impl Minted {
    /// Stores both; the token's older twin dies, and its mail with it.
    pub(crate) fn store(&self, uow: &mut dyn UnitOfWork) -> StoreResult<()> {
        uow.mailed_tokens().put(&self.token)?;
        uow.outbox().insert(&self.mail)
    }
}

impl Engine {
    /// A mail that is ready to be queued. It belongs to nobody yet.
    pub(crate) fn mail(
        &self,
        parcel: &Parcel,
        now: Instant,
        expires_at: Instant,
    ) -> Result<OutboxEntry, Fault> {
        let id = MailId::generate(self.entropy.as_ref())?;
        Ok(OutboxEntry {
            id,
            kind: parcel.kind().to_owned(),
            user: None,
            token: None,
            change: None,
            invitation: None,
            agent: None,
            agent_token: None,
            recovery: None,
            claim: None,
            sealed: self.seal_parcel(id, parcel)?,
            sealed_by: self.master_key.id(),
            created_at: now,
            due_at: now,
            expires_at,
            attempts: 0,
        })
    }

    pub(super) fn seal_parcel(&self, id: MailId, parcel: &Parcel) -> Result<Vec<u8>, Fault> {
        let context = seal_context(id);
        Ok(self.master_key.seal(&context, &parcel.to_bytes()?, self.entropy.as_ref())?)
    }

    pub(super) fn open_parcel(&self, id: MailId, sealed: &[u8]) -> Result<Parcel, Fault> {
        Ok(Parcel::from_bytes(&self.master_key.open(&seal_context(id), sealed)?)?)
    }

    /// A mail to the stored address of a user, that goes when the user goes.
    pub(crate) fn mail_to(
        &self,
        user: &User,
        content: Content,
        asked: Asked,
        now: Instant,
        expires_at: Instant,
    ) -> Result<OutboxEntry, Fault> {
        let letter = Letter { to: user.email.delivery().to_owned(), asked, content };
        let mut mail = self.mail(&Parcel::Letter(letter), now, expires_at)?;
        mail.user = Some(user.id);
        Ok(mail)
    }

    /// A mail to an address of an agent, that goes when the agent goes.
    pub(crate) fn mail_for_agent(
        &self,
        agent: AgentId,
        to: &EmailAddress,
        content: Content,
        asked: Asked,
        now: Instant,
        expires_at: Instant,
    ) -> Result<OutboxEntry, Fault> {
        let letter = Letter { to: to.delivery().to_owned(), asked, content };
        let mut mail = self.mail(&Parcel::Letter(letter), now, expires_at)?;
        mail.agent = Some(agent);
        Ok(mail)
    }

    /// A token for the user's present address, and the mail that carries it.
    pub(crate) fn mint(
        &self,
        kind: MailedKind,
        user: &User,
        asked: Asked,
        now: Instant,
    ) -> Result<Minted, Fault> {
        let expires_at = now + self.life_of(kind);
        let token = PlainMailedToken::generate(kind, self.entropy.as_ref())?;
        let digest = token.digest();
        let token = token.into_secret().into();
        let content = match kind {
            MailedKind::VerifyEmail => Content::VerifyEmail { token, expires_at },
            MailedKind::ResetPassword => Content::ResetPassword { token, expires_at },
            MailedKind::DeleteAccount => Content::ConfirmDeletion { token, expires_at },
        };
        let mut mail = self.mail_to(user, content, asked, now, expires_at)?;
        mail.token = Some(digest);
        let email = user.email.as_str().to_owned();
        let row = MailedToken { digest, kind, user: user.id, email, created_at: now, expires_at };
        Ok(Minted { token: row, mail })
    }

    pub(super) fn life_of(&self, kind: MailedKind) -> Duration {
        let mailed = &self.options.mailed;
        match kind {
            MailedKind::VerifyEmail => mailed.verification,
            MailedKind::ResetPassword => mailed.reset,
            MailedKind::DeleteAccount => mailed.deletion,
        }
    }

    /// Tells a user something, if the address was proven and was not told this too often of late.
    pub(crate) fn notify(
        &self,
        uow: &mut dyn UnitOfWork,
        user: &User,
        content: Content,
        asked: Asked,
        now: Instant,
    ) -> Result<(), Fault> {
        if !user.is_verified() {
            return Ok(());
        }
        if self.allows_notice(uow, content.kind(), user.id, now)? {
            let expires_at = now + self.options.mailed.notice;
            uow.outbox().insert(&self.mail_to(user, content, asked, now, expires_at)?)?;
        }
        Ok(())
    }

    /// Tells the proven address of an agent something, if there is one and it was not told this too
    /// often of late.
    pub(crate) fn notify_agent(
        &self,
        uow: &mut dyn UnitOfWork,
        agent: &Agent,
        content: Content,
        asked: Asked,
        now: Instant,
    ) -> Result<(), Fault> {
        let Some(proven) = &agent.email else { return Ok(()) };
        if self.allows_notice(uow, content.kind(), agent.id, now)? {
            let expires_at = now + self.options.mailed.notice;
            let to = &proven.address;
            let mut mail = self.mail_for_agent(agent.id, to, content, asked, now, expires_at)?;
            // What happened is told even when the agent is erased next: perhaps by the same stranger.
            mail.agent = None;
            uow.outbox().insert(&mail)?;
        }
        Ok(())
    }

    /// Whether one more mail of a kind may tell an account something. Counts it if so.
    fn allows_notice(
        &self,
        uow: &mut dyn UnitOfWork,
        kind: &str,
        account: impl std::fmt::Display,
        now: Instant,
    ) -> StoreResult<bool> {
        let policy = self.options.limits.notice;
        let bucket = BucketKey::principal(&policy, format_args!("{kind}|{account}"));
        self.allows_mail(uow, &[(bucket, policy)], now)
    }

    /// Whether one more mail that proves an address may go to it. Counts it if so.
    pub(crate) fn allows_verification(
        &self,
        uow: &mut dyn UnitOfWork,
        canonical: &str,
        now: Instant,
    ) -> StoreResult<bool> {
        let limits = &self.options.limits;
        let of = |policy: Policy| (BucketKey::mailbox(&policy, canonical), policy);
        self.allows_mail(
            uow,
            &[of(limits.verification_mail), of(limits.verification_mail_long)],
            now,
        )
    }

    /// Whether one more code to claim an agent may be mailed to an address, over all registrations.
    /// Counts it if so.
    pub(crate) fn allows_claim_code(
        &self,
        uow: &mut dyn UnitOfWork,
        canonical: &str,
        now: Instant,
    ) -> StoreResult<bool> {
        let limits = &self.options.limits.agent_registration;
        let of = |policy: Policy| (BucketKey::mailbox(&policy, canonical), policy);
        let buckets = [limits.code_mail, limits.code_mail_long, limits.code_mail_longest].map(of);
        self.allows_mail(uow, &buckets, now)
    }

    /// Whether one more mail to set a password may go to an address. Counts it if so.
    pub(crate) fn allows_reset(
        &self,
        uow: &mut dyn UnitOfWork,
        canonical: &str,
        now: Instant,
    ) -> StoreResult<bool> {
        let policy = self.options.limits.reset_mail;
        self.allows_mail(uow, &[(BucketKey::mailbox(&policy, canonical), policy)], now)
    }

    /// Takes a place in every bucket, or in none.
    fn allows_mail(
        &self,
        uow: &mut dyn UnitOfWork,
        buckets: &[(BucketKey, Policy)],
        now: Instant,
    ) -> StoreResult<bool> {
        if !self.options.limits.enabled {
            return Ok(true);
        }
        for (place, (key, policy)) in buckets.iter().enumerate() {
            if uow.rate_limits().charge(key, policy, 1, now, now)?.is_none() {
                for (key, _) in buckets.iter().take(place) {
                    uow.rate_limits().refund(key, now)?;
                }
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// What a mail is sealed for, so that no row can be passed off as another.
pub(super) fn seal_context(id: MailId) -> String {
    format!("outbox/{id}")
}
