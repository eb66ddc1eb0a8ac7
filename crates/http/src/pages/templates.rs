//! The files of `templates/`.

use minijinja::{Value, context};

use super::assets;
use crate::kit::Html;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("templates/", $name)))),*]
    };
}

const FILES: [(&str, &str); 43] = files![
    "account.html",
    "account_layout.html",
    "agent.html",
    "agent_give_up.html",
    "agent_key.html",
    "agents.html",
    "claim.html",
    "claim_dead.html",
    "claim_denied.html",
    "claim_mailed.html",
    "claim_undo.html",
    "claim_undo_dead.html",
    "claim_undone.html",
    "delete.html",
    "delete_dead.html",
    "delete_done.html",
    "delete_link.html",
    "dev_inbox.html",
    "dev_mail.html",
    "email.html",
    "email_confirm.html",
    "error.html",
    "index.html",
    "layout.html",
    "parts.html",
    "password.html",
    "register.html",
    "reset.html",
    "reset_ask.html",
    "reset_asked.html",
    "reset_done.html",
    "sessions.html",
    "sign_in.html",
    "verify.html",
    "verify_agent.html",
    "verify_agent_ask.html",
    "verify_agent_asked.html",
    "verify_agent_done.html",
    "verify_agent_used.html",
    "verify_ask.html",
    "verify_asked.html",
    "verify_disowned.html",
    "verify_done.html",
];

/// Every page of a service of this name.
pub(crate) fn html(service: &str, dev_inbox: bool) -> Html {
    let site = context! {
        service,
        style => Value::from_safe_string(assets::style_path()),
        icon => Value::from_safe_string(assets::icon_path()),
        dev_inbox,
    };
    Html::new(&FILES, site)
}
