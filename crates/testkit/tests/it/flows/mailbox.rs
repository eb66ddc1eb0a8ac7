//! What people do by mail, in one call each.

use std::iter;

use portcullis_credentials::MailedKind;
use portcullis_email::{Content, Letter, OutboxEntry, RequestKind};
use portcullis_flows::{
    Engine, MasterKey,
    mail::AddressInput,
    people::{
        Caller, ChangeEmail, ChangeEmailError, ChangePassword, ConfirmEmail, ConfirmEmailError,
        DeleteAccount, DeleteError, Deletion, MailedTokenError, PageSignedIn, PasswordError,
        PresentToken, PresentedToken, ResetError, ResetPassword, SignIn, SignInError, SignedIn,
    },
};
use portcullis_identity::{EmailAddress, User};
use portcullis_kernel::{ExposeSecret as _, Field, Origin, TokenDigest};
use portcullis_storage::TxMode;
use portcullis_testkit::engine::{MASTER_KEY, TestEngine};
use portcullis_tokens::PageToken;

use super::{PASSWORD, People as _, home};

/// The password that people of these tests change to.
pub(super) const OTHER_PASSWORD: &str = "staple wrong horse";

pub(super) fn address(engine: &Engine, email: &str) -> EmailAddress {
    EmailAddress::parse(email, engine.options().email).unwrap()
}

/// A token as a client presents it.
pub(super) fn presented(kind: MailedKind, token: &str) -> PresentedToken {
    PresentToken { token: Field::Given(token.into()) }.check(kind).unwrap()
}

/// The secret that a letter carries.
pub(super) fn carried(letter: &Letter) -> String {
    let secret = match &letter.content {
        Content::VerifyEmail { token, .. }
        | Content::ResetPassword { token, .. }
        | Content::ConfirmDeletion { token, .. }
        | Content::Invitation { token, .. }
        | Content::AgentVerifyEmail { token, .. }
        | Content::AgentClaimed { token, .. } => token,
        Content::ConfirmNewEmail { code, .. } | Content::ClaimCode { code, .. } => code,
        other => panic!("{} carries nothing", other.kind()),
    };
    secret.expose_secret().to_owned()
}

/// To whom letters go, and what each is.
pub(super) fn kinds(letters: &[Letter]) -> Vec<(&str, &'static str)> {
    letters.iter().map(|letter| (letter.to.as_str(), letter.content.kind())).collect()
}

/// What waits, sealed by the master key of most tests.
pub(super) fn waiting(engine: &TestEngine) -> Vec<OutboxEntry> {
    let mut uow = engine.storage.begin(TxMode::Write).unwrap();
    uow.outbox().lock_sealed_by(&MasterKey::parse(MASTER_KEY).unwrap().id()).unwrap()
}

/// Whether a mailed token lies in storage.
pub(super) fn is_stored(engine: &TestEngine, kind: MailedKind, token: &str) -> bool {
    let mut uow = engine.storage.begin(TxMode::Read).unwrap();
    uow.mailed_tokens().find(kind, &TokenDigest::of(token), engine.now()).unwrap().is_some()
}

pub(super) trait Mail {
    /// Delivers everything that is due, in the order in which it leaves.
    fn deliver(&self) -> Vec<Letter>;
    fn ask(&self, kind: RequestKind, email: &str);
    fn try_verify(&self, token: &str) -> Result<User, MailedTokenError>;
    fn try_disown(&self, token: &str) -> Result<(), MailedTokenError>;
    fn try_reset(&self, token: &str, password: &str) -> Result<(), ResetError>;
    fn try_change_password(
        &self,
        caller: &Caller,
        current: &str,
        new: &str,
    ) -> Result<(), PasswordError>;
    fn try_change_email(
        &self,
        caller: &Caller,
        email: &str,
        password: &str,
    ) -> Result<(), ChangeEmailError>;
    fn try_confirm(&self, caller: &Caller, code: &str) -> Result<User, ConfirmEmailError>;
    fn try_delete(&self, caller: &Caller, password: Option<&str>) -> Result<Deletion, DeleteError>;
    fn try_enter_page(
        &self,
        email: &str,
        password: &str,
        origin: &Origin,
    ) -> Result<PageSignedIn, SignInError>;
    fn page(&self, token: &PageToken) -> Option<Caller>;

