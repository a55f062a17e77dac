use super::*;

/// Spellings of places that no tenant may reach, with or without `https://`.
const BAD: &[&str] = &[
    // Not https, or no URL.
    "",
    "nope",
    "example.com/hook",
    "//example.com/hook",
    "http://example.com/",
    "http://127.0.0.1:9/",
    "http://10.0.0.1/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "javascript:alert(1)",
    "https://",
    "https:///",
    // Somebody's name in front.
    "https://a:b@example.com/",
    "https://a@example.com/",
    "https://:b@example.com/",
    "https://example.com:443@127.0.0.1/",
    // No port.
    "https://example.com:0/",
    "https://example.com:65536/",
    // This machine.
    "https://127.0.0.1/",
    "https://127.0.0.1./",
    "https://127.255.255.254/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0X7F.0.0.1/",
    "https://0x7f.0x0.0x0.0x1/",
    "https://127.0.0.1%2e/",
    "https://%31%32%37.0.0.1/",
    "https://１２７．０．０．１/",
    "https://127。0。0。1/",
    "https://①②⑦.0.0.1/",
    "https://127.0.0\t.1/",
    "https:\\\\127.0.0.1\\",
    "https:127.0.0.1",
    "https://////127.0.0.1/",
    " https://127.0.0.1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://0.1.2.3/",
    "https://[::]/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[0000:0000:0000:0000:0000:0000:0000:0001]/",
    // Other networks.
    "https://10.0.0.1/",
    "https://10.1/",
    "https://167772161/",
    "https://100.64.0.1/",
    "https://100.127.255.255/",
    "https://169.254.169.254/",
    "https://0xa9fea9fe/",
    "https://2852039166/",
    "https://0251.0376.0251.0376/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.0.0.8/",
    "https://192.0.0.9/",
    "https://192.0.2.1/",
    "https://192.31.196.1/",
    "https://192.52.193.1/",
    "https://192.88.99.1/",
    "https://192.168.0.1/",
    "https://192.175.48.1/",
    "https://198.18.0.1/",
    "https://198.19.255.255/",
    "https://198.51.100.1/",
    "https://203.0.113.1/",
    "https://224.0.0.1/",
    "https://239.255.255.255/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    // An IPv4 address inside an IPv6 one.
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[0:0:0:0:0:FFFF:A9FE:A9FE]/",
    "https://[::127.0.0.1]/",
    "https://[::8.8.8.8]/",
    "https://[::ffff:0:127.0.0.1]/",
    "https://[64:ff9b::127.0.0.1]/",
    "https://[64:ff9b::8.8.8.8]/",
    "https://[64:ff9b:1::10.0.0.1]/",
    "https://[2002:7f00:1::]/",
    "https://[2002:a00:1::1]/",
    "https://[2001::1]/",
    "https://[2001:0:53aa:64c:0:7bff:f5ff:fffe]/",
    "https://[2606:4700::5efe:10.0.0.1]/",
    "https://[2606:4700::200:5efe:127.0.0.1]/",
    "https://[fe80::5efe:192.168.0.1]/",
    // Special networks of IPv6.
    "https://[100::1]/",
    "https://[100:0:0:1::1]/",
    "https://[2001:2::1]/",
    "https://[2001:10::1]/",
    "https://[2001:20::1]/",
    "https://[2001:30::1]/",
    "https://[2001:1ff:ffff::1]/",
    "https://[2001:db8::1]/",
    "https://[2620:4f:8000::1]/",
    "https://[3fff::1]/",
    "https://[3fff:fff::1]/",
    "https://[4000::1]/",
    "https://[5f00::1]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[febf::1]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[ff0e::1]/",
    "https://[fe80::1%25eth0]/",
    // Names.
    "https://localhost/",
    "https://localhost:8443/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://localhost../",
    "https://ｌｏｃａｌｈｏｓｔ/",
    "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "https://local\u{ad}host/",
    "https://%6c%6f%63%61%6c%68%6f%73%74/",
    "https://api.localhost/",
    "https://API.Localhost./",
    "https://scheduler.spin.internal/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://metadata.google.internal./",
    "https://metadata。google。internal/",
    "https://metadata.google.%69nternal/",
    "https://printer.local/",
    "https://PRINTER.LOCAL./",
    "https://printer.ｌｏｃａｌ/",
    "https://router.home.arpa/",
    "https://home.arpa/",
    "https://localhost.localdomain/",
    "https://nas.lan/",
    "https://wiki.intranet/",
    "https://intranet/",
    "https://kubernetes/",
    "https://com./",
    "https://./",
];

