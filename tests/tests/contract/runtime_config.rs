//! `runtime-config.toml`, read as Spin 4 reads it: `private` is what the crate `ip_network` does not call global, an
//! entry that is private as a whole is dropped beside it, and IPv4 addresses inside IPv6 ones count as themselves.

use domain::webhooks::address::{BLOCKED_V4, BLOCKED_V6};
use ip_network::IpNetwork;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

struct Blocked {
    private: bool,
    networks: Vec<IpNetwork>,
}

impl Blocked {
    fn shipped() -> Self {
        let text = std::fs::read_to_string(tests::process::repository().join("runtime-config.toml")).unwrap();
        let file: toml::Table = toml::from_str(&text).unwrap();
        let entries = file["outbound_networking"]["block_networks"].as_array().unwrap();
        let (private, networks): (Vec<&str>, Vec<&str>) =
            entries.iter().map(|entry| entry.as_str().unwrap()).partition(|entry| *entry == "private");
        // Spin cuts what stands behind the prefix; nothing here should need it.
        let networks: Vec<IpNetwork> = networks.iter().map(|entry| entry.parse().unwrap()).collect();
        let mut networks = IpNetwork::collapse_addresses(&networks);
        networks.retain(|network| private.is_empty() || network.is_global());
        Blocked { private: !private.is_empty(), networks }
    }

    fn has(&self, ip: IpAddr) -> bool {
        (self.private && !IpNetwork::from(ip).is_global())
            || self.networks.iter().any(|network| network.contains(ip))
            || matches!(ip, IpAddr::V6(ip) if ip.to_ipv4().is_some_and(|ip| self.has(ip.into())))
    }
}

#[test]
fn the_shipped_guard_blocks_all_that_the_application_refuses() {
    let blocked = Blocked::shipped();
    let check = |ip: IpAddr| assert!(blocked.has(ip), "{ip} is not blocked");
    for (first, prefix) in BLOCKED_V4 {
        let (first, below) = (u32::from_be_bytes(*first), u32::MAX >> prefix);
        for part in [0, below / 7, below / 3, below / 2, below] {
            check(Ipv4Addr::from_bits(first | (below & part)).into());
        }
        // Single addresses that somebody takes for public.
        (0..=below.min(0xff)).for_each(|at| check(Ipv4Addr::from_bits(first | at).into()));
    }
    for ([a, b, c], prefix) in BLOCKED_V6 {
        let (first, below) = (Ipv6Addr::new(*a, *b, *c, 0, 0, 0, 0, 0).to_bits(), u128::MAX >> prefix);
        for part in [0, 1, below / 7, below / 3, below / 2, below] {
            check(Ipv6Addr::from_bits(first | (below & part)).into());
        }
    }
    for special in
        ["::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "fd00:ec2::254", "fe80::1", "ff0e::1", "100::1", "5f00::1"]
    {
        check(special.parse().unwrap());
    }
}

#[test]
fn the_shipped_guard_leaves_the_public_internet_open() {
    let blocked = Blocked::shipped();
    for public in ["8.8.8.8", "1.1.1.1", "100.128.0.1", "172.32.0.1", "223.255.255.255", "192.0.1.1"] {
        assert!(!blocked.has(public.parse().unwrap()), "{public}");
    }
    for public in ["2000::1", "2606:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888", "3ffe::1"] {
        assert!(!blocked.has(public.parse().unwrap()), "{public}");
    }
}
