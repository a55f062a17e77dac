//! `allowed_outbound_hosts`: the addresses that a component may send requests to, in Spin's syntax
//! `<scheme>://<host>[:<port>]`. The scheme may be `*`; the host a name, an address, a network in CIDR
//! form, `*.domain`, `*`, or `self` for the application's own routes; the port a number, `*`, or
//! `from..to` (without `to`). Without a port the scheme's own port is meant.
use ipnet::IpNet;
use std::net::IpAddr;
use std::ops::Range;
use wasmtime::error::Context as _;
use wasmtime::{Result, bail};

/// Hosts below this domain are other components of the application.
const SERVICE_CHAINING_SUFFIX: &str = ".spin.internal";

/// The component that a host name of service chaining stands for.
pub fn service_chaining_target(host: &str) -> Option<&str> {
    host.strip_suffix(SERVICE_CHAINING_SUFFIX).filter(|name| !name.is_empty() && !name.contains('.'))
}

/// One component's list.
#[derive(Debug, Default)]
pub struct AllowedHosts(Vec<AllowedHost>);

#[derive(Debug)]
struct AllowedHost {
    /// `None` is any.
    scheme: Option<String>,
    host: Host,
    port: Port,
}

#[derive(Debug)]
enum Host {
    Any,
    Itself,
    Network(IpNet),
    /// The domain with its leading dot.
    Subdomain(String),
    Name(String),
}

#[derive(Debug)]
enum Port {
    Any,
    Range(Range<u32>),
}

impl AllowedHosts {
    /// Parses a list whose templates are already expanded.
    ///
    /// # Errors
    /// Names the entry that is malformed.
    pub fn parse(entries: impl IntoIterator<Item = String>) -> Result<Self> {
        let parse = |entry: String| {
            AllowedHost::parse(entry.trim()).with_context(|| format!("`{entry}` in allowed_outbound_hosts"))
        };
        Ok(Self(entries.into_iter().map(parse).collect::<Result<_>>()?))
    }

    /// Whether a request to this scheme, host (a name, or an address without brackets) and port is allowed.
    pub fn allows(&self, scheme: &str, host: &str, port: u16) -> bool {
        self.0.iter().any(|allowed| {
            allowed.allows_scheme(scheme) && allowed.host.allows(host) && allowed.port.allows(port)
        })
    }

    /// Whether requests to the application's own routes are allowed.
    pub fn allows_itself(&self) -> bool {
        self.0.iter().any(|allowed| {
            matches!(allowed.host, Host::Itself | Host::Any)
                && (allowed.allows_scheme("http") || allowed.allows_scheme("https"))
        })
    }
}

impl AllowedHost {
    fn parse(entry: &str) -> Result<Self> {
        let Some((scheme, rest)) = entry.split_once("://") else {
            bail!("has no scheme: write `http://`, `https://` or `*://` before the host");
        };
        if scheme != "*" && (scheme.is_empty() || !scheme.chars().all(char::is_alphabetic)) {
            bail!("has no valid scheme");
        }
        // An address of version 6 stands in brackets, so that the last colon is always the port's.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.trim_end_matches('/')),
            _ => (rest, ""),
        };
        Ok(Self {
            scheme: (scheme != "*").then(|| scheme.to_string()),
            host: Host::parse(host)?,
            port: Port::parse(port, scheme)?,
        })
    }

    fn allows_scheme(&self, scheme: &str) -> bool {
        self.scheme.as_deref().is_none_or(|allowed| allowed == scheme)
    }
}

impl Host {
    fn parse(host: &str) -> Result<Self> {
        match host {
            "*" => return Ok(Self::Any),
            "self" | "self.alt" => return Ok(Self::Itself),
            _ => {}
        }
        if let Ok(network) = host.parse::<IpNet>() {
            return Ok(Self::Network(network));
        }
        let host = host.trim_end_matches('/');
        if let Ok(address) = without_brackets(host).parse::<IpAddr>() {
            return Ok(Self::Network(address.into()));
        }
        if host.is_empty() || host.contains('/') {
            bail!("must be a host without a path");
        }
        match host.strip_prefix("*.") {
            Some(domain) if !domain.contains('*') => Ok(Self::Subdomain(format!(".{domain}"))),
            None if !host.contains('*') => Ok(Self::Name(host.to_ascii_lowercase())),
            _ => bail!("may have `*` only alone or as `*.` before a domain"),
        }
    }

