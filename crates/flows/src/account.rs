use portcullis_credentials::Password;
use portcullis_identity::{DisplayName, EmailAddress};
use portcullis_kernel::{Field, FieldErrors, SecretString};

use crate::Engine;

/// What every new account is made of, whoever makes it.
pub(crate) struct NewAccount {
    pub(crate) email: EmailAddress,
    pub(crate) display_name: Option<DisplayName>,
    pub(crate) password: Option<Password>,
}

impl Engine {
    /// Judges a new account, noting every broken field; `None` when the address is one of them.
    pub(crate) fn judge_account(
        &self,
        errors: &mut FieldErrors,
        email: Field<String>,
        display_name: Field<String>,
        password: Field<SecretString>,
    ) -> Option<NewAccount> {
        let typed = email.clone().given().unwrap_or_default();
        let shown = display_name.clone().given().unwrap_or_default();
        let rules = self.options.email;
        let email = errors.required("email", email, |raw| EmailAddress::parse(&raw, rules));
        let display_name =
            errors.optional("display_name", display_name, |raw| DisplayName::parse(&raw));
        let personal = [typed.trim(), shown.trim()];
        let password = errors
            .optional("password", password, |raw| self.options.password.accept(raw, &personal));
        email.map(|email| NewAccount { email, display_name, password })
    }
}
