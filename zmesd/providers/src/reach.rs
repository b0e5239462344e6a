//! Which addresses a client may connect to. An admin writes a target's URL, but others control what its name resolves to,
//! and a cloud's metadata service answers every program on the machine.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;

/// Metadata services of clouds beside 169.254.169.254: Alibaba's, and Amazon's by IPv6.
const METADATA: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// Where a client may connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Anywhere,
    /// Not to link-local addresses and metadata services.
    Routed,
    /// Only to this machine and private networks: what is sent is not encrypted.
    Private,
}

impl Reach {
    /// Returns where a target of that URL may be. An address written in the URL itself is intended.
    pub(super) fn of(url: &Url) -> Self {
        match (url.scheme(), url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse().ok())) {
            (_, Some(IpAddr::V4(_) | IpAddr::V6(_))) => Self::Anywhere,
            ("http", None) => Self::Private,
            (_, None) => Self::Routed,
        }
    }

    pub(super) fn includes(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match self {
            Self::Anywhere => true,
            Self::Routed => is_routed(address),
            Self::Private => is_private(address) && is_routed(address),
        }
    }

    /// Resolves a name to the addresses that may be reached.
    pub(super) async fn resolve(self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let all: Vec<_> = lookup_host((host, port)).await?.collect();
        let found: Vec<_> = all.iter().copied().filter(|address| self.includes(address.ip())).collect();
        match all.first() {
            Some(first) if found.is_empty() => Err(io::Error::other(self.refusal(first.ip()))),
            Some(_) | None => Ok(found),
        }
    }

    fn refusal(self, address: IpAddr) -> String {
        if self == Self::Private && is_routed(address.to_canonical()) {
            return format!("{address} is not a private address, and http:// is not encrypted");
        }
        format!("{address} is a link-local address or a cloud's metadata service")
    }
}

/// Says whether an address belongs to this machine or a private network.
pub(super) fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

fn is_routed(address: IpAddr) -> bool {
    let local = match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !local && !address.is_unspecified() && !address.is_multicast() && !METADATA.contains(&address)
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = *self;
        Box::pin(async move {
            let found = reach.resolve(name.as_str(), 0).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(url: &str) -> Reach {
        Reach::of(&Url::parse(url).unwrap())
    }

    #[test]
    fn what_is_not_encrypted_stays_in_private_networks() {
        let private = reach("http://ntfy.lan");
        for (address, wanted) in [
            ("127.0.0.1", true),
            ("192.168.1.7", true),
            ("10.0.0.1", true),
            ("fd12::1", true),
            ("::ffff:192.168.1.7", true),
            ("8.8.8.8", false),
            ("2001:db8::1", false),
            ("169.254.169.254", false),
            ("fd00:ec2::254", false),
        ] {
            assert_eq!(private.includes(address.parse().unwrap()), wanted, "{address}");
        }
    }

    #[test]
    fn link_local_addresses_and_metadata_services_must_be_named() {
        let routed = reach("https://ntfy.example.org");
        for address in [
            "169.254.169.254",
            "fe80::1",
            "100.100.100.200",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "::ffff:169.254.0.1",
        ] {
            assert!(!routed.includes(address.parse().unwrap()), "{address}");
        }
        for address in ["8.8.8.8", "127.0.0.1", "192.168.1.7", "2001:db8::1"] {
            assert!(routed.includes(address.parse().unwrap()), "{address}");
        }
        assert!(reach("http://169.254.10.1").includes("169.254.10.1".parse().unwrap()), "it was named");
        assert_eq!(reach("https://[fe80::1]"), Reach::Anywhere);
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_resolved_and_judged() {
        assert!(!Reach::Private.resolve("localhost", 1).await.unwrap().is_empty());
        let refused = io::Error::other(Reach::Private.refusal("8.8.8.8".parse().unwrap()));
        assert!(refused.to_string().contains("not a private address"));
        assert!(Reach::Routed.refusal("169.254.169.254".parse().unwrap()).contains("metadata"));
    }
}
