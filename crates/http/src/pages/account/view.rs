use minijinja::{Value, context, value::Serde};
use portcullis_identity::User;
use serde::Serialize;

use super::done::notice;
use crate::kit::{Owner, PageCall};

/// What the pages of an account tell of its owner.
#[derive(Serialize)]
struct UserView {
    email: String,
    name: Option<String>,
    verified: bool,
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        Self {
            email: user.email.as_str().to_owned(),
            name: user.display_name.as_ref().map(|name| name.as_str().to_owned()),
            verified: user.is_verified(),
        }
    }
}

/// What every page of an account shows.
pub(super) fn of(page: &PageCall, owner: &Owner) -> Value {
    context! {
        user => Serde(UserView::from(&owner.caller.user)),
        csrf => owner.csrf.as_str(),
        done => notice(page),
        min_chars => page.engine().options().password.min_chars,
    }
}