    /// Delivers everything that is due, and gives what the one letter of this kind carries.
    fn receive(&self, kind: &str) -> String {
        let letters = self.deliver();
        let wanted: Vec<_> =
            letters.iter().filter(|letter| letter.content.kind() == kind).collect();
        let [letter] = wanted[..] else { panic!("{kind} among {:?}", kinds(&letters)) };
        carried(letter)
    }

    /// Asks for a mail to set a password, and reads it.
    fn reset_token(&self, email: &str) -> String {
        self.ask(RequestKind::Reset, email);
        self.receive("reset_password")
    }

    /// Signs in on the pages with [`PASSWORD`] from [`home`].
    fn enter_page(&self, email: &str) -> PageToken {
        self.try_enter_page(email, PASSWORD, &home()).unwrap().token
    }

    /// Registers, reads the mail and confirms the address.
    fn join_verified(&self, email: &str) -> SignedIn;
}

impl Mail for Engine {
    fn deliver(&self) -> Vec<Letter> {
        let next = || {
            let mail = self.claim_mail().unwrap()?;
            self.mail_delivered(&mail).unwrap();
            Some(mail.letter)
        };
        iter::from_fn(next).collect()
    }

    fn ask(&self, kind: RequestKind, email: &str) {
        let ask = self.check_ask_for_mail(kind, AddressInput { email: email.into() });
        self.ask_for_mail(&ask.unwrap(), &home()).unwrap();
    }

    fn try_verify(&self, token: &str) -> Result<User, MailedTokenError> {
        self.verify_email(&presented(MailedKind::VerifyEmail, token), &home())
    }

    fn try_disown(&self, token: &str) -> Result<(), MailedTokenError> {
        self.disown_account(&presented(MailedKind::VerifyEmail, token), &home())
    }

    fn try_reset(&self, token: &str, password: &str) -> Result<(), ResetError> {
        let input = ResetPassword {
            token: Field::Given(token.into()),
            password: Field::Given(password.into()),
        };
        self.reset_password(self.check_reset(input)?, &home())
    }

    fn try_change_password(
        &self,
        caller: &Caller,
        current: &str,
        new: &str,
    ) -> Result<(), PasswordError> {
        let input =
            ChangePassword { current: Field::Given(current.into()), new: Field::Given(new.into()) };
        let change = self.check_password_change(caller, input).unwrap();
        self.change_password(caller, change, &home())
    }

    fn try_change_email(
        &self,
        caller: &Caller,
        email: &str,
        password: &str,
    ) -> Result<(), ChangeEmailError> {
        let input = ChangeEmail { email: email.into(), password: Field::Given(password.into()) };
        self.change_email(caller, self.check_email_change(caller, input)?, &home())
    }

    fn try_confirm(&self, caller: &Caller, code: &str) -> Result<User, ConfirmEmailError> {
        self.confirm_email(caller, ConfirmEmail { code: Field::Given(code.into()) }, &home())
    }

    fn try_delete(&self, caller: &Caller, password: Option<&str>) -> Result<Deletion, DeleteError> {
        let password = password.map_or(Field::Absent, |password| Field::Given(password.into()));
        let password = self.check_deletion(caller, DeleteAccount { password })?;
        self.delete_account(caller, password, &home())
    }

    fn try_enter_page(
        &self,
        email: &str,
        password: &str,
        origin: &Origin,
    ) -> Result<PageSignedIn, SignInError> {
        let input = SignIn { email: email.into(), password: Field::Given(password.into()) };
        self.sign_in_page(self.check_sign_in(input).unwrap(), origin)
    }

    fn page(&self, token: &PageToken) -> Option<Caller> {
        self.authenticate_page(token.expose_secret().into()).unwrap()
    }

    fn join_verified(&self, email: &str) -> SignedIn {
        let mut joined = self.join(email);
        joined.user = self.try_verify(&self.receive("verify_email")).unwrap();
        joined
    }
}