    fn allows(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Itself => false,
            Self::Network(network) => host.parse().is_ok_and(|address: IpAddr| network.contains(&address)),
            Self::Subdomain(domain) => host.ends_with(domain.as_str()),
            Self::Name(name) => name == host,
        }
    }
}

impl Port {
    fn parse(port: &str, scheme: &str) -> Result<Self> {
        let number = |text: &str| text.parse::<u16>().map(u32::from).context("has no valid port");
        let single = |port: u32| Self::Range(port..port.saturating_add(1));
        Ok(match (port, scheme) {
            ("*", _) => Self::Any,
            ("", "http") => single(80),
            ("", "https") => single(443),
            ("", _) => bail!("needs a port"),
            _ => match port.split_once("..") {
                Some((from, to)) => Self::Range(number(from)?..number(to)?),
                None => single(number(port)?),
            },
        })
    }

    fn allows(&self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Range(range) => range.contains(&u32::from(port)),
        }
    }
}

/// The address of `[::1]`; other hosts as they are.
pub fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> AllowedHosts {
        AllowedHosts::parse(entries.iter().map(|entry| entry.to_string())).unwrap()
    }

    #[test]
    fn scheme_host_and_port_must_all_fit() {
        let cases: &[(&str, (&str, &str, u16), bool)] = &[
            ("http://127.0.0.1:*", ("http", "127.0.0.1", 9), true),
            ("http://127.0.0.1:*", ("https", "127.0.0.1", 9), false),
            ("http://127.0.0.1:*", ("http", "127.0.0.2", 9), false),
            ("https://example.com", ("https", "example.com", 443), true),
            ("https://example.com", ("https", "example.com", 8443), false),
            ("https://example.com/", ("https", "example.com", 443), true),
            ("https://example.com:8443/", ("https", "example.com", 8443), true),
            ("https://example.com", ("https", "a.example.com", 443), false),
            ("*://*.example.com:443", ("https", "a.b.example.com", 443), true),
            ("*://*.example.com:443", ("https", "example.com", 443), false),
            ("*://*:*", ("http", "anything", 1), true),
            ("https://*:*", ("http", "anything", 1), false),
            ("http://*:8000..9000", ("http", "x", 8999), true),
            ("http://*:8000..9000", ("http", "x", 9000), false),
            ("http://10.0.0.0/8:*", ("http", "10.1.2.3", 80), true),
            ("http://10.0.0.0/8:*", ("http", "11.1.2.3", 80), false),
            ("http://[::1]:8080", ("http", "::1", 8080), true),
            ("http://[::1]", ("http", "::1", 80), true),
            ("http://self", ("http", "self", 80), false),
            ("http://scheduler.spin.internal", ("http", "scheduler.spin.internal", 80), true),
            ("http://*.spin.internal", ("http", "scheduler.spin.internal", 80), true),
        ];
        for (entry, (scheme, host, port), expected) in cases {
            assert_eq!(
                list(&[entry]).allows(scheme, host, *port),
                *expected,
                "{entry}: {scheme}://{host}:{port}"
            );
        }
    }

    #[test]
    fn the_own_routes_need_self_or_any() {
        assert!(list(&["http://self"]).allows_itself());
        assert!(list(&["*://*:*"]).allows_itself());
        assert!(!list(&["http://example.com"]).allows_itself());
        assert!(!list(&[]).allows_itself());
    }

    #[test]
    fn malformed_entries_are_named() {
        for bad in [
            "example.com",
            "*",
            "http://",
            "http://a/b",
            "http://a*b",
            "http://*.a.*",
            "http://a:x",
            "ftp://a",
        ] {
            let error = format!("{:#}", AllowedHosts::parse([bad.to_string()]).unwrap_err());
            assert!(error.contains(bad), "{error}");
        }
    }

    #[test]
    fn one_label_before_the_internal_domain_is_a_component() {
        assert_eq!(service_chaining_target("scheduler.spin.internal"), Some("scheduler"));
        for other in ["spin.internal", ".spin.internal", "a.b.spin.internal", "a.spin.internal.com"] {
            assert_eq!(service_chaining_target(other), None, "{other}");
        }
    }
}
