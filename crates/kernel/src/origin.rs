use std::net::{IpAddr, Ipv6Addr};

/// How many characters of a `User-Agent` are kept.
const USER_AGENT_CHARS: usize = 256;

/// Where a request came from: what audit events and sessions remember of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The request id that is in every log line and in the answer.
    pub request_id: Option<String>,
    /// The client's address, after the rules for trusted proxies.
    pub client: Option<IpAddr>,
    user_agent: Option<String>,
}

impl Origin {
    /// An origin for work that no request asked for, such as a command line.
    pub fn local() -> Self {
        Self::default()
    }

    /// An origin of a network request.
    pub fn new(request_id: impl Into<String>, client: IpAddr, user_agent: Option<&str>) -> Self {
        Self {
            request_id: Some(request_id.into()),
            client: Some(client),
            user_agent: user_agent.and_then(printable),
        }
    }

    /// The same request, without the client's address.
    #[must_use]
    pub fn without_client(&self) -> Self {
        Self { client: None, ..self.clone() }
    }

    /// The network of the client, coarse enough to be written in a mail: the /24 of an IPv4 address,
    /// the /48 of an IPv6 one.
    pub fn network(&self) -> Option<String> {
        self.client.map(network_of)
    }

    /// The subnet of the client: its /24 or /64.
    pub fn subnet(&self) -> Option<String> {
        self.client.map(subnet_of)
    }

    /// The client's description of itself: at most 256 characters, none of them a control.
    pub fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }
}

/// The network that an address is in: its /24 when it is IPv4, its /48 when it is IPv6.
pub fn network_of(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

/// The subnet that an address is in, as small as one party usually has: its /24 when it is IPv4, its
/// /64 when it is IPv6.
pub fn subnet_of(address: IpAddr) -> String {
    match address.to_canonical() {
        v4 @ IpAddr::V4(_) => network_of(v4),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

fn printable(raw: &str) -> Option<String> {
    let kept: String = raw.chars().filter(|c| !c.is_control()).take(USER_AGENT_CHARS).collect();
    let kept = kept.trim();
    (!kept.is_empty()).then(|| kept.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_names_no_single_client() {
        let network = |raw: &str| network_of(raw.parse().unwrap());
        assert_eq!(network("203.0.113.77"), "203.0.113.0/24");
        assert_eq!(network("::ffff:203.0.113.77"), "203.0.113.0/24");
        assert_eq!(network("2001:db8:1:2:3::4"), "2001:db8:1::/48");
        assert_eq!(Origin::local().network(), None);
        assert_eq!(subnet_of("203.0.113.77".parse().unwrap()), "203.0.113.0/24");
        assert_eq!(subnet_of("2001:db8:1:2:3::4".parse().unwrap()), "2001:db8:1:2::/64");
    }

    #[test]
    fn a_user_agent_is_cut_and_stripped_of_controls() {
        let client = IpAddr::from([127, 0, 0, 1]);
        let origin = Origin::new("r", client, Some("curl\u{1b}[31m/8\r\n"));
        assert_eq!(origin.user_agent(), Some("curl[31m/8"));
        let long = Origin::new("r", client, Some(&"x".repeat(5000)));
        assert_eq!(long.user_agent().map(str::len), Some(256));
        assert_eq!(Origin::new("r", client, Some(" \n")).user_agent(), None);
    }
}
