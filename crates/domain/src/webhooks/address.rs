//! Where webhooks may go.

/// Where events may go: https anywhere but to private addresses, and, while the sandbox is on, http to
/// this machine. Names are checked by the runtime's blocked networks when they are resolved.
pub fn check_url(text: &str, local: bool) -> Result<(), &'static str> {
    let url = url::Url::parse(text).map_err(|_| "must be an absolute https URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password");
    }
    let (loopback, public) = match url.host() {
        Some(url::Host::Ipv4(ip)) => (ip.is_loopback(), is_public_v4(ip)),
        Some(url::Host::Ipv6(ip)) => (ip.is_loopback(), is_public_v6(ip)),
        Some(url::Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let inside = name == "localhost"
                || [".localhost", ".internal", ".local"].iter().any(|end| name.ends_with(end));
            (name == "localhost", !inside)
        }
        None => return Err("must name a host"),
    };
    match url.scheme() {
        "https" if public => Ok(()),
        "http" | "https" if local && loopback => Ok(()),
        "https" => Err("must not point to a private or local address"),
        _ => Err("must be an absolute https URL"),
    }
}

fn is_public_v4(ip: std::net::Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_unspecified()
        || ip.is_broadcast()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b)))
}

fn is_public_v6(ip: std::net::Ipv6Addr) -> bool {
    if let Some(v4) = ip.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    // Only global unicast, without 6to4 and the documentation range, which hide or mean other addresses.
    let [first, second, ..] = ip.segments();
    (0x2000..0x4000).contains(&first) && first != 0x2002 && !(first == 0x2001 && matches!(second, 0 | 0x0db8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_go_to_public_https_or_locally_while_the_sandbox_is_on() {
        for good in ["https://example.com/hook", "https://8.8.8.8/", "https://[2606:4700::1111]/"] {
            assert_eq!(check_url(good, false), Ok(()), "{good}");
        }
        for bad in [
            "http://example.com/",
            "https://localhost/",
            "https://127.0.0.1/",
            "https://10.0.0.1/",
            "https://[::1]/",
            "https://169.254.169.254/",
            "https://[::ffff:10.0.0.1]/",
            "https://[2002:7f00:1::]/",
            "https://100.64.0.1/",
            "https://a:b@example.com/",
            "ftp://example.com/",
            "nope",
            "https://scheduler.spin.internal/",
            "http://127.0.0.1:9/",
        ] {
            assert!(check_url(bad, false).is_err(), "{bad}");
        }
        assert_eq!(check_url("http://127.0.0.1:9000/", true), Ok(()));
        assert_eq!(check_url("http://localhost:9000/", true), Ok(()));
        assert!(check_url("http://10.0.0.1/", true).is_err());
    }
}
