use portcullis_email::{Content, Letter, RecoverableAgent};
use portcullis_kernel::ExposeSecret as _;

use super::TestApp;

/// A mail that was delivered.
#[derive(Clone, Debug)]
pub struct Mail(pub Letter);

impl Mail {
    /// To whom it went.
    pub fn to(&self) -> &str {
        &self.0.to
    }

    /// What kind of mail it is, by the name of its template.
    pub fn kind(&self) -> &'static str {
        self.0.content.kind()
    }

    /// The token or code in it; `None` when it carries none.
    pub fn secret(&self) -> Option<&str> {
        let (Content::VerifyEmail { token: carried, .. }
        | Content::ResetPassword { token: carried, .. }
        | Content::ConfirmDeletion { token: carried, .. }
        | Content::Invitation { token: carried, .. }
        | Content::AccountReclaimed { token: Some(carried), .. }
        | Content::AgentVerifyEmail { token: carried, .. }
        | Content::ClaimCode { code: carried, .. }
        | Content::AgentClaimed { token: carried, .. }
        | Content::ConfirmNewEmail { code: carried, .. }) = &self.0.content
        else {
            return None;
        };
        Some(carried.expose_secret())
    }

    /// The codes in it that recover agents: each with its agent's id, in the order of the mail.
    pub fn codes(&self) -> Vec<(String, String)> {
        let Content::AgentRecoveryCodes { agents, .. } = &self.0.content else { return Vec::new() };
        let code = |agent: &RecoverableAgent| agent.code.expose_secret().to_owned();
        agents.iter().map(|agent| (agent.agent.clone(), code(agent))).collect()
    }
}

impl TestApp {
    /// Delivers every mail that waits, the one that waited longest first, as a worker does: requests
    /// become letters, mails that are worth nothing any more are dropped.
    ///
    /// # Panics
    /// When the storage fails.
    pub fn mails(&self) -> Vec<Mail> {
        let mut mails = Vec::new();
        while let Some(claimed) = self.engine.claim_mail().expect("the outbox can be read") {
            self.engine.mail_delivered(&claimed).expect("the mail can be removed");
            mails.push(Mail(claimed.letter));
        }
        mails
    }

    /// To whom every mail that waits goes, and of which kind it is; sorted.
    ///
    /// # Panics
    /// When the storage fails.
    pub fn told(&self) -> Vec<(String, &'static str)> {
        let mut told: Vec<_> =
            self.mails().iter().map(|mail| (mail.to().to_owned(), mail.kind())).collect();
        told.sort_unstable();
        told
    }

    /// The secret in the only waiting mail of a kind; other mails are delivered with it.
    ///
    /// # Panics
    /// When there is none, or several, or it carries no secret.
    #[track_caller]
    pub fn mailed(&self, kind: &str) -> String {
        let mails = self.mails();
        let mut wanted = mails.iter().filter(|mail| mail.kind() == kind);
        let found = wanted.next().unwrap_or_else(|| panic!("no {kind}: {mails:?}"));
        assert!(wanted.next().is_none(), "several {kind}: {mails:?}");
        found.secret().unwrap_or_else(|| panic!("{kind} carries no secret")).to_owned()
    }
    /// The codes in the only waiting mail with codes; other mails are delivered with it.
    ///
    /// # Panics
    /// When there is none, or several.
    #[track_caller]
    pub fn mailed_codes(&self) -> Vec<(String, String)> {
        let mails = self.mails();
        let mut found = mails.iter().map(Mail::codes).filter(|codes| !codes.is_empty());
        let codes = found.next().unwrap_or_else(|| panic!("no codes: {mails:?}"));
        assert!(found.next().is_none(), "several: {mails:?}");
        codes
    }
}
