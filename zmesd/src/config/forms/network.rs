//! Addresses, networks, origins and URLs.

use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use zmes_providers::ApnsEndpoint;

use super::{Text, bounded, not_offered};
use crate::config::MetricsListen;
use crate::config::problem::quotable;
use crate::config::section::{Complaint, Form, Literal};
use crate::config::shown::{HIDDEN, Shown};

/// Maximum number of addresses.
const LISTENERS_MAX: usize = 64;
/// Longest path of a Unix socket, in bytes: `sockaddr_un.sun_path` less its end.
pub(in crate::config) const SOCKET_PATH_MAX: usize = 107;

const GATEWAYS: &str = "\"production\", \"sandbox\" or \"https://host:port\"";

/// A list of strings, each for one value.
#[derive(Debug)]
pub(in crate::config) struct Listing<T: 'static> {
    pub(super) takes: &'static str,
    pub(super) read: fn(&[&str]) -> Result<Vec<T>, Complaint>,
}

impl<T: Debug + ToString> Form for Listing<T> {
    type Value = Vec<T>;

    fn read(&self, literal: Literal<'_>) -> Result<Self::Value, Complaint> {
        match literal {
            Literal::List(texts) => (self.read)(texts),
            Literal::Text(text) => {
                Err(self.mismatch(literal).hint(format!("write [\"{}\"]", quotable(text))))
            }
            Literal::Flag(_) | Literal::Number(_) | Literal::Pairs(_) | Literal::Other(_) => {
                Err(self.mismatch(literal))
            }
        }
    }

    fn show(&self, value: &Self::Value) -> Shown {
        Shown::list(value)
    }

    fn describe(&self) -> String {
        self.takes.to_owned()
    }
}

fn no_address(text: &str) -> Complaint {
    Complaint::new(format!("`{}` is not an address with a port", quotable(text)))
}

/// Reads one address with its port.
fn address(text: &str) -> Result<SocketAddr, Complaint> {
    let complaint = no_address(text);
    text.parse().map_err(|_| match text.trim_start_matches("*:").parse::<u16>() {
        Ok(port) => complaint.hint(format!("write \"[::]:{port}\": all addresses, IPv6 and IPv4")),
        Err(_) => complaint.hint("write an IP address and a port: \"[::]:9000\", \"192.0.2.7:9000\""),
    })
}

/// Addresses on which to listen, at least one.
pub(in crate::config) const LISTENERS: Listing<SocketAddr> =
    Listing { takes: "a list of addresses such as [\"[::]:9000\"]", read: listeners };

fn listeners(texts: &[&str]) -> Result<Vec<SocketAddr>, Complaint> {
    if texts.is_empty() || texts.len() > LISTENERS_MAX {
        return Err(Complaint::new(format!("must list from 1 to {LISTENERS_MAX} addresses")));
    }
    let mut addresses = Vec::with_capacity(texts.len());
    for text in texts {
        let address = address(text)?;
        // Port 0 lets the system choose, so two of them do not conflict.
        if address.port() != 0 && addresses.contains(&address) {
            return Err(Complaint::new(format!("{address} is listed twice")).hint("remove one"));
        }
        addresses.push(address);
    }
    Ok(addresses)
}

/// Address for metrics, on this machine only; `None` if the text is empty.
pub(in crate::config) const METRICS_ADDRESS: Text<Option<MetricsListen>> = Text {
    takes: "an address of this machine such as \"127.0.0.1:9090\", \"unix:/path\", or \"\"",
    read: metrics_address,
    show: |listen| Shown::text(&listen.as_ref().map(ToString::to_string).unwrap_or_default()),
};

fn metrics_address(text: &str) -> Result<Option<MetricsListen>, Complaint> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(path) = text.strip_prefix("unix:") {
        return unix_socket(path).map(|path| Some(MetricsListen::Socket(path)));
    }
    let port = text.trim_start_matches("*:").parse::<u16>().unwrap_or(9090);
    let local = format!("write \"127.0.0.1:{port}\", or \"unix:/run/zmesd/metrics.sock\"");
    let address = text.parse::<SocketAddr>().map_err(|_| no_address(text).hint(local))?;
    if !address.ip().to_canonical().is_loopback() {
        let port = address.port();
        let hint = format!(
            "metrics need no login: write \"127.0.0.1:{port}\", and serve other machines through a proxy that \
             requires one"
        );
        return Err(Complaint::new(format!("{address} can be reached from other machines")).hint(hint));
    }
    Ok(Some(MetricsListen::Port(address)))
}

fn unix_socket(path: &str) -> Result<PathBuf, Complaint> {
    if !path.starts_with('/') {
        return Err(Complaint::new("is not the absolute path of a socket")
            .hint("write \"unix:/run/zmesd/metrics.sock\""));
    }
    if path.len() > SOCKET_PATH_MAX || path.contains('\0') {
        return Err(Complaint::new("is too long for a socket")
            .hint(format!("the limit is {SOCKET_PATH_MAX} bytes: choose a shorter path")));
    }
    Ok(PathBuf::from(path))
}

