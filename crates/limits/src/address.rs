use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use ipnet::IpNet;

/// What a client address is counted as: an IPv4 address, or the /64 of an IPv6 one. An IPv4 address
/// written as IPv6 (`::ffff:192.0.2.1`) is the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressKey(IpAddr);

impl From<IpAddr> for AddressKey {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX))),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

impl fmt::Display for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => write!(f, "{v4}"),
            IpAddr::V6(v6) => write!(f, "{v6}/64"),
        }
    }
}

/// The proxies whose forwarding header is believed. None by default; loopback is not implied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Trusts these networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks.into_iter().map(canonical).collect())
    }

    /// Whether this peer is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client of a request: the peer, or, when the peer is trusted, the right-most hop of the
    /// `X-Forwarded-For` lines that is not. Read from the right, since what stands left of the first
    /// untrusted hop is that hop's own word. A hop met on the way that cannot be parsed leaves the
    /// peer: it is never skipped over.
    pub fn client<'h>(&self, peer: IpAddr, lines: impl Iterator<Item = &'h [u8]>) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.contains(peer) {
            return peer;
        }
        let lines: Vec<&[u8]> = lines.collect();
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b',')) {
            let hop = std::str::from_utf8(hop).ok().and_then(|hop| parse_hop(hop.trim()));
            match hop {
                Some(hop) if self.contains(hop) => {}
                Some(hop) => return hop,
                None => return peer,
            }
        }
        peer
    }
}

/// The IPv4 network that a network of mapped addresses (`::ffff:192.0.2.0/120`) stands for.
fn canonical(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(v6) => v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    mapped.and_then(|(v4, prefix)| IpNet::new(v4.into(), prefix).ok()).unwrap_or(network)
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:4711`.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse::<IpAddr>().ok();
    let address = address.or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn client(trusted: &[&str], peer: &str, lines: &[&str]) -> IpAddr {
        let networks = trusted.iter().map(|network| network.parse().unwrap()).collect();
        TrustedProxies::new(networks).client(ip(peer), lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn l5_ipv6_is_counted_by_64_and_mapped_ipv4_as_ipv4() {
        let key = |text: &str| AddressKey::from(ip(text)).to_string();
        assert_eq!(key("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(key("2001:0DB8:0001:0002::"), "2001:db8:1:2::/64");
        assert_ne!(key("2001:db8:1:3::1"), key("2001:db8:1:2::1"));
        assert_eq!(key("::ffff:192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn l3_a_header_of_an_untrusted_peer_says_nothing() {
        assert_eq!(client(&[], "127.0.0.1", &["192.0.2.9"]), ip("127.0.0.1"));
        assert_eq!(client(&["10.0.0.0/8"], "192.0.2.1", &["192.0.2.9"]), ip("192.0.2.1"));
    }

    #[test]
    fn l4_behind_a_trusted_proxy_the_right_most_untrusted_hop_counts() {
        let trusted = ["127.0.0.1/32", "10.0.0.0/8"];
        let seen = |lines: &[&str]| client(&trusted, "127.0.0.1", lines);
        assert_eq!(seen(&["192.0.2.9"]), ip("192.0.2.9"));
        assert_eq!(seen(&["198.51.100.1, 192.0.2.9, 10.1.1.1"]), ip("192.0.2.9"));
        assert_eq!(seen(&["198.51.100.1", "192.0.2.9:4711"]), ip("192.0.2.9"));
        assert_eq!(seen(&["[2001:db8::1]:443"]), ip("2001:db8::1"));
        assert_eq!(seen(&["2001:db8::1"]), ip("2001:db8::1"));
        assert_eq!(client(&trusted, "::ffff:127.0.0.1", &["192.0.2.9"]), ip("192.0.2.9"));
        for unbelievable in ["a", "", "192.0.2.9, a", "192.0.2.9,", "unknown", "192.0.2.999"] {
            assert_eq!(seen(&[unbelievable]), ip("127.0.0.1"), "{unbelievable}");
        }
        for own_word in ["a, 192.0.2.9", ", 192.0.2.9", "\u{e9}, 192.0.2.9, 10.1.1.1"] {
            assert_eq!(seen(&[own_word]), ip("192.0.2.9"), "{own_word}");
        }
        assert_eq!(seen(&["a", "192.0.2.9"]), ip("192.0.2.9"));
        let mapped = client(&["::ffff:127.0.0.0/104"], "127.0.0.1", &["192.0.2.9"]);
        assert_eq!(mapped, ip("192.0.2.9"));
        assert_eq!(seen(&["10.1.1.1"]), ip("127.0.0.1"), "nothing but proxies leaves the peer");
        assert_eq!(seen(&[]), ip("127.0.0.1"));
    }

    proptest! {
        #[test]
        fn any_header_gives_some_client(line in any::<Vec<u8>>()) {
            let trusted = TrustedProxies::new(vec!["127.0.0.0/8".parse().unwrap()]);
            trusted.client(ip("127.0.0.1"), std::iter::once(line.as_slice()));
        }
    }
}
