//! Addresses, networks, origins and URLs.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use zmes_providers::ApnsEndpoint;

use super::bounded;
use crate::config::MetricsListen;
use crate::config::problem::quotable;
use crate::config::section::{Complaint, Form, Literal};
use crate::config::shown::{HIDDEN, Shown};

/// Maximum number of addresses.
const LISTENERS_MAX: usize = 64;
/// Longest path of a Unix socket, in bytes: `sockaddr_un.sun_path` less its end.
pub(in crate::config) const SOCKET_PATH_MAX: usize = 107;

/// Reads one address with its port.
fn address(text: &str) -> Result<SocketAddr, Complaint> {
    let complaint = Complaint::new(format!("`{}` is not an address with a port", quotable(text)));
    text.parse().map_err(|_| match text.trim_start_matches("*:").parse::<u16>() {
        Ok(port) => complaint.hint(format!("write \"[::]:{port}\": all addresses, IPv6 and IPv4")),
        Err(_) => complaint.hint("write an IP address and a port: \"[::]:9000\", \"192.0.2.7:9000\""),
    })
}

/// Addresses on which to listen, at least one.
#[derive(Debug)]
pub(in crate::config) struct Listeners;

impl Form for Listeners {
    type Value = Vec<SocketAddr>;

    fn read(&self, literal: Literal<'_>) -> Result<Self::Value, Complaint> {
        let texts = match literal {
            Literal::List(texts) => texts,
            Literal::Text(text) => {
                let hint = format!("write [\"{}\"]", quotable(text));
                return Err(self.mismatch(literal).hint(hint));
            }
            Literal::Flag(_) | Literal::Number(_) | Literal::Other(_) => return Err(self.mismatch(literal)),
        };
        if texts.is_empty() || texts.len() > LISTENERS_MAX {
            return Err(Complaint::new(format!("must list from 1 to {LISTENERS_MAX} addresses")));
        }
        let mut addresses = Vec::with_capacity(texts.len());
        for text in texts {
            let address = address(text)?;
            // Port 0 lets the system choose, so two of them do not clash.
            if address.port() != 0 && addresses.contains(&address) {
                return Err(Complaint::new(format!("{address} is listed twice")).hint("remove one"));
            }
            addresses.push(address);
        }
        Ok(addresses)
    }

    fn show(&self, value: &Self::Value) -> Shown {
        Shown::list(value)
    }

    fn describe(&self) -> String {
        "a list of addresses such as [\"[::]:9000\"]".to_owned()
    }
}

/// Where metrics are served, on this machine alone; `None` where the text is empty.
#[derive(Debug)]
pub(in crate::config) struct MetricsAddress;

impl Form for MetricsAddress {
    type Value = Option<MetricsListen>;

    fn read(&self, literal: Literal<'_>) -> Result<Self::Value, Complaint> {
        let Literal::Text(text) = literal else { return Err(self.mismatch(literal)) };
        if text.is_empty() {
            return Ok(None);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return unix_socket(path).map(|path| Some(MetricsListen::Socket(path)));
        }
        let complaint = || Complaint::new(format!("`{}` is not an address with a port", quotable(text)));
        let port = text.trim_start_matches("*:").parse::<u16>().unwrap_or(9090);
        let local = format!("write \"127.0.0.1:{port}\", or \"unix:/run/zmesd/metrics.sock\"");
        let address = text.parse::<SocketAddr>().map_err(|_| complaint().hint(local))?;
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

    fn show(&self, value: &Self::Value) -> Shown {
        let listen = value.as_ref().map(ToString::to_string);
        Shown::text(&listen.unwrap_or_default())
    }

    fn describe(&self) -> String {
        "an address of this machine such as \"127.0.0.1:9090\", \"unix:/path\", or \"\"".to_owned()
    }
}

/// Reads the path of a Unix socket.
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
#[derive(Debug)]
pub(in crate::config) struct Networks;

impl Form for Networks {
    type Value = Vec<IpNet>;

    fn read(&self, literal: Literal<'_>) -> Result<Self::Value, Complaint> {
        let Literal::List(texts) = literal else { return Err(self.mismatch(literal)) };
        let network = |text: &&str| {
            let one = || text.parse::<IpAddr>().map(IpNet::from);
            text.parse::<IpNet>().or_else(|_| one()).map_err(|_| {
                Complaint::new(format!("`{}` is not a network such as 192.0.2.0/24", quotable(text)))
                    .hint("write an address with the length of its prefix: \"10.0.0.0/8\", \"fd00::/8\"")
            })
        };
        texts.iter().map(network).collect()
    }

