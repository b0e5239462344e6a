//! What can be wrong between zmesd and a push provider: the kind, who can mend it, and how.

use std::fmt;
use std::time::Duration;

/// A fault of a transport: not of the token, and not of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind of fault.
    pub kind: FaultKind,
    /// HTTP status, where the provider answered at all.
    pub status: Option<u16>,
    /// What happened: one line, bounded, without secrets. The provider's words, where it said anything.
    pub detail: String,
    /// How long the provider asks to be left alone. Only a wish: the breaker has the last word.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A fault without an answer of the provider.
    pub fn unanswered(kind: FaultKind, detail: impl Into<String>) -> Self {
        Self { kind, status: None, detail: detail.into(), retry_after: None }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.kind, FaultKind::Credentials | FaultKind::NotFound) {
            return write!(f, "we were refused: {}", self.detail);
        }
        f.write_str(&self.detail)
    }
}

/// Kinds of faults, from the network up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The provider's name has no address.
    Dns,
    /// Nothing listens there.
    Refused,
    /// There is no way to that address.
    NoRoute,
    /// No answer in time.
    Timeout,
    /// The connection ended before the answer did.
    Closed,
    /// The provider's certificate has expired.
    CertificateExpired,
    /// The provider's certificate is for another name.
    CertificateName,
    /// The provider's certificate is signed by an authority that this machine does not trust.
    UnknownAuthority,
    /// The provider's certificate cannot be used for another reason.
    BadCertificate,
    /// The provider does not accept the certificate that zmesd shows (or wants one).
    OwnCertificate,
    /// TLS failed for another reason.
    Tls,
    /// A web page came where the provider should have answered: a wrong path, a parked domain, a captive portal.
    WebPage,
    /// The answer points somewhere else; zmesd follows no redirects.
    Redirect,
    /// The status says success, but the answer is not what this kind of provider answers.
    BadAnswer,
    /// The provider does not accept the key, the account or the name of the app.
    Credentials,
    /// The provider does not know the path (or the method) that was asked for.
    NotFound,
    /// This machine's clock and the provider's are too far apart for signed requests.
    Clock,
    /// Too many requests, or a quota is used up.
    Limited,
    /// The provider says that it has a problem of its own (5xx, or an outage by its words).
    Provider,
    /// Nothing was asked: the transport rests after earlier failures.
    Resting,
}

/// Who can mend a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mender {
    /// The admin, in `zmesd.toml` or at the provider's console.
    Configuration,
    /// The admin, on this machine or its network.
    Machine,
    /// Only whoever runs the provider.
    Provider,
    /// Nobody has to: it passes.
    Time,
}

impl FaultKind {
    /// Returns the word for machines: `web_page`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::NoRoute => "no_route",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::CertificateExpired => "certificate_expired",
            Self::CertificateName => "certificate_name",
            Self::UnknownAuthority => "unknown_authority",
            Self::BadCertificate => "bad_certificate",
            Self::OwnCertificate => "own_certificate",
            Self::Tls => "tls",
            Self::WebPage => "web_page",
            Self::Redirect => "redirect",
            Self::BadAnswer => "bad_answer",
            Self::Credentials => "credentials",
            Self::NotFound => "not_found",
            Self::Clock => "clock",
            Self::Limited => "limited",
            Self::Provider => "provider",
            Self::Resting => "resting",
        }
    }

    /// Says whether the provider did not answer at all.
    pub fn unanswered(self) -> bool {
        match self {
            Self::Dns
            | Self::Refused
            | Self::NoRoute
            | Self::Timeout
            | Self::Closed
            | Self::CertificateExpired
            | Self::CertificateName
            | Self::UnknownAuthority
            | Self::BadCertificate
            | Self::OwnCertificate
            | Self::Tls => true,
            Self::WebPage
            | Self::Redirect
            | Self::BadAnswer
            | Self::Credentials
            | Self::NotFound
            | Self::Clock
            | Self::Limited
            | Self::Provider
            | Self::Resting => false,
        }
    }

    /// Returns who can mend it.
    pub fn mender(self) -> Mender {
        match self {
            Self::UnknownAuthority
            | Self::OwnCertificate
            | Self::Redirect
            | Self::BadAnswer
            | Self::Credentials
            | Self::NotFound
            | Self::WebPage => Mender::Configuration,
            Self::Dns | Self::NoRoute | Self::Clock => Mender::Machine,
            Self::Refused
            | Self::Timeout
            | Self::Closed
            | Self::CertificateExpired
            | Self::CertificateName
            | Self::BadCertificate
            | Self::Tls
            | Self::Provider => Mender::Provider,
            Self::Limited | Self::Resting => Mender::Time,
        }
    }

    /// Returns what to do about it: a command, or the key to change, for the transport of that name
    /// (`proxy`, `fcm`, `fcm:zmninja`, `apns`) whose target is `host:port`.
    pub fn cure(self, transport: &str, target: &str) -> String {
        let (host, port) = target.rsplit_once(':').unwrap_or((target, "443"));
        let host = host.trim_matches(['[', ']']);
        let place = Place::of(transport);
        let (section, url, root) = (&place.section, &place.url, place.root);
        match self {
            Self::Dns => {
                format!("getent hosts {host}; correct {url} if the name is wrong, else /etc/resolv.conf")
            }
            Self::Refused => {
                format!("nc -vz {host} {port}; start the provider if it is yours, else correct {url}")
            }
            Self::NoRoute => format!("ip route get {host}; this machine needs a way to {target}"),
            Self::Timeout | Self::Closed => {
                format!("nc -vz {host} {port}; let the firewall pass it, or ask whoever runs {host}")
            }
            Self::CertificateExpired => format!(
                "only whoever runs {host} can renew it; `date` shows whether this machine's clock is right"
            ),
            Self::CertificateName => {
                format!("write the name that the certificate is for in {url}, then: zmesctl reload")
            }
            Self::UnknownAuthority => format!(
                "if {host} is yours, name its root as {root}, then: zmesctl reload; openssl s_client -connect {target} \
                 -showcerts </dev/null shows who signed it"
            ),
            Self::BadCertificate | Self::Tls => format!(
                "openssl s_client -connect {target} </dev/null shows what is wrong; only whoever runs {host} can mend it"
            ),
            Self::OwnCertificate => format!("correct certificate and key in {section}, then: zmesctl reload"),
            Self::WebPage => format!(
                "curl -v https://{target}/ shows the page; correct {url}, or log in to the network if it asks for that"
            ),
            Self::Redirect => format!("write the address that it points to in {url}, then: zmesctl reload"),
            Self::BadAnswer => format!(
                "curl -v https://{target}/ shows who answers there; correct {url}, then: zmesctl reload"
            ),
            Self::Credentials => format!("correct {}, then: zmesctl reload", place.credentials),
            Self::NotFound => format!("correct {url}, then: zmesctl reload"),
            Self::Clock => "timedatectl shows whether the clock is synchronized; switch that on".to_owned(),
            Self::Limited => {
                "wait: zmesd tries again by itself; fewer pushes, or a larger quota, prevent it".to_owned()
            }
            Self::Provider => format!(
                "wait, or ask whoever runs {host}; once it is mended, zmesctl push retry {} spares the wait",
                place.kind
            ),
            Self::Resting => format!("zmesctl push retry {} ends the rest", place.kind),
        }
    }
}

