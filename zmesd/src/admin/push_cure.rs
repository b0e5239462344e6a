//! What an admin can do about a fault of a push provider: where the names of transports meet the keys of `zmesd.toml`.

use zmes_shared::control::TransportKind;
use zmes_shared::words::FaultKind;

/// Returns what to do about a fault: a command, or the key to change, for the transport of that name
/// (`proxy`, `fcm`, `fcm:zmninja`, `apns`) whose target is `host:port`.
pub(super) fn push_cure(kind: FaultKind, transport: &str, target: &str) -> String {
    let (host, port) = target.rsplit_once(':').unwrap_or((target, "443"));
    let host = host.trim_matches(['[', ']']);
    let place = TransportPlace::of(transport);
    let (section, url, root) = (&place.section, &place.url, place.root);
    match kind {
        FaultKind::Dns => {
            format!("getent hosts {host}; correct {url} if the name is wrong, else /etc/resolv.conf")
        }
        FaultKind::Refused => {
            format!("nc -vz {host} {port}; start the provider if it is yours, else correct {url}")
        }
        FaultKind::NoRoute => format!("ip route get {host}; this machine needs a route to {target}"),
        FaultKind::Timeout | FaultKind::Closed => {
            format!("nc -vz {host} {port}; allow it in the firewall, or ask the operator of {host}")
        }
        FaultKind::CertificateExpired => {
            format!("only the operator of {host} can renew it; check this machine's clock with `date`")
        }
        FaultKind::CertificateName => {
            format!("use the name of the certificate in {url}, then: zmesctl reload")
        }
        FaultKind::UnknownAuthority => format!(
            "if {host} is yours, set {root} to its root certificate, then: zmesctl reload; openssl s_client -connect {target} \
             -showcerts </dev/null shows who signed it"
        ),
        FaultKind::BadCertificate | FaultKind::Tls => format!(
            "openssl s_client -connect {target} </dev/null shows what is wrong; only the operator of {host} can fix it"
        ),
        FaultKind::OwnCertificate => {
            format!("correct certificate and key in {section}, then: zmesctl reload")
        }
        FaultKind::WebPage => format!(
            "curl -v https://{target}/ shows the page; correct {url}, or log in to the network if the page asks for it"
        ),
        FaultKind::Redirect => format!("set {url} to the address that it redirects to, then: zmesctl reload"),
        FaultKind::BadAnswer => {
            format!("curl -v https://{target}/ shows who answers there; correct {url}, then: zmesctl reload")
        }
        FaultKind::Credentials => format!("correct {}, then: zmesctl reload", place.credentials),
        FaultKind::NotFound => format!("correct {url}, then: zmesctl reload"),
        FaultKind::Clock => {
            "timedatectl shows whether the clock is synchronized; timedatectl set-ntp true turns that on"
                .to_owned()
        }
        FaultKind::Limited => {
            "wait: zmesd retries by itself; fewer pushes or a larger quota prevent it".to_owned()
        }
        FaultKind::Provider => format!(
            "wait, or ask the operator of {host}; after the repair, zmesctl push retry {} retries at once",
            place.kind
        ),
        FaultKind::Resting => format!("zmesctl push retry {} ends the rest", place.kind),
        FaultKind::Unknown => format!("zmesctl push check {}", place.kind),
    }
}
struct TransportPlace {
    /// As `push check` and `push retry` name it.
    kind: String,
    section: String,
    url: String,
    root: &'static str,
    credentials: String,
}

impl TransportPlace {
    fn of(transport: &str) -> Self {
        if let Some((kind, name)) = transport.split_once(':')
            && let Some(kind) = TransportKind::ALL.into_iter().find(|known| known.as_str() == kind)
            && kind.is_of_targets()
        {
            return Self::of_target(kind, name);
        }
        if let Some((_, app)) = transport.split_once(':') {
            let section = format!("[[push.fcm.proxy]] {app}");
            let (url, credentials) = (format!("url in {section}"), format!("key in {section}"));
            return Self {
                kind: "fcm".to_owned(),
                section,
                url,
                root: "push.fcm.ca-certificate",
                credentials,
            };
        }
        let (kind, url, root, credentials) = match transport {
            "proxy" => ("proxy", "url", "push.proxy.ca-certificate", "push.proxy.app-key and app-name"),
            "apns" => {
                let credentials = "key, key-id, team-id and topic (or certificate) in [push.apns]";
                ("apns", "endpoint", "push.apns.ca-certificate", credentials)
            }
            _ => {
                let credentials = "push.fcm.service-account (make a new key in Google's console)";
                ("fcm", "endpoint", "push.fcm.ca-certificate", credentials)
            }
        };
        let (section, url) = (format!("[push.{kind}]"), format!("push.{kind}.{url}"));
        let kind = kind.to_owned();
        Self { kind, section, url, root, credentials: credentials.to_owned() }
    }

    fn of_target(kind: TransportKind, name: &str) -> Self {
        let section = format!("[[target]] {name}");
        let keys = match kind {
            TransportKind::Ntfy => "token and topic",
            TransportKind::Pushover => "token and user-key",
            TransportKind::Telegram => "token and chat",
            TransportKind::Webhook => "token, headers and url",
            TransportKind::Gotify
            | TransportKind::Proxy
            | TransportKind::Fcm
            | TransportKind::Apns
            | TransportKind::Unknown => "token",
        };
        Self {
            kind: format!("@{name}"),
            url: format!("url in {section}"),
            root: "target.ca-certificate",
            credentials: format!("{keys} in {section}"),
            section,
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
            (FaultKind::CertificateExpired, "proxy", "only the operator of push.example.org"),
            (FaultKind::Dns, "proxy", "getent hosts push.example.org;"),
            (FaultKind::Credentials, "ntfy:guard", "correct token and topic in [[target]] guard"),
            (FaultKind::Provider, "webhook:red", "zmesctl push retry @red "),
            (FaultKind::Refused, "proxy", "nc -vz push.example.org 8801"),
        ] {
            let cure = push_cure(kind, transport, "push.example.org:8801");
            assert!(cure.contains(wanted), "{kind:?} {transport}: {cure}");
        }
    }
}