/// Networks in CIDR notation; a plain address is a network of one.
pub(in crate::config) const NETWORKS: Listing<IpNet> = Listing {
    takes: "a list of networks such as [\"10.0.0.0/8\"]",
    read: |texts| texts.iter().map(|text| network(text)).collect(),
};

fn network(text: &str) -> Result<IpNet, Complaint> {
    let one = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse::<IpNet>().or_else(|_| one()).map_err(|_| {
        Complaint::new(format!("`{}` is not a network such as 192.0.2.0/24", quotable(text)))
            .hint("write an address with the length of its prefix: \"10.0.0.0/8\", \"fd00::/8\"")
    })
}

/// Browser origins: `scheme://host[:port]`, or `null`. In lower case afterwards.
pub(in crate::config) const ORIGINS: Listing<String> = Listing {
    takes: "a list of origins such as [\"https://zm.example.org\"]",
    read: |texts| texts.iter().map(|text| origin(text)).collect(),
};

/// Reads one origin as RFC 6454 section 6.2 writes it.
fn origin(text: &str) -> Result<String, Complaint> {
    let text = bounded(text)?.to_ascii_lowercase();
    if text == "*" {
        return Err(Complaint::new("`*` would allow every web page").hint("list the origins"));
    }
    let rest = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)).map(|(_, rest)| rest);
    let plain = |rest: &str| !rest.contains(['/', '?', '#', '@', '*', ' ']);
    if text == "null" || rest.is_some_and(plain) {
        return Ok(text);
    }
    Err(Complaint::new(format!("`{}` is not an origin", quotable(&text)))
        .hint("write only scheme, host and port, as browsers send them: \"https://zm.example.org:8443\""))
}

/// Says whether this is the scheme of a URL (RFC 3986 section 3.1).
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// A URL of a web service; `None` if the text is empty. Never quoted: it may hold a password.
pub(in crate::config) const WEB_URL: Text<Option<String>> = Text {
    takes: "a URL such as \"https://push.example.org:8801\"",
    read: |text| match text {
        "" => Ok(None),
        text => web_url(text, &["https://", "http://"]).map(Some),
    },
    show: |url| Shown::text(url.as_deref().unwrap_or_default()),
};

/// Where a phone finds a picture, with `EVENTID` as the placeholder of the event; `None` if the text is empty. Never
/// quoted, and shown without its query: it may hold a password.
pub(in crate::config) const PICTURE_URL: Text<Option<SecretString>> =
    Text { takes: "a URL with EVENTID in it", read: picture_url, show: shown_picture_url };

fn picture_url(text: &str) -> Result<Option<SecretString>, Complaint> {
    let url = bounded(text)?.trim();
    let scheme = ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme));
    if !url.is_empty() && (!scheme || url.contains(char::is_whitespace)) {
        return Err(Complaint::new("is not a URL that starts with https:// or http://")
            .hint("write the URL as a phone opens it, with EVENTID in place of the event's id"));
    }
    Ok(Some(url).filter(|url| !url.is_empty()).map(SecretString::from))
}

#[expect(clippy::ref_option, reason = "a form shows a reference to its value")]
fn shown_picture_url(url: &Option<SecretString>) -> Shown {
    let Some(url) = url.as_ref().map(ExposeSecret::expose_secret) else { return Shown::text("") };
    let shown = url.split_once('?').map_or_else(|| url.to_owned(), |(front, _)| format!("{front}?{HIDDEN}"));
    Shown::text(&shown).exactly(url)
}

/// Checks a URL as far as that is possible without its server.
pub(super) fn web_url(text: &str, schemes: &[&str]) -> Result<String, Complaint> {
    let text = bounded(text)?;
    let Some(rest) = schemes.iter().find_map(|scheme| text.strip_prefix(scheme)) else {
        return Err(Complaint::new(format!("is not a URL that starts with {}", schemes.join(" or "))));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(Complaint::new("contains a user or a password")
            .hint("remove it: URLs appear in logs; secrets have keys of their own"));
    }
    let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        Some((host, port)) => (host, port.parse().ok()),
        None => (authority, Some(443)),
    };
    let fitting =
        !host.is_empty() && !text.contains(char::is_whitespace) && port.is_some_and(|port: u16| port > 0);
    if fitting { Ok(text.to_owned()) } else { Err(Complaint::new("has no valid host and port")) }
}

/// `production`, `sandbox`, or the https URL of another gateway that speaks APNs.
pub(in crate::config) const GATEWAY: Text<ApnsEndpoint> = Text {
    takes: GATEWAYS,
    read: |text| match text {
        "production" => Ok(ApnsEndpoint::Production),
        "sandbox" => Ok(ApnsEndpoint::Sandbox),
        text if text.contains("://") => web_url(text, &["https://"]).map(ApnsEndpoint::Other),
        text => Err(not_offered(text, GATEWAYS, ["production", "sandbox"])),
    },
    show: |endpoint| {
        Shown::text(match endpoint {
            ApnsEndpoint::Production => "production",
            ApnsEndpoint::Sandbox => "sandbox",
            ApnsEndpoint::Other(url) => url,
        })
    },
};
