use std::net::IpAddr;

use ipnet::IpNet;
use portcullis_kernel::{
    AgentId, ApiKeyId, Entropy, EntropyError, ExposeSecret, Instant, Scopes, SecretString,
    TokenDigest, opaque,
};

/// How many characters after its prefix are kept of a key, for its owner to know it by.
const HINT_CHARS: usize = 4;
/// The longest name, in characters.
const NAME_CHARS: usize = 100;
/// The most networks of one key.
const MOST_NETWORKS: usize = 20;

/// What API keys begin with, such as `sk_`: it tells a person, and a scanner of published code, what they
/// have found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPrefix(String);

impl Default for KeyPrefix {
    /// `sk_`
    fn default() -> Self {
        Self("sk_".to_owned())
    }
}

/// A text that cannot be a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 2 to 16 lower-case letters, digits or underscores, with an underscore at the end")]
pub struct InvalidPrefix;

impl KeyPrefix {
    /// Reads a prefix.
    ///
    /// # Errors
    /// [`InvalidPrefix`].
    pub fn parse(raw: &str) -> Result<Self, InvalidPrefix> {
        if opaque::is_prefix(raw) { Ok(Self(raw.to_owned())) } else { Err(InvalidPrefix) }
    }

    /// The prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The secret of an API key on its way out, or as somebody presented it.
#[derive(Clone, Debug)]
pub struct PlainApiKey(SecretString);

impl PlainApiKey {
    /// A new secret of 256 random bits.
    ///
    /// # Errors
    /// When there is no entropy.
    pub fn generate(prefix: &KeyPrefix, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        opaque::generate(prefix.as_str(), entropy).map(Self)
    }

    /// Reads a presented secret, which may begin with any prefix: keys outlive a change of the setting.
    /// `None` for any other shape or a wrong checksum: such a one was never issued.
    pub fn parse(presented: SecretString) -> Option<Self> {
        opaque::prefix_of(&presented).is_some().then_some(Self(presented))
    }

    /// The form in which it is stored.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.0.expose_secret())
    }

    /// Its prefix and four more characters, for its owner to know it by.
    pub fn hint(&self) -> String {
        let text = self.0.expose_secret();
        let prefix = text.rfind('_').map_or(0, |at| at + 1);
        text.chars().take(prefix + HINT_CHARS).collect()
    }

    /// The secret itself, to be shown once.
    pub fn into_secret(self) -> SecretString {
        self.0
    }
}

/// What its owner calls a key: 1 to 100 characters, trimmed, no controls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName(String);

/// A text that is no key's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 100 characters, without control characters")]
pub struct InvalidKeyName;

