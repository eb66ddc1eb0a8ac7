use portcullis_identity::Invitation;
use portcullis_kernel::{
    Instant, InvitationId, Page, PageRequest, StoreResult, TokenDigest, UniqueKey,
};

use super::{
    Unit,
    tables::{Tables, check_free},
};
use crate::InvitationRepository;

impl InvitationRepository for Unit<'_> {
    fn insert(&mut self, invitation: &Invitation) -> StoreResult<()> {
        self.change(|tables| {
            let taken = tables.invitations.values().any(|other| other.digest == invitation.digest);
            check_free(taken, UniqueKey::Other)?;
            check_free(tables.invitations.contains(&invitation.id), UniqueKey::Other)?;
            tables.invitations.put(invitation.id, invitation.clone());
            Ok(())
        })
    }

    fn find(&mut self, digest: &TokenDigest, now: Instant) -> StoreResult<Option<Invitation>> {
        self.read(|tables| live(tables, digest, now).cloned())
    }

    fn spend(&mut self, digest: &TokenDigest, now: Instant) -> StoreResult<bool> {
        self.change(|tables| {
            let id = live(tables, digest, now).map(|invitation| invitation.id);
            Ok(id.is_some_and(|id| tables.remove_invitation(id)))
        })
    }

    fn list(&mut self, page: &PageRequest, now: Instant) -> StoreResult<Page<Invitation>> {
        self.read(|tables| tables.invitations.page(page, |invitation| now < invitation.expires_at))
    }

    fn remove(&mut self, id: InvitationId) -> StoreResult<bool> {
        self.change(|tables| Ok(tables.remove_invitation(id)))
    }

    fn remove_for(&mut self, canonical: &str) -> StoreResult<u64> {
        self.change(|tables| {
            let theirs = tables.invitations.keys_where(u32::MAX, |_, invitation| {
                invitation.email.as_ref().is_some_and(|email| email.as_str() == canonical)
            });
            Ok(theirs
                .into_iter()
                .fold(0, |count, id| count + u64::from(tables.remove_invitation(id))))
        })
    }

    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|tables| {
            let expired =
                tables.invitations.keys_where(limit, |_, invitation| invitation.expires_at <= now);
            Ok(expired
                .into_iter()
                .fold(0, |count, id| count + u64::from(tables.remove_invitation(id))))
        })
    }
}

fn live<'t>(tables: &'t Tables, digest: &TokenDigest, now: Instant) -> Option<&'t Invitation> {
    let mut invitations = tables.invitations.values();
    invitations.find(|invitation| invitation.digest == *digest && now < invitation.expires_at)
}
