use portcullis_audit::{Action, Actor};
use portcullis_credentials::MailedKind;
use portcullis_identity::User;
use portcullis_kernel::{Instant, Origin};
use portcullis_storage::{StorageExt, UnitOfWork};

use super::mailed::{MailedTokenError, PresentedToken, spend, spend_if};
use crate::{Engine, Fault, agents::disown_agents};

const KIND: MailedKind = MailedKind::VerifyEmail;

impl Engine {
    /// The account that a link would confirm: what the person behind it is told before they say
    /// whether it is theirs. Changes nothing.
    ///
    /// # Errors
    /// [`MailedTokenError`].
    pub fn preview_verification(&self, token: &PresentedToken) -> Result<User, MailedTokenError> {
        let found = self.look_at(KIND, token, self.now())?;
        found.map(|(_, user)| user).ok_or(MailedTokenError::InvalidToken)
    }

    /// Notes that the address of an account was proven, and gives the user as it is then. A token is
    /// good once.
    ///
    /// # Errors
    /// [`MailedTokenError`].
    pub fn verify_email(
        &self,
        token: &PresentedToken,
        origin: &Origin,
    ) -> Result<User, MailedTokenError> {
        let now = self.now();
        let found = self.look_at(KIND, token, now)?;
        let (token, _) = found.ok_or(MailedTokenError::InvalidToken)?;
        let verified = self.storage.transact(|uow| -> Result<Option<User>, Fault> {
            let Some(mut user) = spend(uow, &token, now)? else { return Ok(None) };
            user.verify_email(now);
            uow.users().update(&user)?;
            uow.email_changes().remove(user.id)?;
            let event = self.event(Action::EmailVerified, Actor::User(user.id), origin, now)?;
            uow.audit().append(&event)?;
            Ok(Some(user))
        })?;
        verified.ok_or(MailedTokenError::InvalidToken)
    }

    /// Erases an account that was opened on the mailbox of somebody who did not want it, and that was
    /// never confirmed.
    ///
    /// # Errors
    /// [`MailedTokenError`].
    pub fn disown_account(
        &self,
        token: &PresentedToken,
        origin: &Origin,
    ) -> Result<(), MailedTokenError> {
        let now = self.now();
        let found = self.look_at(KIND, token, now)?;
        let (token, _) = found.ok_or(MailedTokenError::InvalidToken)?;
        let erased = self.storage.transact(|uow| -> Result<bool, Fault> {
            let user = spend_if(uow, &token, now, |user| !user.is_verified())?;
            let Some(user) = user else { return Ok(false) };
            self.erase(uow, &user, now)?;
            // Without the network address: the account's traces go with it.
            let origin = origin.without_client();
            let event = self.event(Action::UserDisowned, Actor::Anonymous, &origin, now)?;
            uow.audit().append(&event.about(user.id))?;
            Ok(true)
        })?;
        if erased { Ok(()) } else { Err(MailedTokenError::InvalidToken) }
    }

    /// Erases an account with everything that belongs to it. Agents that belonged to it lose their owner
    /// and every credential. Its audit events stay, under its id, without the network addresses.
    pub(crate) fn erase(
        &self,
        uow: &mut dyn UnitOfWork,
        user: &User,
        now: Instant,
    ) -> Result<(), Fault> {
        disown_agents(self, uow, user.id, now)?;
        uow.users().delete(user.id)?;
        uow.invitations().remove_for(user.email.as_str())?;
        // After the rows: whatever ended one of them beside this has written its event by then.
        uow.audit().pseudonymise(user.id)?;
        Ok(())
    }
}