impl KeyName {
    /// Reads a name; space around it is dropped.
    ///
    /// # Errors
    /// [`InvalidKeyName`].
    pub fn parse(raw: &str) -> Result<Self, InvalidKeyName> {
        let name = raw.trim();
        let fits = (1..=NAME_CHARS).contains(&name.chars().count());
        let plain = !name.chars().any(|c| c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c));
        if fits && plain { Ok(Self(name.to_owned())) } else { Err(InvalidKeyName) }
    }

    /// A name read back from storage, where only parsed ones are put.
    pub fn from_stored(name: String) -> Self {
        Self(name)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The networks that a key may be used from; any when it names none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedNetworks(Vec<IpNet>);

/// A list that names no networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 20 networks such as \"192.0.2.0/24\" or \"2001:db8::/48\"")]
pub struct InvalidNetworks;

impl AllowedNetworks {
    /// Reads networks; a bare address is the network of that one address.
    ///
    /// # Errors
    /// [`InvalidNetworks`], also for an empty list: a key that works nowhere is none.
    pub fn parse(raw: &[String]) -> Result<Self, InvalidNetworks> {
        if raw.is_empty() || raw.len() > MOST_NETWORKS {
            return Err(InvalidNetworks);
        }
        let networks: Option<Vec<IpNet>> = raw.iter().map(|text| network(text)).collect();
        networks.map(Self).ok_or(InvalidNetworks)
    }

    /// Networks read back from storage, where only parsed ones are put.
    pub fn from_stored(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// The networks.
    pub fn as_slice(&self) -> &[IpNet] {
        &self.0
    }

    /// Whether a client at this address may use the key. An unknown address is in no network.
    pub fn admits(&self, client: Option<IpAddr>) -> bool {
        let within = |ip: IpAddr| self.0.iter().any(|network| network.contains(&ip.to_canonical()));
        self.0.is_empty() || client.is_some_and(within)
    }
}

fn network(text: &str) -> Option<IpNet> {
    let network = text.parse::<IpNet>().ok();
    let network = network.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    Some(match network {
        IpNet::V6(v6) => match (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(96)) {
            (Some(v4), Some(prefix)) => IpNet::new(v4.into(), prefix).ok()?.trunc(),
            // Wider than all of IPv4 in its mapped form: no client is counted as one of these.
            (Some(_), None) => return None,
            (None, _) => network.trunc(),
        },
        IpNet::V4(_) => network.trunc(),
    })
}

/// An API key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Whose it is.
    pub agent: AgentId,
    /// What its owner calls it.
    pub name: KeyName,
    /// What its secret begins with.
    pub hint: String,
    /// The digest of its secret.
    pub digest: TokenDigest,
    /// What it may be used for. Never widened.
    pub scopes: Scopes,
    /// From where it may be used.
    pub networks: AllowedNetworks,
    /// How many requests a minute it may make; any number when `None`.
    pub rate_limit: Option<u32>,
    /// When it was made.
    pub created_at: Instant,
    /// From when on it is dead; also the end of the overlap once it was rotated.
    pub expires_at: Option<Instant>,
    /// When it was last used, to within some seconds.
    pub last_used_at: Option<Instant>,
    /// When it was revoked.
    pub revoked_at: Option<Instant>,
    /// The key that took its place.
    pub replaced_by: Option<ApiKeyId>,
}

impl ApiKey {
    /// What its secret begins with, before anything random.
    pub fn prefix(&self) -> Option<KeyPrefix> {
        let prefix = self.hint.get(..self.hint.rfind('_')? + 1)?;
        KeyPrefix::parse(prefix).ok()
    }

    /// Whether it works.
    pub fn is_live(&self, now: Instant) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Sevens;
    impl Entropy for Sevens {
        fn fill(&self, dest: &mut [u8]) -> Result<(), EntropyError> {
            dest.fill(7);
            Ok(())
        }
    }

    fn networks(raw: &[&str]) -> Result<AllowedNetworks, InvalidNetworks> {
        AllowedNetworks::parse(&raw.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn k2_a_key_is_read_whatever_its_prefix_and_no_other_text_is() {
        for prefix in ["sk_", "vj_live_", "a_"] {
            let key = PlainApiKey::generate(&KeyPrefix::parse(prefix).unwrap(), &Sevens).unwrap();
            assert_eq!(key.hint(), format!("{prefix}7777"));
            assert!(!format!("{key:?}").contains("777"));
            let text = key.into_secret().expose_secret().to_owned();
            assert!(PlainApiKey::parse(text.as_str().into()).is_some());
            for wrong in [
                &text.chars().skip(1).collect::<String>(),
                &text.chars().take(text.len() - 1).collect::<String>(),
                &format!("{text}x"),
                &text.to_uppercase(),
            ] {
                assert!(PlainApiKey::parse(wrong.as_str().into()).is_none(), "{wrong}");
            }
        }
        for prefix in ["", "_", "sk", "Sk_", "sk-", "s k_", "seventeen_letters_"] {
            assert!(KeyPrefix::parse(prefix).is_err(), "{prefix}");
        }
    }

    #[test]
    fn a_key_works_in_its_networks_only() {
        let ip = |text: &str| Some(text.parse().unwrap());
        let two = networks(&["192.0.2.0/24", "2001:db8::/48"]).unwrap();
        assert!(two.admits(ip("192.0.2.9")) && two.admits(ip("::ffff:192.0.2.9")));
        assert!(two.admits(ip("2001:db8:0:1::1")));
        assert!(!two.admits(ip("192.0.3.1")) && !two.admits(None));
        assert!(AllowedNetworks::default().admits(None));
        assert!(networks(&["::ffff:192.0.2.0/120"]).unwrap().admits(ip("192.0.2.1")));
        assert!(networks(&["192.0.2.7"]).unwrap().admits(ip("192.0.2.7")));
        assert_eq!(networks(&["192.0.2.7/24"]).unwrap().as_slice()[0].to_string(), "192.0.2.0/24");
        for wrong in [&[][..], &["x"], &["::ffff:0:0/90"], &["192.0.2.0/33"], &["1.1.1.1"; 21]] {
            assert_eq!(networks(wrong), Err(InvalidNetworks));
        }
    }

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(KeyName::parse(" ci ").unwrap().as_str(), "ci");
        assert!(KeyName::parse(&"é".repeat(100)).is_ok());
        for wrong in ["", "  ", "a\nb", "a\u{202e}b", &"x".repeat(101)] {
            assert_eq!(KeyName::parse(wrong), Err(InvalidKeyName), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_presented_is_judged(raw in any::<String>()) {
            prop_assert!(PlainApiKey::parse(raw.as_str().into()).is_none());
            let _ = networks(&[&raw]);
            let _ = KeyPrefix::parse(&raw);
        }
    }
}
