use portcullis_audit::{Action, Actor};
use portcullis_email::{Asked, Content, Letter, Parcel};
use portcullis_identity::{EmailAddress, Invitation, PlainInvitation};
use portcullis_kernel::{
    Field, FieldErrors, InvitationId, Origin, Page, PageRequest, SecretString,
};
use portcullis_storage::StorageExt;

use super::users::page_of;
use crate::{Engine, Fault, Invalid, RegistrationMode, error::classify};

/// An invitation as an operator wants it.
#[derive(Clone, Debug, Default)]
pub struct Invite {
    /// The only address it is for, and to which it is mailed; for anybody when absent.
    pub email: Field<String>,
}

/// An invitation that was made.
#[derive(Clone, Debug)]
pub struct Invited {
    /// The invitation.
    pub invitation: Invitation,
    /// Its secret; shown once.
    pub secret: SecretString,
}

/// Why nobody was invited.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InviteError {
    /// The input breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The address has an account.
    #[error("An account with this email already exists.")]
    EmailTaken,
    /// Registration is closed, so an invitation would let nobody in.
    #[error("Registration is closed; an invitation would let nobody in.")]
    Closed,
    /// There is no such invitation.
    #[error("No such invitation.")]
    NotFound,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(InviteError {
    Self::EmailTaken | Self::Closed => (Conflict, CONFLICT),
    Self::NotFound => (NotFound, NOT_FOUND),
} via { Invalid, Fault });

impl Engine {
    /// Invites somebody to register, once. Mails the invitation when it is for one address.
    ///
    /// # Errors
    /// [`InviteError`]; nothing is then stored.
    pub fn invite(
        &self,
        input: Invite,
        actor: Actor,
        origin: &Origin,
    ) -> Result<Invited, InviteError> {
        if self.options.registration.mode == RegistrationMode::Closed {
            return Err(InviteError::Closed);
        }
        let now = self.now();
        let mut errors = FieldErrors::default();
        let rules = self.options.email;
        let email = errors.optional("email", input.email, |raw| EmailAddress::parse(&raw, rules));
        Invalid::or(errors, Some(()))?;
        let entropy = self.entropy.as_ref();
        let plain = PlainInvitation::generate(entropy).map_err(Fault::from)?;
        let id = InvitationId::generate(entropy).map_err(Fault::from)?;
        let expires_at = now + self.options.mailed.invitation;
        let digest = plain.digest();
        let invitation = Invitation { id, digest, email, created_at: now, expires_at };
        let secret = plain.into_secret();
        let mail = match &invitation.email {
            Some(email) => {
                let token = secret.clone().into();
                let content = Content::Invitation { token, expires_at };
                let (to, asked) = (email.delivery().to_owned(), Asked::by(origin, now));
                let letter = Parcel::Letter(Letter { to, asked, content });
                let mut mail = self.mail(&letter, now, expires_at)?;
                mail.invitation = Some(id);
                Some(mail)
            }
            None => None,
        };
        let event = self.event(Action::UserInvited, actor, origin, now).map_err(Fault::from)?;
        let event = event.with_detail(id.to_string());
        let stored = self.storage.transact(|uow| -> Result<bool, Fault> {
            if let Some(email) = &invitation.email
                && uow.users().find_by_email(email.as_str())?.is_some()
            {
                return Ok(false);
            }
            uow.invitations().insert(&invitation)?;
            if let Some(mail) = &mail {
                uow.outbox().insert(mail)?;
            }
            uow.audit().append(&event)?;
            Ok(true)
        })?;
        if stored { Ok(Invited { invitation, secret }) } else { Err(InviteError::EmailTaken) }
    }

    /// One page of the invitations that can still be used; at most 200 rows.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn list_invitations(&self, page: &PageRequest) -> Result<Page<Invitation>, Fault> {
        let now = self.now();
        Ok(self.storage.read(|uow| uow.invitations().list(&page_of(page), now))?)
    }

    /// Withdraws an invitation, and its mail if that still waits.
    ///
    /// # Errors
    /// [`InviteError::NotFound`].
    pub fn withdraw_invitation(
        &self,
        id: InvitationId,
        actor: Actor,
        origin: &Origin,
    ) -> Result<(), InviteError> {
        let event = self
            .event(Action::InvitationWithdrawn, actor, origin, self.now())
            .map_err(Fault::from)?
            .with_detail(id.to_string());
        let found = self.storage.transact(|uow| -> Result<bool, Fault> {
            let found = uow.invitations().remove(id)?;
            if found {
                uow.audit().append(&event)?;
            }
            Ok(found)
        })?;
        if found { Ok(()) } else { Err(InviteError::NotFound) }
    }
}