/// URLs that a tenant may have, and the host that is contacted.
const GOOD: &[(&str, &str)] = &[
    ("https://example.com/hook", "example.com"),
    ("HTTPS://EXAMPLE.com/hook?token=a@b#c", "example.com"),
    ("https://example.com./hook", "example.com."),
    ("https://example.com:8443/", "example.com"),
    ("https://hooks.internal.example.com/", "hooks.internal.example.com"),
    ("https://notlocalhost.com/", "notlocalhost.com"),
    ("https://mylocal.example/", "mylocal.example"),
    ("https://localhost.example.com/", "localhost.example.com"),
    ("https://żółw.pl/haki", "xn--w-uga1v8h.pl"),
    ("https://ｅｘａｍｐｌｅ．ｃｏｍ/", "example.com"),
    ("https://ex%61mple.com/", "example.com"),
    ("https://8.8.8.8/", "8.8.8.8"),
    ("https://134744072/", "8.8.8.8"),
    ("https://100.63.255.255/", "100.63.255.255"),
    ("https://172.32.0.1/", "172.32.0.1"),
    ("https://192.0.1.1/", "192.0.1.1"),
    ("https://198.20.0.1/", "198.20.0.1"),
    ("https://223.255.255.255/", "223.255.255.255"),
    ("https://[::ffff:8.8.8.8]/", "[::ffff:808:808]"),
    ("https://[2606:4700::1111]/", "[2606:4700::1111]"),
    ("https://[2001:200::1]/", "[2001:200::1]"),
    ("https://[2a00:1450:4001::5efe]/", "[2a00:1450:4001::5efe]"),
    ("https://example.com\\@127.0.0.1/", "example.com"),
    ("https://example.com#@127.0.0.1/", "example.com"),
    ("https://exam\tple.com/", "example.com"),
];

#[test]
fn events_go_to_public_places_only_however_the_others_are_spelled() {
    for bad in BAD {
        assert!(Guard::new(false).check(bad).is_err(), "{bad:?}");
    }
    for (good, host) in GOOD {
        let url = Guard::new(false).url(good);
        assert_eq!(url.as_ref().map(|url| url.host_str().unwrap()), Ok(*host), "{good:?}");
    }
}

#[test]
fn rules_are_named() {
    let rule = |text: &str| Guard::new(false).check(text).unwrap_err();
    assert_eq!(rule("nope"), NOT_HTTPS);
    assert_eq!(rule("http://example.com/"), NOT_HTTPS);
    assert_eq!(rule("https://a:b@example.com/"), "must not hold a user name or password");
    assert_eq!(rule("https://example.com:0/"), "must not name port 0");
    assert_eq!(rule("https://10.0.0.1/"), INNER);
    assert_eq!(rule("data:text/plain,x"), "must name a host");
}

#[test]
fn locally_this_machine_may_be_called_over_http() {
    let local = Guard::new(true);
    for good in [
        "http://127.0.0.1:9000/",
        "http://localhost:9000/",
        "http://localhost.:9000/",
        "http://[::1]:9000/",
        "http://[::ffff:127.0.0.1]:9000/",
        "https://127.0.0.1:9000/",
        "https://example.com/",
    ] {
        assert_eq!(local.check(good), Ok(()), "{good}");
    }
    for bad in [
        "http://10.0.0.1/",
        "https://10.0.0.1/",
        "http://example.com/",
        "http://0.0.0.0/",
        "https://[::]/",
        "http://169.254.169.254/",
        "http://scheduler.spin.internal/",
        "https://scheduler.spin.internal/",
        "http://printer.local/",
        "http://a@127.0.0.1/",
        "http://127.0.0.1:0/",
    ] {
        assert!(local.check(bad).is_err(), "{bad}");
    }
}

#[test]
fn allowed_networks_open_themselves_and_nothing_else() {
    let networks = ["10.1.0.0/16", "127.0.0.0/8", "fd00:1234::/32"];
    let guard = Guard { local: false, networks: networks.map(|text| text.parse().unwrap()).to_vec() };
    for good in [
        "https://10.1.2.3/",
        "https://167838211/",
        "https://[::ffff:10.1.2.3]/",
        "https://127.0.0.1:8443/",
        "https://[fd00:1234::1]/",
        "https://8.8.8.8/",
    ] {
        assert_eq!(guard.check(good), Ok(()), "{good}");
    }
    for bad in [
        "http://10.1.2.3/",
        "https://10.2.0.1/",
        "https://[::10.1.2.3]/",
        "https://[2002:a01:203::]/",
        "https://[::1]/",
        "https://localhost/",
        "https://[fd00:1235::1]/",
        "https://a@10.1.2.3/",
    ] {
        assert!(guard.check(bad).is_err(), "{bad}");
    }
    let local = Guard { local: true, ..guard };
    assert_eq!(local.check("http://10.1.2.3/"), Ok(()));
    assert!(local.check("http://10.2.0.1/").is_err());
}

#[test]
fn the_edges_of_blocked_networks_are_blocked() {
    for (first, prefix) in BLOCKED_V4 {
        let first = u32::from_be_bytes(*first);
        let last = first | (u32::MAX >> prefix);
        for bits in [first, last] {
            assert!(!is_public(Ipv4Addr::from_bits(bits).into()), "{}", Ipv4Addr::from_bits(bits));
        }
    }
    for ([a, b, c], prefix) in BLOCKED_V6 {
        let first = Ipv6Addr::new(*a, *b, *c, 0, 0, 0, 0, 0);
        let last = Ipv6Addr::from_bits(first.to_bits() | (u128::MAX >> prefix));
        assert!(!is_public(first.into()), "{first}");
        assert!(!is_public(last.into()), "{last}");
    }
    for public in ["1.0.0.0", "9.255.255.255", "11.0.0.0", "2000::", "2003::", "3fff:1000::", "2001:db9::"] {
        assert!(is_public(public.parse().unwrap()), "{public}");
    }
}
