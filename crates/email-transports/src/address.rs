//! One more look at addresses, just before they reach a header or a command.

use lettre::Address;

/// The address of one mailbox: no quotes, groups, comments, literals, spaces or control characters, so
/// that it cannot become a second one, or a command.
pub(crate) fn one_mailbox(raw: &str) -> Option<Address> {
    let (local, domain) = raw.rsplit_once('@')?;
    let in_local = |c: char| !c.is_control() && !c.is_whitespace() && !"\"(),:;<>@[\\]".contains(c);
    let in_domain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let plain = local.chars().all(in_local) && domain.chars().all(in_domain);
    if plain { Address::new(local, domain).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m3_one_address_is_one_mailbox() {
        for raw in ["jane@example.com", "o'hara+x@mail.example.com", "jané@xn--bcher-kva.example"]
        {
            assert_eq!(one_mailbox(raw).unwrap().to_string(), raw);
        }
        for raw in [
            "",
            "jane",
            "@example.com",
            "jane@",
            "jane@example.com,eve@evil.example",
            "jane@example.com eve@evil.example",
            "jane@evil.example@example.com",
            "\"jane@evil.example\"@example.com",
            "jane@example.com>\r\nRCPT TO:<eve@evil.example",
            "jane@example.com\r\nBcc: eve@evil.example",
            "jane\r\nBcc:eve@example.com",
            "jane\u{2028}@example.com",
            "group:jane@example.com",
            "(c)jane@example.com",
            "jane@[127.0.0.1]",
            "jane@[IPv6:::1]",
            "<jane@example.com>",
        ] {
            assert!(one_mailbox(raw).is_none(), "{raw:?}");
        }
    }
}
