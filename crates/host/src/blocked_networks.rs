//! Networks that no guest may reach, whatever name led there: checked on the resolved address, so
//! that a public name which points to a private machine stays out. `private` stands for everything
//! that is not the public Internet. Besides Spin's own list it holds the ranges that carry an IPv4
//! address inside an IPv6 one (NAT64, 6to4, Teredo, mapped, compatible), which would lead around the list.
use ipnet::IpNet;
use std::net::IpAddr;
use std::str::FromStr;
use wasmtime::error::Context as _;
use wasmtime::{Error, Result};

/// What `private` stands for.
const PRIVATE: &[&str] = &[
    "0.0.0.0/8",       // this network (RFC 1122)
    "10.0.0.0/8",      // private (RFC 1918)
    "100.64.0.0/10",   // carrier-grade NAT (RFC 6598)
    "127.0.0.0/8",     // loopback
    "169.254.0.0/16",  // link-local, also cloud metadata services
    "172.16.0.0/12",   // private (RFC 1918)
    "192.0.0.0/24",    // protocol assignments (RFC 6890)
    "192.0.2.0/24",    // documentation
    "192.88.99.0/24",  // 6to4 relays (RFC 7526)
    "192.168.0.0/16",  // private (RFC 1918)
    "198.18.0.0/15",   // benchmarking (RFC 2544)
    "198.51.100.0/24", // documentation
    "203.0.113.0/24",  // documentation
    "224.0.0.0/4",     // multicast
    "240.0.0.0/4",     // reserved, and broadcast
    "::/96",           // unspecified, loopback, IPv4-compatible
    "64:ff9b::/96",    // NAT64 (RFC 6052)
    "64:ff9b:1::/48",  // local NAT64 (RFC 8215)
    "100::/64",        // discard (RFC 6666)
    "2001::/23",       // protocol assignments, Teredo among them
    "2001:db8::/32",   // documentation
    "2002::/16",       // 6to4
    "3fff::/20",       // documentation (RFC 9637)
    "5f00::/16",       // segment routing (RFC 9602)
    "fc00::/7",        // unique local
    "fe80::/10",       // link-local
    "fec0::/10",       // site-local, deprecated
    "ff00::/8",        // multicast
];

/// A set of networks. Empty by default, as in Spin.
#[derive(Clone, Debug, Default)]
pub struct BlockedNetworks(Vec<IpNet>);

impl BlockedNetworks {
    /// Whether this address must not be reached. An IPv4 address mapped into IPv6 counts as itself.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// These and others.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }
}

impl FromStr for BlockedNetworks {
    type Err = Error;

    /// Parses a comma-separated list of `private`, networks in CIDR form and single addresses.
    fn from_str(list: &str) -> Result<Self> {
        let mut networks = Vec::new();
        for entry in list.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            if entry == "private" {
                for network in PRIVATE {
                    networks.push(network.parse::<IpNet>()?);
                }
            } else if let Ok(address) = entry.parse::<IpAddr>() {
                networks.push(address.into());
            } else {
                let network = entry.parse::<IpNet>();
                networks
                    .push(network.with_context(|| format!("`{entry}` is neither `private` nor a network"))?);
            }
        }
        Ok(Self(networks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(list: &str, address: &str) -> bool {
        list.parse::<BlockedNetworks>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn private_is_everything_but_the_public_internet() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.1.1",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::a00:1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(blocks("private", address), "{address}");
        }
        for address in [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "192.169.0.1",
            "2606:4700::1111",
            "2a00::1",
            "::ffff:8.8.8.8",
        ] {
            assert!(!blocks("private", address), "{address}");
        }
    }

    #[test]
    fn networks_and_addresses_may_be_listed() {
        assert!(blocks("8.8.8.0/24, 2606:4700::/32", "8.8.8.8"));
        assert!(blocks("8.8.8.0/24, 2606:4700::/32", "::ffff:8.8.8.8"));
        assert!(blocks("8.8.8.8", "8.8.8.8"));
        assert!(!blocks("8.8.8.8", "8.8.8.9"));
        assert!(blocks("private,8.8.8.8", "10.0.0.1"));
        assert!(!blocks("", "127.0.0.1"));
        assert!("nonsense".parse::<BlockedNetworks>().is_err());
    }
}
