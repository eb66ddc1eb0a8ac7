//! The account that the server runs under when the owner is root.

use std::fs;

/// A Unix account, as `setuid` and `setgid` want it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Account {
    /// Finds `postgres`, or else `nobody`, among the accounts of this machine.
    pub(crate) fn unprivileged() -> Option<Self> {
        Self::from_passwd(&fs::read_to_string("/etc/passwd").ok()?)
    }

    fn from_passwd(passwd: &str) -> Option<Self> {
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| passwd.lines().find_map(|line| Self::from_line(line, name)))
    }

    fn from_line(line: &str, wanted: &str) -> Option<Self> {
        let mut fields = line.split(':');
        if fields.next() != Some(wanted) {
            return None;
        }
        // name:password:uid:gid:…
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Self { uid, gid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_is_preferred_to_nobody() {
        let passwd = "nobody:x:65534:65533::/:/bin/false\npostgres:x:101:104::/:/bin/sh\n";
        assert_eq!(Account::from_passwd(passwd), Some(Account { uid: 101, gid: 104 }));
    }

    #[test]
    fn nobody_stands_in_and_no_other_account_does() {
        let passwd = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65533::/:/bin/false\n";
        assert_eq!(Account::from_passwd(passwd), Some(Account { uid: 65534, gid: 65533 }));
        assert_eq!(Account::from_passwd("root:x:0:0::/root:/bin/sh\npostgresql:x:1:1"), None);
    }
}
