use std::fmt;

/// The longest address that SMTP can carry (RFC 5321 §4.5.3.1.3, less the angle brackets).
const MAX_BYTES: usize = 254;
/// The longest local part (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_BYTES: usize = 64;

/// An address of one mailbox.
///
/// Two addresses are equal when their [canonical](Self::as_str) forms are: the local part in ASCII
/// lower case, the domain in its UTS-46 ASCII form. No other folding is done, so a look-alike
/// letter never reaches somebody else's account.
#[derive(Clone)]
pub struct EmailAddress {
    canonical: String,
    delivery: String,
}

/// Which addresses are accepted beyond the strict default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EmailRules {
    /// Accept letters beyond ASCII in the local part (RFC 6531).
    pub unicode_local: bool,
}

/// A text that is not the address of one mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a valid email address")]
pub struct InvalidEmail;

impl EmailAddress {
    /// Reads an address as a person typed it; space around it is dropped.
    ///
    /// # Errors
    /// [`InvalidEmail`] for anything but one plain mailbox: no quotes, comments, groups, address
    /// literals or control characters, at most 254 bytes, a domain of two labels or more.
    pub fn parse(raw: &str, rules: EmailRules) -> Result<Self, InvalidEmail> {
        let raw = raw.trim();
        if raw.len() > MAX_BYTES {
            return Err(InvalidEmail);
        }
        let (local, domain) = raw.rsplit_once('@').ok_or(InvalidEmail)?;
        check_local(local, rules)?;
        let domain = ascii_domain(domain)?;
        let delivery = format!("{local}@{domain}");
        if delivery.len() > MAX_BYTES {
            return Err(InvalidEmail);
        }
        let canonical = format!("{}@{domain}", Self::fold(local));
        Ok(Self { canonical, delivery })
    }

    /// A part of an address in the letters of the canonical form, to look for it there. Letters beyond
    /// ASCII stay as they are.
    pub fn fold(part: &str) -> String {
        part.to_ascii_lowercase()
    }

    /// An address read back from storage, where only parsed ones are put.
    pub fn from_stored(canonical: String, delivery: String) -> Self {
        Self { canonical, delivery }
    }

    /// The form that decides equality and that answers show.
    pub fn as_str(&self) -> &str {
        &self.canonical
    }

    /// The form to send mail to: the local part as its owner typed it.
    pub fn delivery(&self) -> &str {
        &self.delivery
    }

    /// The domain, in ASCII and lower case.
    pub fn domain(&self) -> &str {
        self.canonical.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl PartialEq for EmailAddress {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for EmailAddress {}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical)
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmailAddress({})", self.canonical)
    }
}

/// A dot-atom (RFC 5322 §3.2.3), with letters of RFC 6531 where the rules allow them.
fn check_local(local: &str, rules: EmailRules) -> Result<(), InvalidEmail> {
    let atext = |c: char| {
        c.is_ascii_alphanumeric()
            || "!#$%&'*+-/=?^_`{|}~.".contains(c)
            || (rules.unicode_local && !c.is_ascii() && c.is_alphanumeric())
    };
    let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
    let fits = !local.is_empty() && local.len() <= MAX_LOCAL_BYTES;
    if fits && !dots && local.chars().all(atext) { Ok(()) } else { Err(InvalidEmail) }
}

/// The UTS-46 ASCII form of a domain of two labels or more whose last label is not a number.
fn ascii_domain(domain: &str) -> Result<String, InvalidEmail> {
    // A domain that maps to the same ASCII twice is stable; one that does not could name two
    // mailboxes, depending on who resolves it (RUSTSEC-2024-0421).
    let to_ascii = |d: &str| idna::domain_to_ascii_strict(d).map_err(|_| InvalidEmail);
    let ascii = to_ascii(domain)?;
    if to_ascii(&ascii)? != ascii {
        return Err(InvalidEmail);
    }
    let mut labels = ascii.rsplit('.');
    let last = labels.next().unwrap_or_default();
    let numeric = last.bytes().all(|b| b.is_ascii_digit());
    if numeric || labels.next().is_none() || ascii.split('.').any(str::is_empty) {
        return Err(InvalidEmail);
    }
    Ok(ascii)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(raw: &str) -> Result<EmailAddress, InvalidEmail> {
        EmailAddress::parse(raw, EmailRules::default())
    }

    #[test]
    fn case_and_space_do_not_make_another_mailbox() {
        let address = parse("  Jane.Doe+x@EXAMPLE.com ").unwrap();
        assert_eq!(address.as_str(), "jane.doe+x@example.com");
        assert_eq!(address.delivery(), "Jane.Doe+x@example.com");
        assert_eq!(address.domain(), "example.com");
        assert_eq!(address, parse("jane.doe+x@example.com").unwrap());
    }

    #[test]
    fn an_international_domain_is_its_ascii_form() {
        assert_eq!(parse("a@bücher.example").unwrap().as_str(), "a@xn--bcher-kva.example");
        assert_eq!(parse("a@ＥＸＡＭＰＬＥ.com").unwrap().as_str(), "a@example.com");
    }

    #[test]
    fn what_is_not_one_plain_mailbox_is_refused() {
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long = format!("a@{}.com", "b.".repeat(130));
        let refused = [
            "",
            "@",
            "a",
            "a@",
            "@example.com",
            "a b@example.com",
            "a@b@example.com",
            "a@example",
            "\"a\"@example.com",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a@1.2.3.4.5",
            "a,b@example.com",
            "a@example.com,b@example.com",
            "<a@example.com>",
            "A: a@example.com;",
            "a\r\nBcc: b@example.com@example.com",
            "a\0@example.com",
            "a@exa\0mple.com",
            "a@exam ple.com",
            ".a@example.com",
            "a.@example.com",
            "a..b@example.com",
            "a@-example.com",
            "a@example..com",
            "a@.example.com",
            "a@example.com.",
            "a@exa_mple.com",
            "ａ@example.com",
            "ı@example.com",
            "a(x)@example.com",
            "a@xn--a.example",
            long_local.as_str(),
            long.as_str(),
        ];
        for raw in refused {
            assert_eq!(parse(raw).unwrap_err(), InvalidEmail, "{raw:?}");
        }
    }

    #[test]
    fn letters_beyond_ascii_are_a_switch_and_are_not_folded() {
        let rules = EmailRules { unicode_local: true };
        let address = EmailAddress::parse("Ünï@example.com", rules).unwrap();
        assert_eq!(address.as_str(), "Ünï@example.com");
        assert!(EmailAddress::parse("a\u{202e}b@example.com", rules).is_err());
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_is_stable(raw in any::<String>()) {
            if let Ok(address) = parse(&raw) {
                prop_assert_eq!(&parse(address.as_str()).unwrap(), &address);
                prop_assert_eq!(&parse(address.delivery()).unwrap(), &address);
            }
        }

        #[test]
        fn plain_addresses_are_accepted(raw in "[a-z0-9]{1,20}@[a-z0-9]{1,20}\\.[a-z]{2,6}") {
            let address = parse(&raw).unwrap();
            prop_assert_eq!(address.as_str(), raw);
        }
    }
}
