//! The files of `crates/email/templates`.

/// What a kind of letter has: `<kind>.txt` and `<kind>.html`.
pub(super) const KINDS: [&str; 20] = [
    "account_deleted",
    "account_reclaimed",
    "agent_deleted",
    "agent_email_change_asked",
    "agent_email_changed",
    "agent_recovered",
    "agent_recovery_codes",
    "agent_verify_email",
    "confirm_deletion",
    "confirm_new_email",
    "email_change_asked",
    "email_changed",
    "invitation",
    "new_email_taken",
    "new_sign_in",
    "password_changed",
    "refresh_replayed",
    "reset_password",
    "test",
    "verify_email",
];

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../templates/", $name)))),*]
    };
}

/// Every template by its file name.
pub(super) const FILES: [(&str, &str); 43] = files![
    "account_deleted.html",
    "account_deleted.txt",
    "account_reclaimed.html",
    "account_reclaimed.txt",
    "agent_deleted.html",
    "agent_deleted.txt",
    "agent_email_change_asked.html",
    "agent_email_change_asked.txt",
    "agent_email_changed.html",
    "agent_email_changed.txt",
    "agent_recovered.html",
    "agent_recovered.txt",
    "agent_recovery_codes.html",
    "agent_recovery_codes.txt",
    "agent_verify_email.html",
    "agent_verify_email.txt",
    "confirm_deletion.html",
    "confirm_deletion.txt",
    "confirm_new_email.html",
    "confirm_new_email.txt",
    "email_change_asked.html",
    "email_change_asked.txt",
    "email_changed.html",
    "email_changed.txt",
    "invitation.html",
    "invitation.txt",
    "layout.html",
    "layout.txt",
    "new_email_taken.html",
    "new_email_taken.txt",
    "new_sign_in.html",
    "new_sign_in.txt",
    "parts.html",
    "password_changed.html",
    "password_changed.txt",
    "refresh_replayed.html",
    "refresh_replayed.txt",
    "reset_password.html",
    "reset_password.txt",
    "test.html",
    "test.txt",
    "verify_email.html",
    "verify_email.txt",
];
