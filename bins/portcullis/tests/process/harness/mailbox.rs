//! Mails, where they arrive.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    time::Duration,
};

use super::wait_until;

/// Longer than the lease of a mail whose holder was killed, and the longest pause after that.
const ARRIVES: Duration = Duration::from_mins(2);

/// A mail as it left the server.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    /// The `Message-ID`, the same in every copy.
    pub(crate) id: String,
    /// The one recipient of the `To` line.
    pub(crate) to: String,
    /// All of it, decoded as far as links and codes go.
    pub(crate) text: String,
}

impl Mail {
    pub(crate) fn parse(raw: &str) -> Self {
        let text = raw.replace("\r\n", "\n").replace("=\n", "").replace("=3D", "=");
        let header = |name: &str| {
            let found: Vec<_> = text.lines().filter_map(|line| line.strip_prefix(name)).collect();
            assert_eq!(found.len(), 1, "{name} {text}");
            found[0].trim().to_owned()
        };
        Self { id: header("Message-ID:"), to: header("To:"), text: text.clone() }
    }

    /// The token of this kind that is in it.
    pub(crate) fn token(&self, prefix: &str) -> Option<String> {
        let is_part = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        let at = self.text.find(prefix)?;
        Some(self.text[at..].chars().take_while(is_part).collect())
    }

    /// The code that stands alone on a line.
    pub(crate) fn code(&self) -> Option<String> {
        let mut lines = self.text.lines().map(str::trim);
        lines.find(|line| is_code(line)).map(str::to_owned)
    }

    /// Codes by the agent whose id stands before each.
    pub(crate) fn agent_codes(&self) -> BTreeMap<String, String> {
        let mut codes = BTreeMap::new();
        let mut agent = None;
        for line in self.text.lines().map(str::trim) {
            if let Some(id) = word(line, "agt_") {
                agent = Some(id);
            } else if let Some(agent) = agent.as_ref().filter(|_| is_code(line)) {
                codes.entry(agent.clone()).or_insert_with(|| line.to_owned());
            }
        }
        codes
    }
}

fn is_code(line: &str) -> bool {
    line.len() == 6 && line.bytes().all(|b| b.is_ascii_digit())
}

/// The first word of a text that begins like this.
pub(crate) fn word(text: &str, prefix: &str) -> Option<String> {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.find(|word| word.starts_with(prefix)).map(str::to_owned)
}

/// A place where mails arrive.
pub(crate) trait Arrivals {
    /// Every mail, copies included, in the order of their arrival.
    fn mails(&self) -> Vec<Mail>;

    fn mails_to(&self, address: &str) -> Vec<Mail> {
        self.mails().into_iter().filter(|mail| mail.to == address).collect()
    }

    /// Waits for a mail to an address with a token of this kind; gives the last such token.
    #[track_caller]
    fn wait_for_token(&self, address: &str, prefix: &str) -> String {
        self.wait_for(address, &format!("a mail with {prefix}"), |mail| mail.token(prefix))
    }

    /// Waits for a mail with a code.
    #[track_caller]
    fn wait_for_code(&self, address: &str) -> String {
        self.wait_for(address, "a mail with a code", Mail::code)
    }

    /// Waits for a mail to an address in which something is found; gives the last that was.
    #[track_caller]
    fn wait_for<T>(&self, address: &str, what: &str, find: impl Fn(&Mail) -> Option<T>) -> T {
        let mut found = None;
        wait_until(&format!("{what} arrives"), ARRIVES, || {
            found = self.mails_to(address).iter().rev().find_map(&find);
            found.is_some()
        });
        found.unwrap()
    }

    /// Waits until each of the addresses has a mail.
    #[track_caller]
    fn wait_for_all(&self, addresses: &[String]) {
        wait_until("every mail arrives", ARRIVES, || {
            let reached: BTreeSet<String> = self.mails().into_iter().map(|mail| mail.to).collect();
            addresses.iter().all(|address| reached.contains(address))
        });
    }

    /// How many copies there are beyond the first of each mail.
    fn duplicates(&self) -> usize {
        let mails = self.mails();
        let ids: BTreeSet<&String> = mails.iter().map(|mail| &mail.id).collect();
        mails.len() - ids.len()
    }
}

/// The directory of the transport of that name.
#[derive(Debug)]
pub(crate) struct Mailbox(pub(super) PathBuf);

impl Arrivals for Mailbox {
    fn mails(&self) -> Vec<Mail> {
        let Ok(entries) = fs::read_dir(&self.0) else { return Vec::new() };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'));
        paths.sort();
        paths.iter().map(|path| Mail::parse(&fs::read_to_string(path).unwrap())).collect()
    }
}