    fn show(&self, value: &Self::Value) -> Shown {
        Shown::list(value)
    }

    fn describe(&self) -> String {
        "a list of networks such as [\"10.0.0.0/8\"]".to_owned()
    }
}

/// Browser origins: `scheme://host[:port]`, or `null`. In lower case afterwards.
#[derive(Debug)]
pub(in crate::config) struct Origins;

impl Form for Origins {
    type Value = Vec<String>;

    fn read(&self, literal: Literal<'_>) -> Result<Self::Value, Complaint> {
        let Literal::List(texts) = literal else { return Err(self.mismatch(literal)) };
        texts.iter().map(|text| origin(text)).collect()
    }

    fn show(&self, value: &Self::Value) -> Shown {
        Shown::list(value)
    }

    fn describe(&self) -> String {
        "a list of origins such as [\"https://zm.example.org\"]".to_owned()
    }
}

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

/// A URL of a web service; `None` where the text is empty. Never quoted: it may hold a password.
#[derive(Debug)]
pub(in crate::config) struct WebUrl;

impl Form for WebUrl {
    type Value = Option<String>;

    fn read(&self, literal: Literal<'_>) -> Result<Self::Value, Complaint> {
        match literal {
            Literal::Text("") => Ok(None),
            Literal::Text(text) => web_url(text, &["https://", "http://"]).map(Some),
            Literal::Flag(_) | Literal::Number(_) | Literal::List(_) | Literal::Other(_) => {
                Err(self.mismatch(literal))
            }
        }
    }

    fn show(&self, value: &Self::Value) -> Shown {
        Shown::text(value.as_deref().unwrap_or_default())
    }

    fn describe(&self) -> String {
        "a URL such as \"https://push.example.org:8801\"".to_owned()
    }
}

/// Where a phone finds a picture, with `EVENTID` in the place of the event; `None` where the text is empty. Never quoted,
/// and shown without its query: it may hold a password.
#[derive(Debug)]
pub(in crate::config) struct PictureUrl;

impl Form for PictureUrl {
    type Value = Option<SecretString>;

    fn read(&self, literal: Literal<'_>) -> Result<Self::Value, Complaint> {
        let Literal::Text(text) = literal else { return Err(self.mismatch(literal)) };
        let url = bounded(text)?.trim();
        let scheme = ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme));
        if !url.is_empty() && (!scheme || url.contains(char::is_whitespace)) {
            return Err(Complaint::new("is not a URL that starts with https:// or http://")
                .hint("write the URL as a phone opens it, with EVENTID in place of the event's id"));
        }
        Ok(Some(url).filter(|url| !url.is_empty()).map(SecretString::from))
    }

    fn show(&self, value: &Self::Value) -> Shown {
        let Some(url) = value.as_ref().map(ExposeSecret::expose_secret) else { return Shown::text("") };
        let shown =
            url.split_once('?').map_or_else(|| url.to_owned(), |(front, _)| format!("{front}?{HIDDEN}"));
        Shown::text(&shown).exactly(url)
    }

    fn describe(&self) -> String {
        "a URL with EVENTID in it".to_owned()
    }
}

/// Checks a URL as far as that is possible without its server.
fn web_url(text: &str, schemes: &[&str]) -> Result<String, Complaint> {
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
#[derive(Debug)]
pub(in crate::config) struct Gateway;

impl Form for Gateway {
    type Value = ApnsEndpoint;

    fn read(&self, literal: Literal<'_>) -> Result<ApnsEndpoint, Complaint> {
        match literal {
            Literal::Text("production") => Ok(ApnsEndpoint::Production),
            Literal::Text("sandbox") => Ok(ApnsEndpoint::Sandbox),
            Literal::Text(text) if text.contains("://") => {
                web_url(text, &["https://"]).map(ApnsEndpoint::Other)
            }
            Literal::Text(text) => Err(Complaint::new(format!(
                "must be {}, but is `{}`{}",
                Form::describe(self),
                quotable(text),
                super::nearest(text, ["production", "sandbox"])
            ))),
            Literal::Flag(_) | Literal::Number(_) | Literal::List(_) | Literal::Other(_) => {
                Err(self.mismatch(literal))
            }
        }
    }

    fn show(&self, value: &Self::Value) -> Shown {
        Shown::text(match value {
            ApnsEndpoint::Production => "production",
            ApnsEndpoint::Sandbox => "sandbox",
            ApnsEndpoint::Other(url) => url,
        })
    }

    fn describe(&self) -> String {
        "\"production\", \"sandbox\" or \"https://host:port\"".to_owned()
    }
}
