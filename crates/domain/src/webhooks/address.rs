//! Where a tenant may make this server send requests to: public addresses over https, and what the operator of this
//! server allows besides: requests of a server are a way into its network (server-side request forgery).
//!
//! Addresses that are written as numbers and names that mean this machine or its network are refused here, when a
//! URL is saved and again before each delivery. What a public name resolves to is checked by the runtime
//! (`runtime-config.toml`).

pub mod networks;
#[cfg(test)]
mod tests;

use common::Result;
use common::db::Db;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// IPv4 networks that are no part of the public Internet, or serve it without being a receiver: the special-purpose
/// registry of IANA, with multicast and the reserved rest. First address and prefix.
pub const BLOCKED_V4: &[([u8; 4], u8)] = &[
    ([0, 0, 0, 0], 8),       // this network (RFC 791)
    ([10, 0, 0, 0], 8),      // private (RFC 1918)
    ([100, 64, 0, 0], 10),   // carrier-grade NAT (RFC 6598)
    ([127, 0, 0, 0], 8),     // loopback
    ([169, 254, 0, 0], 16),  // link-local, metadata of clouds among them
    ([172, 16, 0, 0], 12),   // private (RFC 1918)
    ([192, 0, 0, 0], 24),    // protocol assignments (RFC 6890)
    ([192, 0, 2, 0], 24),    // documentation
    ([192, 31, 196, 0], 24), // AS112 (RFC 7535)
    ([192, 52, 193, 0], 24), // AMT relays (RFC 7450)
    ([192, 88, 99, 0], 24),  // 6to4 relays (RFC 7526)
    ([192, 168, 0, 0], 16),  // private (RFC 1918)
    ([192, 175, 48, 0], 24), // AS112 (RFC 7534)
    ([198, 18, 0, 0], 15),   // benchmarks (RFC 2544)
    ([198, 51, 100, 0], 24), // documentation
    ([203, 0, 113, 0], 24),  // documentation
    ([224, 0, 0, 0], 4),     // multicast
    ([240, 0, 0, 0], 4),     // reserved, and broadcast
];

/// IPv6 networks that are blocked: all but global unicast (2000::/3), and of that the special-purpose registry. So
/// every way to wrap an IPv4 address is refused: compatible, translated, NAT64 and 6to4 addresses, Teredo.
pub const BLOCKED_V6: &[([u16; 3], u8)] = &[
    ([0, 0, 0], 3), // unspecified, loopback, IPv4 in many forms, NAT64 (64:ff9b::), discard (100::)
    ([0x2001, 0, 0], 23), // protocol assignments: Teredo, ORCHID, benchmarks
    ([0x2001, 0x0db8, 0], 32), // documentation
    ([0x2002, 0, 0], 16), // 6to4 (RFC 3056)
    ([0x2620, 0x4f, 0x8000], 48), // AS112 (RFC 7534)
    ([0x3fff, 0, 0], 20), // documentation (RFC 9637)
    ([0x4000, 0, 0], 2), // unassigned; segment routing (5f00::/16)
    ([0x8000, 0, 0], 1), // unassigned; unique local, link-local, site-local, multicast
];

/// What ISATAP (RFC 5214) makes of an IPv4 address under any prefix: `::0:5efe:a.b.c.d`, `::200:5efe:a.b.c.d`.
const ISATAP: [[u16; 2]; 2] = [[0, 0x5efe], [0x0200, 0x5efe]];

/// Ends of names that mean this machine or the network it is in.
const INNER_DOMAINS: &[&str] =
    &["localhost", "internal", "local", "localdomain", "localdomain6", "home.arpa", "intranet", "lan"];

const NOT_HTTPS: &str = "must be an absolute https URL";
const INNER: &str = "must not point to a private or local address";

/// What a tenant's URLs may lead to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Guard {
    /// Whether this machine may be called too, and over http: for local use only.
    pub local: bool,
    /// Inner networks that the operator allows this tenant. See [`networks`].
    pub networks: Vec<IpNet>,
}