/// Where a transport stands in `zmesd.toml`.
struct Place {
    /// As `push check` and `push retry` name it.
    kind: &'static str,
    section: String,
    url: String,
    root: &'static str,
    credentials: String,
}

impl Place {
    fn of(transport: &str) -> Self {
        let place = |kind, section: &str, url: &str, root, credentials: &str| Self {
            kind,
            section: section.to_owned(),
            url: url.to_owned(),
            root,
            credentials: credentials.to_owned(),
        };
        match transport.split_once(':') {
            Some((_, app)) => {
                let section = format!("[[push.fcm.proxy]] {app}");
                place(
                    "fcm",
                    &section,
                    &format!("url in {section}"),
                    "push.fcm.ca-certificate",
                    &format!("key in {section}"),
                )
            }
            None if transport == "proxy" => place(
                "proxy",
                "[push.proxy]",
                "push.proxy.url",
                "push.proxy.ca-certificate",
                "push.proxy.app-key and app-name",
            ),
            None if transport == "apns" => place(
                "apns",
                "[push.apns]",
                "push.apns.endpoint",
                "push.apns.ca-certificate",
                "key, key-id, team-id and topic (or certificate) in [push.apns]",
            ),
            None => place(
                "fcm",
                "[push.fcm]",
                "push.fcm.endpoint",
                "push.fcm.ca-certificate",
                "push.fcm.service-account (make a new key in Google's console)",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cure_names_the_key_of_its_own_transport() {
        for (kind, transport, wanted) in [
            (FaultKind::Credentials, "proxy", "push.proxy.app-key"),
            (FaultKind::Credentials, "fcm:zmninja", "key in [[push.fcm.proxy]] zmninja"),
            (FaultKind::Credentials, "fcm", "push.fcm.service-account"),
            (FaultKind::Credentials, "apns", "[push.apns]"),
            (FaultKind::NotFound, "proxy", "push.proxy.url"),
            (FaultKind::WebPage, "fcm:ng", "url in [[push.fcm.proxy]] ng"),
            (FaultKind::UnknownAuthority, "apns", "push.apns.ca-certificate"),
            (FaultKind::Provider, "fcm:ng", "zmesctl push retry fcm "),
            (FaultKind::CertificateExpired, "proxy", "only whoever runs push.example.org"),
            (FaultKind::Dns, "proxy", "getent hosts push.example.org;"),
            (FaultKind::Refused, "proxy", "nc -vz push.example.org 8801"),
        ] {
            let cure = kind.cure(transport, "push.example.org:8801");
            assert!(cure.contains(wanted), "{kind:?} {transport}: {cure}");
        }
    }
}
