//! Links that were mailed. Fetching one only looks at it; a form on its page spends the token.

use portcullis_credentials::MailedKind;
use portcullis_flows::{
    Engine,
    people::{MailedTokenError, PresentToken, PresentedToken},
};
use portcullis_identity::User;
use portcullis_kernel::{Field, Origin, SecretString, words::readable};
use serde::Serialize;

use crate::kit::{FormBody, PageCall, Refusal, seconds};

/// The field that carries the token.
pub(super) const TOKEN: &str = "token";

/// The token of a link that was opened.
pub(super) struct Link {
    /// As it came, to be put into the form.
    pub(super) raw: String,
    presented: PresentedToken,
}

impl Link {
    /// Reads it from the query; `None` when there is none.
    pub(super) fn opened(page: &PageCall, kind: MailedKind) -> Option<Self> {
        let raw = page.call.query().take(TOKEN).given()?;
        let token = Field::Given(SecretString::from(raw.as_str()));
        let presented = PresentToken { token }.check(kind).ok()?;
        Some(Self { raw, presented })
    }

    /// Looks at what it is for.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        page: &PageCall,
        look: impl FnOnce(&Engine, &PresentedToken) -> Result<T, MailedTokenError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let token = self.presented.clone();
        page.call.hop(move |engine, _| look(engine, &token)).await?.map_err(Refusal::of)
    }
}

/// Does what the token of a form is for.
pub(super) async fn spend<T: Send + 'static>(
    page: &PageCall,
    kind: MailedKind,
    mut form: FormBody,
    work: impl FnOnce(&Engine, &PresentedToken, &Origin) -> Result<T, MailedTokenError> + Send + 'static,
) -> Result<T, Refusal> {
    let token = PresentToken { token: form.filled_secret(TOKEN) };
    let token = token.check(kind).map_err(Refusal::of)?;
    page.call.hop(move |engine, origin| work(engine, &token, origin)).await?.map_err(Refusal::of)
}

/// What the person behind a link is told of the account, so that they can tell whether it is theirs.
/// Not its name, which a stranger may have written.
#[derive(Serialize)]
pub(super) struct Account {
    email: String,
    opened: String,
    opened_at: String,
    opened_from: Option<String>,
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self {
            email: user.email.as_str().to_owned(),
            opened: readable(user.created_at),
            opened_at: seconds(user.created_at),
            opened_from: user.opened_from,
        }
    }
}