/// What a host is.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Public,
    /// In a network that the tenant was allowed.
    Allowed,
    /// This machine.
    Loopback,
    Inner,
}

impl Guard {
    /// For URLs of nobody's in particular: no inner network is allowed.
    pub fn new(local: bool) -> Self {
        Guard { local, networks: Vec::new() }
    }

    /// For a tenant, with the networks that it is allowed now. `local`: the variable `webhooks_local` or `sandbox`
    /// is on.
    pub fn of(db: &Db<'_>, tenant: &str, local: bool) -> Result<Self> {
        Ok(Guard { local, networks: networks::of(db, tenant)? })
    }

    /// Whether requests may go to this URL; else what is wrong with it, as the end of a sentence that begins with
    /// the field's name.
    pub fn check(&self, text: &str) -> Result<(), &'static str> {
        self.url(text).map(drop)
    }

    /// The URL to send a request to. What is contacted must be this one and not the text: other parsers read another
    /// host out of some texts.
    pub fn url(&self, text: &str) -> Result<Url, &'static str> {
        let url = Url::parse(text).map_err(|_| NOT_HTTPS)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold a user name or password");
        }
        if url.port() == Some(0) {
            return Err("must not name port 0");
        }
        let place = match url.host() {
            Some(Host::Domain(name)) => of_name(name),
            Some(Host::Ipv4(ip)) => self.of_address(ip.into()),
            Some(Host::Ipv6(ip)) => self.of_address(ip.into()),
            None => return Err("must name a host"),
        };
        match (url.scheme(), place) {
            ("https", Place::Public | Place::Allowed) => Ok(url),
            ("https", Place::Loopback) | ("http", Place::Loopback | Place::Allowed) if self.local => Ok(url),
            ("https", _) => Err(INNER),
            _ => Err(NOT_HTTPS),
        }
    }

    fn of_address(&self, ip: IpAddr) -> Place {
        // An IPv4 address that is mapped into IPv6 is called as itself.
        let ip = ip.to_canonical();
        if self.networks.iter().any(|network| network.contains(&ip)) {
            return Place::Allowed;
        }
        match is_public(ip) {
            true => Place::Public,
            false if ip.is_loopback() => Place::Loopback,
            false => Place::Inner,
        }
    }
}

/// A name as the URL's parser left it: in lower case, without percent-encoding, other letters' spellings undone.
fn of_name(name: &str) -> Place {
    let name = name.trim_end_matches('.');
    let is_below = |end: &str| name.strip_suffix(end).is_some_and(|rest| rest.ends_with('.'));
    if name == "localhost" {
        Place::Loopback
    } else if !name.contains('.') || name == "home.arpa" || INNER_DOMAINS.iter().any(|end| is_below(end)) {
        Place::Inner
    } else {
        Place::Public
    }
}

/// Whether an address belongs to the public Internet, in whatever form it is written.
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => !BLOCKED_V4.iter().any(|network| is_in_v4(ip, network)),
        IpAddr::V6(ip) => {
            let [.., a, b, _, _] = ip.segments();
            !ISATAP.contains(&[a, b]) && !BLOCKED_V6.iter().any(|network| is_in_v6(ip, network))
        }
    }
}

fn is_in_v4(ip: Ipv4Addr, (first, prefix): &([u8; 4], u8)) -> bool {
    // Equal in the first `prefix` bits.
    (ip.to_bits() ^ u32::from_be_bytes(*first)).leading_zeros() >= u32::from(*prefix)
}

fn is_in_v6(ip: Ipv6Addr, ([a, b, c], prefix): &([u16; 3], u8)) -> bool {
    let first = Ipv6Addr::new(*a, *b, *c, 0, 0, 0, 0, 0);
    (ip.to_bits() ^ first.to_bits()).leading_zeros() >= u32::from(*prefix)
}
