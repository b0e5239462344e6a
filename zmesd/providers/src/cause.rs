//! Why a provider cannot be reached, in words for people.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};
use rustls_pki_types::UnixTime;
use zmes_shared::words::FaultKind;

use crate::push::PushError;

const SECONDS_A_DAY: u64 = 24 * 60 * 60;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConnectCause {
    pub(super) kind: FaultKind,
    pub(super) text: String,
}

impl ConnectCause {
    pub(super) fn new(kind: FaultKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut current = Some(error);
        let mut last = String::new();
        let mut resolving = false;
        while let Some(error) = current {
            if let Some(said) = known(error) {
                return if resolving { Self { kind: FaultKind::Dns, ..said } } else { said };
            }
            last = error.to_string();
            // Texts of hyper-util and the standard library, which have no type for it.
            resolving |= last.starts_with("dns error") || last.starts_with("failed to lookup address");
            current = error.source();
        }
        let kind = if resolving { FaultKind::Dns } else { FaultKind::Closed };
        retold(&last).unwrap_or(Self { kind, text: last })
    }
}

impl From<PushError> for ConnectCause {
    fn from(error: PushError) -> Self {
        let kind = if let PushError::Transport(fault) = &error { fault.kind } else { FaultKind::BadAnswer };
        Self::new(kind, error.to_string())
    }
}

pub(super) fn cause(error: &(dyn Error + 'static)) -> String {
    ConnectCause::of(error).text
}

/// Returns the kind and the words of a TLS alert in the text of an error; `None`: there is none in it.
pub fn told_alert(text: &str) -> Option<(FaultKind, String)> {
    retold(text).map(|cause| (cause.kind, cause.text))
}

/// HTTP/2 keeps only the text of an inner error.
fn retold(text: &str) -> Option<ConnectCause> {
    let (_, alert) = text.split_once("received fatal alert: ")?;
    Some(match alert {
        "CertificateRequired" => alert_cause(AlertDescription::CertificateRequired),
        "UnknownCA" | "BadCertificate" | "CertificateExpired" | "CertificateRevoked"
        | "CertificateUnknown" => ConnectCause::new(
            FaultKind::OwnCertificate,
            format!("the server refused our client certificate ({alert})"),
        ),
        alert => ConnectCause::new(FaultKind::Tls, format!("the server aborted TLS ({alert})")),
    })
}

fn known(error: &(dyn Error + 'static)) -> Option<ConnectCause> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls_cause(tls));
    }
    let io = error.downcast_ref::<io::Error>()?;
    // `source` of such an error skips the inner one.
    if let Some(inner) = io.get_ref() {
        return Some(ConnectCause::of(inner));
    }
    #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, non-exhaustive enum")]
    let (kind, said) = match io.kind() {
        io::ErrorKind::ConnectionRefused => (FaultKind::Refused, "connection refused"),
        io::ErrorKind::ConnectionReset => (FaultKind::Closed, "connection reset"),
        io::ErrorKind::ConnectionAborted => (FaultKind::Closed, "connection aborted"),
        io::ErrorKind::HostUnreachable => (FaultKind::NoRoute, "no route to host"),
        io::ErrorKind::NetworkUnreachable => (FaultKind::NoRoute, "network unreachable"),
        io::ErrorKind::TimedOut => (FaultKind::Timeout, "no answer in time"),
        io::ErrorKind::UnexpectedEof => {
            (FaultKind::Closed, "the connection was closed before the answer was complete")
        }
        _ => return None,
    };
    Some(ConnectCause::new(kind, said))
}

fn tls_cause(error: &rustls::Error) -> ConnectCause {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign, non-exhaustive enum: it has words of its own"
    )]
    match error {
        rustls::Error::InvalidCertificate(problem) => certificate_cause(problem),
        rustls::Error::AlertReceived(alert) => alert_cause(*alert),
        rustls::Error::InvalidMessage(_) => {
            ConnectCause::new(FaultKind::Tls, "the server does not speak TLS")
        }
        error => ConnectCause::new(FaultKind::Tls, format!("TLS: {error}")),
    }
}

