//! Secrets that were met, and the search for them.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

use crate::harness::{Account, Tokens};

/// So many codes do not all stand in ids by chance.
pub(super) const MANY: usize = 3;

/// Texts that must not appear anywhere, in the forms in which they might.
#[derive(Default)]
pub(super) struct Secrets {
    texts: Vec<String>,
    codes: Vec<[String; MANY]>,
}

impl Secrets {
    /// The letters and digits of a secret stay as they are when it is escaped or percent-encoded.
    pub(super) fn add(&mut self, secret: &str) {
        let words = secret.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
        self.texts.extend(words.filter(|word| word.len() >= 16).map(str::to_owned));
        self.texts.push(secret.to_owned());
        self.add_base64(secret);
        self.texts.push(secret.bytes().map(|byte| format!("{byte:02x}")).collect());
    }

    /// A secret that goes over the wire together with an id, which is none.
    pub(super) fn add_basic(&mut self, id: &str, secret: &str) {
        self.add(secret);
        self.add_base64(&format!("{id}:{secret}"));
        self.add_base64(&format!("{id}:{secret}").replace('_', "%5F"));
    }

    /// Whole groups only: how the rest is written hangs on what follows.
    fn add_base64(&mut self, text: &str) {
        let whole = text.len() / 3 * 3;
        self.texts.push(STANDARD_NO_PAD.encode(&text.as_bytes()[..whole]));
    }

    /// Codes of one kind: six digits each, which are looked for where they are no part of a longer
    /// number or of a time.
    pub(super) fn add_codes(&mut self, codes: impl IntoIterator<Item = String>) {
        let codes: Vec<String> = codes.into_iter().collect();
        assert!(codes.iter().all(|code| code.len() == 6));
        self.codes.push(codes.try_into().expect("so many codes"));
    }

    pub(super) fn add_account(&mut self, account: &Account) {
        self.add(&account.password);
    }

    pub(super) fn add_tokens(&mut self, tokens: &Tokens) {
        self.add(&tokens.refresh);
        self.add_jwt(&tokens.access);
    }

    pub(super) fn add_jwt(&mut self, token: &str) {
        self.add(token.rsplit('.').next().unwrap());
        self.add(token);
    }

    #[track_caller]
    pub(super) fn assert_absent(&self, place: &str, text: &[u8]) {
        if let Some(secret) = self.find(text) {
            panic!("{secret} is in {place}");
        }
    }

    /// The header of a token is the same for all, and no secret.
    fn find(&self, text: &[u8]) -> Option<&String> {
        let text = String::from_utf8_lossy(text);
        let is_header = |secret: &str| secret.starts_with("eyJ") && !secret.contains('.');
        let mut secrets = self.texts.iter().filter(|text| text.len() >= 16 && !is_header(text));
        let found = secrets.find(|secret| text.contains(secret.as_str()));
        found.or_else(|| self.find_code(&text))
    }

    /// Beside letters, six digits may be a part of an id by chance. All codes of a kind are not.
    fn find_code(&self, text: &str) -> Option<&String> {
        let alone = |c: char| !c.is_ascii_alphanumeric();
        let beside_letters = |c: char| !c.is_ascii_digit();
        let of_kind =
            |codes: &[String; MANY]| codes.iter().all(|code| is_told(code, text, beside_letters));
        let all = self.codes.iter().find(|codes| of_kind(codes)).map(|codes| &codes[0]);
        all.or_else(|| self.codes.iter().flatten().find(|code| is_told(code, text, alone)))
    }
}

/// Whether a code stands somewhere between neighbours of this kind.
fn is_told(code: &str, text: &str, is_neighbour: impl Fn(char) -> bool) -> bool {
    text.match_indices(code).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + code.len()..]);
        let stands = before.chars().next_back().is_none_or(&is_neighbour)
            && after.chars().next().is_none_or(&is_neighbour);
        // Fractions of a second, and microseconds of an answer.
        let is_time = before.ends_with('.') || before.ends_with("\"duration_us\":");
        stands && !is_time
    })
}

#[test]
fn secrets_are_found_in_every_form() {
    let mut secrets = Secrets::default();
    secrets.add("a password 0123456789abcdef%");
    for text in ["x a+password+0123456789abcdef%25 x", "YSBwYXNzd29yZCAwMTIzNDU2Nzg5YWJjZGVm"] {
        assert!(secrets.find(text.as_bytes()).is_some(), "{text}");
    }
    assert_eq!(secrets.find(b"a password 0123456789abcde"), None);
    secrets.add_codes(["508142", "918273", "645546"].map(str::to_owned));
    assert!(secrets.find(b"{\"code\":\"508142\"}").is_some());
    assert_eq!(secrets.find(b"at 5081421 of 1508142, 21:57:27.508142Z"), None);
    assert_eq!(secrets.find(b"agt_0ab508142f agt_918273abc"), None);
    assert!(secrets.find(b"agt_0ab508142f agt_918273abc cla_645546").is_some());
    secrets.add_basic("agt_0", "sk_0123456789abcdef");
    for text in ["Basic YWd0XzA6c2tfMDEyMzQ1Njc4OWFiY2RlZg==", "Basic YWd0JTVGMDpzayU1RjAxMjM0"] {
        assert!(secrets.find(format!("{text}NTY3ODlhYmNkZWY=").as_bytes()).is_some(), "{text}");
    }
}
