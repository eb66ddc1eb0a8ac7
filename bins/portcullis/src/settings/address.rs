//! Addresses: the origin that clients see, networks of proxies, and domains of e-mail addresses.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use portcullis_identity::{EmailAddress, EmailRules};
use url::{Host, Url};

use super::text::text_setting;

/// The origin under which clients reach the server: scheme, host, port, and nothing after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicUrl {
    url: Url,
    text: String,
}

impl PublicUrl {
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The host alone, without brackets and port.
    pub(crate) fn host(&self) -> String {
        match self.url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            None => String::new(),
        }
    }

    pub(crate) fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        let shape = "must be an origin such as https://auth.example.com";
        let url = Url::parse(raw).map_err(|_| shape.to_owned())?;
        if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
            return Err(shape.to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format!("{shape}, without a login in it"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(format!("{shape}, without a path or query after it"));
        }
        let text = url.origin().ascii_serialization();
        Ok(Self { url, text })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

text_setting!(PublicUrl);

/// A network, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network(pub(crate) IpNet);

impl FromStr for Network {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        let one = raw.parse::<IpAddr>().map(|ip| IpNet::from(ip.to_canonical()));
        let network = raw.parse::<IpNet>().or(one);
        network.map(|network| Self(network.trunc())).map_err(|_| {
            format!("must be addresses or networks such as 192.0.2.1 or 10.0.0.0/8, not {raw:?}")
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A domain of e-mail addresses, in ASCII and lower case, by the rules of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Domain(pub(crate) String);

impl FromStr for Domain {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        let address = EmailAddress::parse(&format!("a@{raw}"), EmailRules::default());
        address
            .map(|address| Self(address.domain().to_owned()))
            .map_err(|_| format!("must be domains such as example.com, not {raw:?}"))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_the_one_that_an_address_has() {
        let text = |raw: &str| raw.parse::<Domain>().map(|domain| domain.to_string());
        assert_eq!(text("Example.COM"), Ok("example.com".into()));
        assert_eq!(text("bücher.example"), Ok("xn--bcher-kva.example".into()));
        for raw in ["", "example", "@example.com", "jane@example.com", "*.example.com", "10.0.0.1"]
        {
            assert!(text(raw).unwrap_err().contains("domains such as"), "{raw}");
        }
    }

    #[test]
    fn a_public_url_is_an_origin_in_one_spelling() {
        let text = |raw: &str| raw.parse::<PublicUrl>().map(|url| url.to_string());
        assert_eq!(text("https://auth.example.com"), Ok("https://auth.example.com".into()));
        assert_eq!(text("https://AUTH.example.com:443/"), Ok("https://auth.example.com".into()));
        assert_eq!(text("http://127.0.0.1:8080/"), Ok("http://127.0.0.1:8080".into()));
        assert_eq!(text("http://[::1]:8080"), Ok("http://[::1]:8080".into()));
        for raw in [
            "",
            "auth.example.com",
            "ftp://auth.example.com",
            "https://",
            "https://auth.example.com/auth",
            "https://auth.example.com/?a=b",
            "https://auth.example.com/#a",
            "https://jane:secret@auth.example.com",
        ] {
            let error = text(raw).unwrap_err();
            assert!(error.contains("an origin such as") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn loopback_is_told_from_what_only_looks_like_it() {
        let loopback = |raw: &str| raw.parse::<PublicUrl>().unwrap().is_loopback();
        assert!(loopback("http://localhost:8080") && loopback("http://127.1.2.3"));
        assert!(loopback("http://[::1]") && loopback("https://auth.localhost"));
        assert!(!loopback("https://localhost.example.com") && !loopback("http://0.0.0.0:8080"));
    }

    #[test]
    fn a_network_may_be_one_address() {
        let text = |raw: &str| raw.parse::<Network>().map(|network| network.to_string());
        assert_eq!(text("192.0.2.1"), Ok("192.0.2.1/32".into()));
        assert_eq!(text("10.1.2.3/8"), Ok("10.0.0.0/8".into()));
        assert_eq!(text("2001:db8::1"), Ok("2001:db8::1/128".into()));
        assert!(text("proxy.example.com").is_err());
    }
}
