use crate::kit::PageCall;

/// What the page before this one did: told by a word in the query, of those that there are. Nothing of
/// the query itself is ever shown.
pub(super) fn notice(page: &PageCall) -> Option<&'static str> {
    text(page.call.query().take("done").given()?.as_str())
}

fn text(word: &str) -> Option<&'static str> {
    Some(match word {
        "registered" => {
            "Your account is ready. We sent you a mail: open the link in it to confirm your address."
        }
        "profile" => "Your name is saved.",
        "mail" => "If your address still waits to be confirmed, a mail is on its way.",
        "code" => "If the new address can be used, a mail with a code is on its way to it.",
        "email" => "Your address is changed.",
        "password" => "Your password is changed, and every other device is signed out.",
        "session" => "That device is signed out.",
        "sessions" => "All other devices are signed out.",
        "key" => "That key is revoked.",
        "agent" => "The agent is no longer yours, and none of its keys works.",
        "deletion" => "A mail is on its way. Open the link in it to delete your account.",
        "deleted" => "Your account is deleted.",
        "signed-out" => "You are signed out.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn w3_only_known_words_say_something() {
        assert_eq!(text("signed-out"), Some("You are signed out."));
        for word in ["", "x", "<script>", "Signed-out", "password "] {
            assert_eq!(text(word), None, "{word}");
        }
    }
}