fn certificate_cause(problem: &CertificateError) -> ConnectCause {
    use FaultKind::{BadCertificate, CertificateExpired, CertificateName, Clock, UnknownAuthority};
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign, non-exhaustive enum: it has words of its own"
    )]
    let (kind, text) = match problem {
        CertificateError::UnknownIssuer => {
            (UnknownAuthority, "certificate signed by an unknown authority".to_owned())
        }
        CertificateError::Expired => (CertificateExpired, "certificate expired".to_owned()),
        CertificateError::ExpiredContext { time, not_after } => {
            (CertificateExpired, format!("certificate expired {} ago", days(*time, *not_after)))
        }
        CertificateError::NotValidYet => {
            (Clock, "certificate not valid yet: check the machine's clock".to_owned())
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            let days = days(*not_before, *time);
            (Clock, format!("certificate not valid for another {days}: check the machine's clock"))
        }
        CertificateError::NotValidForName => (CertificateName, "certificate is for another host".to_owned()),
        CertificateError::NotValidForNameContext { expected, presented } => (
            CertificateName,
            format!("certificate is not for {} but for {}", expected.to_str(), names(presented)),
        ),
        CertificateError::BadSignature => {
            (UnknownAuthority, "certificate not signed by the authority that it names".to_owned())
        }
        CertificateError::Revoked => (BadCertificate, "certificate was revoked".to_owned()),
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            (BadCertificate, "certificate is marked CA:TRUE and cannot be a server's".to_owned())
        }
        problem => (BadCertificate, format!("certificate refused: {problem}")),
    };
    ConnectCause::new(kind, text)
}

/// The first few names of a certificate (there may be hundreds), without rustls' types (`DnsName("…")`).
fn names(presented: &[String]) -> String {
    const SHOWN: usize = 5;
    let plain = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        super::answer::quote(inner.unwrap_or(name).trim_matches('"'), None, &[])
    };
    let shown = presented.iter().take(SHOWN).map(plain).collect::<Vec<_>>().join(", ");
    match presented.len() {
        0 => "no name".to_owned(),
        many if many > SHOWN => format!("{shown} and {} more", many - SHOWN),
        _ => shown,
    }
}

fn alert_cause(alert: AlertDescription) -> ConnectCause {
    use FaultKind::{OwnCertificate, Tls};
    #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, non-exhaustive enum")]
    let (kind, text) = match alert {
        AlertDescription::CertificateRequired => {
            (OwnCertificate, "the server requires a client certificate".to_owned())
        }
        AlertDescription::BadCertificate
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::UnknownCA => {
            (OwnCertificate, format!("the server refused our client certificate ({alert:?})"))
        }
        AlertDescription::NoApplicationProtocol => {
            (Tls, "the server does not support the HTTP version that is needed".to_owned())
        }
        alert => (Tls, format!("the server aborted TLS ({alert:?})")),
    };
    ConnectCause::new(kind, text)
}

fn days(later: UnixTime, earlier: UnixTime) -> String {
    match later.as_secs().saturating_sub(earlier.as_secs()) / SECONDS_A_DAY {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_found_at_the_bottom() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::other(tls));
        assert_eq!(cause(&wrapped), "certificate signed by an unknown authority");
        assert_eq!(cause(&io::Error::from(io::ErrorKind::ConnectionRefused)), "connection refused");
        assert_eq!(cause(&io::Error::other("strange")), "strange");
        let retold = io::Error::other("received fatal alert: CertificateRequired");
        assert_eq!(cause(&retold), "the server requires a client certificate");
    }

    #[test]
    fn a_name_without_an_address_is_told_from_a_broken_connection() {
        let lookup = "failed to lookup address information: Name or service not known";
        assert_eq!(ConnectCause::of(&io::Error::other(lookup)), ConnectCause::new(FaultKind::Dns, lookup));
        assert_eq!(ConnectCause::of(&io::Error::other("broken pipe")).kind, FaultKind::Closed);
    }

    #[test]
    fn an_expired_certificate_says_since_when() {
        let at = |days: u64| UnixTime::since_unix_epoch(std::time::Duration::from_secs(days * SECONDS_A_DAY));
        let expired = |time, not_after| {
            let problem = CertificateError::ExpiredContext { time: at(time), not_after: at(not_after) };
            let ConnectCause { kind, text } = tls_cause(&rustls::Error::InvalidCertificate(problem));
            assert_eq!(kind, FaultKind::CertificateExpired);
            text
        };
        assert_eq!(expired(103, 100), "certificate expired 3 days ago");
        assert_eq!(expired(101, 100), "certificate expired 1 day ago");
        assert_eq!(expired(100, 100), "certificate expired less than a day ago");
    }

    #[test]
    fn a_certificate_of_another_name_shows_its_names_and_no_types() {
        let shown =
            |presented: &[&str]| names(&presented.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            shown(&["DnsName(\"zm.example.org\")", "IpAddress(192.0.2.1)"]),
            "zm.example.org, 192.0.2.1"
        );
        assert_eq!(shown(&["a", "b", "c", "d", "e", "f", "g"]), "a, b, c, d, e and 2 more");
        assert_eq!(shown(&[]), "no name");
    }
}
