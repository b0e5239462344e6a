//! Why a provider cannot be reached, as a person reads it.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};
use rustls_pki_types::UnixTime;

const SECONDS_A_DAY: u64 = 24 * 60 * 60;

/// Returns the cause that lies at the bottom of an error.
pub(super) fn cause(error: &(dyn Error + 'static)) -> String {
    let mut current = Some(error);
    let mut last = String::new();
    while let Some(error) = current {
        if let Some(said) = known(error) {
            return said;
        }
        last = error.to_string();
        current = error.source();
    }
    retold(&last).unwrap_or(last)
}

/// HTTP/2 keeps of an error beneath it nothing but its text.
fn retold(text: &str) -> Option<String> {
    let (_, alert) = text.split_once("received fatal alert: ")?;
    Some(match alert {
        "CertificateRequired" => alert_cause(AlertDescription::CertificateRequired),
        "UnknownCA" | "BadCertificate" | "CertificateExpired" | "CertificateRevoked"
        | "CertificateUnknown" => {
            format!("the server refused our certificate ({alert})")
        }
        alert => format!("the server ended TLS ({alert})"),
    })
}

fn known(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls_cause(tls));
    }
    let io = error.downcast_ref::<io::Error>()?;
    // The source of such an error is what comes after the inner one.
    if let Some(inner) = io.get_ref() {
        return Some(cause(inner));
    }
    #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, non-exhaustive enum")]
    let said = match io.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::ConnectionReset => "the connection was reset",
        io::ErrorKind::ConnectionAborted => "the connection was cut",
        io::ErrorKind::HostUnreachable => "no route to the host",
        io::ErrorKind::NetworkUnreachable => "the network cannot be reached",
        io::ErrorKind::TimedOut => "no answer in time",
        io::ErrorKind::UnexpectedEof => "the connection was closed in the middle",
        _ => return None,
    };
    Some(said.to_owned())
}

/// Returns what is wrong with TLS.
fn tls_cause(error: &rustls::Error) -> String {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign, non-exhaustive enum: it has words of its own"
    )]
    match error {
        rustls::Error::InvalidCertificate(problem) => certificate_cause(problem),
        rustls::Error::AlertReceived(alert) => alert_cause(*alert),
        rustls::Error::InvalidMessage(_) => "what answers there does not speak TLS".to_owned(),
        error => format!("TLS: {error}"),
    }
}

fn certificate_cause(problem: &CertificateError) -> String {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign, non-exhaustive enum: it has words of its own"
    )]
    match problem {
        CertificateError::UnknownIssuer => "certificate signed by an unknown authority".to_owned(),
        CertificateError::Expired => "certificate expired".to_owned(),
        CertificateError::ExpiredContext { time, not_after } => {
            format!("certificate expired {} ago", days(*time, *not_after))
        }
        CertificateError::NotValidYet => "certificate not valid yet: check the machine's clock".to_owned(),
        CertificateError::NotValidYetContext { time, not_before } => {
            format!(
                "certificate not valid for another {}: check the machine's clock",
                days(*not_before, *time)
            )
        }
        CertificateError::NotValidForName => "certificate is for another host".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            format!("certificate is not for {} but for {}", expected.to_str(), presented.join(", "))
        }
        CertificateError::BadSignature => "certificate not signed by the authority that it names".to_owned(),
        CertificateError::Revoked => "certificate was revoked".to_owned(),
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "certificate is marked CA:TRUE and cannot be a server's".to_owned()
        }
        problem => format!("certificate refused: {problem}"),
    }
}

fn alert_cause(alert: AlertDescription) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, non-exhaustive enum")]
    match alert {
        AlertDescription::CertificateRequired => "the server asks for a certificate of ours".to_owned(),
        AlertDescription::BadCertificate
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::UnknownCA => format!("the server refused our certificate ({alert:?})"),
        AlertDescription::NoApplicationProtocol => "the server does not speak the HTTP we need".to_owned(),
        alert => format!("the server ended TLS ({alert:?})"),
    }
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
        assert_eq!(cause(&retold), "the server asks for a certificate of ours");
    }

    #[test]
    fn an_expired_certificate_says_since_when() {
        let at = |days: u64| UnixTime::since_unix_epoch(std::time::Duration::from_secs(days * SECONDS_A_DAY));
        let expired = |time, not_after| {
            let problem = CertificateError::ExpiredContext { time: at(time), not_after: at(not_after) };
            tls_cause(&rustls::Error::InvalidCertificate(problem))
        };
        assert_eq!(expired(103, 100), "certificate expired 3 days ago");
        assert_eq!(expired(101, 100), "certificate expired 1 day ago");
        assert_eq!(expired(100, 100), "certificate expired less than a day ago");
    }
}
