//! `host[:port]`: the name of a server in `Host`, `X-Forwarded-Host` and `Origin`.

use std::net::{IpAddr, Ipv6Addr};

/// A server's name or address with its port, normalised for comparison.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HostAuthority {
    host: Host,
    /// `None`: a default port. Which one depends on the scheme, and schemes are not compared: behind a proxy that ends
    /// TLS we do not know which scheme the client used, and some libraries say `http` over TLS.
    port: Option<u16>,
}

#[derive(Debug, PartialEq, Eq)]
enum Host {
    /// In lower case, without the trailing dot of a fully qualified name.
    Name(String),
    Address(IpAddr),
}

impl HostAuthority {
    /// Ports that clients omit: those of `http` and `ws`, and of `https` and `wss`.
    const DEFAULT_PORTS: [u16; 2] = [80, 443];

    /// Parses `host`, `host:port`, `[2001:db8::1]` or `[2001:db8::1]:port`; `None` for anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches([' ', '\t']);
        let (host, port) = match text.strip_prefix('[') {
            Some(literal) => {
                let (address, rest) = literal.split_once(']')?;
                (Host::Address(address.parse::<Ipv6Addr>().ok()?.to_canonical()), port_of(rest)?)
            }
            // SocketRocket omits the brackets if the port is the default one.
            None if text.parse::<Ipv6Addr>().is_ok() => {
                (Host::Address(text.parse::<IpAddr>().ok()?.to_canonical()), None)
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                let (name, rest) = text.split_at(end);
                (Host::named(name)?, port_of(rest)?)
            }
        };
        Some(Self { host, port: port.filter(|port| !Self::DEFAULT_PORTS.contains(port)) })
    }
}

impl Host {
    fn named(name: &str) -> Option<Self> {
        if let Ok(address) = name.parse::<IpAddr>() {
            return Some(Self::Address(address));
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        (!name.is_empty() && name.bytes().all(plain)).then(|| Self::Name(name.to_ascii_lowercase()))
    }
}

/// Parses the part after the host: nothing, `:`, or `:` and digits (RFC 3986 3.2.3).
#[expect(clippy::option_option, reason = "outer: whether it is a valid port; inner: whether there is one")]
fn port_of(rest: &str) -> Option<Option<u16>> {
    if rest.is_empty() {
        return Some(None);
    }
    let digits = rest.strip_prefix(':')?;
    if digits.is_empty() {
        return Some(None);
    }
    // `u16::from_str` also accepts a plus sign.
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_has_one_spelling() {
        for (one, other) in [
            ("zm.example.org:9000", "ZM.Example.ORG:9000"),
            ("zm.example.org.:9000", "zm.example.org:9000"),
            ("zm.example.org", "zm.example.org:443"),
            ("zm.example.org:80", "zm.example.org:"),
            ("[2001:DB8:0::1]:9000", "[2001:db8::1]:9000"),
            ("2001:db8::1", "[2001:db8::1]:443"),
            ("[::ffff:192.0.2.1]:9000", "192.0.2.1:9000"),
            (" nvr\t", "NVR"),
        ] {
            let (first, second) = (HostAuthority::parse(one), HostAuthority::parse(other));
            assert!(first.is_some(), "{one}");
            assert_eq!(first, second, "{one} and {other}");
        }
    }

    #[test]
    fn what_names_no_server_is_nothing() {
        for text in [
            "",
            ".",
            ":9000",
            "[",
            "[]",
            "[::1",
            "[::1]9000",
            "[::1]:x",
            "a b",
            "a/b",
            "u@a",
            "a:+80",
            "a:65536",
            "a:80:80",
            "a?b",
            "a#b",
            "a\\b",
            "a,b",
            "fe80::1%eth0",
            "[zm]",
        ] {
            assert_eq!(HostAuthority::parse(text), None, "{text:?}");
        }
    }
}
