//! Why a connection was refused, in the words of `clients rejected`.

use std::io;

use rustls::{AlertDescription, Error as TlsError};
use tokio_tungstenite::tungstenite::Error as WsError;
use zmes_shared::views::RefusalReason;

use super::connection_limits::LimitReached;
use super::proxy::ProxyError;
use super::upgrade::UpgradeError;
use crate::limits::NoTurn;

/// How far TLS got before it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TlsStage {
    /// Failed before the client's first message was read.
    Hello,
    /// Failed after the client was sent the certificate. Holds the server name that the client asked for.
    Shown(Option<String>),
}

#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeFailure {
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    #[error(transparent)]
    Full(#[from] LimitReached),
    #[error("plain text on a TLS port")]
    Plain,
    #[error("TLS on a plain-text port")]
    Encrypted,
    #[error("TLS failed: {error}")]
    Tls { stage: TlsStage, error: io::Error },
    #[error(transparent)]
    Upgrade(UpgradeError),
    #[error("closed after TLS; server name {}", .0.as_deref().unwrap_or("not sent"))]
    Silent(Option<String>),
    #[error("timed out waiting for: {0}")]
    Timeout(&'static str),
    #[error("displaced by another connection")]
    Displaced,
    #[error(transparent)]
    NoTurn(#[from] NoTurn),
    #[error("closed without sending a byte")]
    Left,
}

impl HandshakeFailure {
    /// Returns why the client was refused, with a detail; `None` if it closed the connection itself. `covers` says
    /// whether the certificate is valid for a name.
    #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum")]
    pub(super) fn reason(&self, covers: impl Fn(&str) -> bool) -> Option<(RefusalReason, Option<String>)> {
        let plain = |reason| Some((reason, None));
        match self {
            Self::Proxy(ProxyError::Broken) => plain(RefusalReason::ProxyHeader),
            Self::Full(full) | Self::Upgrade(UpgradeError::Full(full)) => plain(full.reason()),
            Self::Plain => plain(RefusalReason::PlainOnTls),
            Self::Encrypted => plain(RefusalReason::TlsOnPlain),
            Self::Tls { stage, error } => tls(stage, error, covers),
            Self::Upgrade(UpgradeError::Origin(page)) => Some((RefusalReason::Origin, Some(page.clone()))),
            Self::Upgrade(UpgradeError::NotWebSocket) => plain(RefusalReason::NotWebsocket),
            Self::Upgrade(error @ (UpgradeError::BadRequest(_) | UpgradeError::TooLong)) => {
                Some((RefusalReason::BadRequest, Some(error.to_string())))
            }
            Self::Upgrade(UpgradeError::Broken(error)) => match error.as_ref() {
                WsError::Io(error) if alert(error).is_some() => tls(&TlsStage::Shown(None), error, covers),
                // The client closed the connection in the middle of its request.
                WsError::Io(_) => None,
                error => Some((RefusalReason::BadRequest, Some(error.to_string()))),
            },
            // A port check also closes here; but a client that asks for a name missing from the certificate is an app.
            Self::Silent(Some(name)) if !covers(name) => Some((RefusalReason::WrongName, Some(name.clone()))),
            Self::Timeout(what) => Some((RefusalReason::HandshakeTimeout, Some((*what).to_owned()))),
            Self::Displaced | Self::NoTurn(NoTurn) => plain(RefusalReason::Evicted),
            Self::Proxy(ProxyError::Io(_))
            | Self::Upgrade(UpgradeError::Silent)
            | Self::Silent(_)
            | Self::Left => None,
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum with dozens of values")]
fn alert(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref::<TlsError>()? {
        TlsError::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "foreign enums with dozens of values")]
fn tls(
    stage: &TlsStage,
    error: &io::Error,
    covers: impl Fn(&str) -> bool,
) -> Option<(RefusalReason, Option<String>)> {
    let asked = match stage {
        TlsStage::Hello => None,
        TlsStage::Shown(name) => name.clone(),
    };
    let wrong_name = asked.as_deref().is_some_and(|name| !covers(name));
    // The alert has several possible causes, but a wrong name is certain.
    let given_up = |reason| if wrong_name { RefusalReason::WrongName } else { reason };
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    let reason = match (inner, stage) {
        (Some(TlsError::AlertReceived(alert)), _) => match alert {
            AlertDescription::UnknownCA => RefusalReason::UntrustedCertificate,
            AlertDescription::CertificateExpired => RefusalReason::ExpiredCertificate,
            AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::AccessDenied => given_up(RefusalReason::UntrustedCertificate),
            AlertDescription::ProtocolVersion
            | AlertDescription::HandshakeFailure
            | AlertDescription::InsufficientSecurity => RefusalReason::TlsVersion,
            _ => given_up(RefusalReason::TlsGivenUp),
        },
        (Some(TlsError::PeerIncompatible(_)), _) => RefusalReason::TlsVersion,
        (Some(_), TlsStage::Hello) => RefusalReason::BadRequest,
        (Some(_), TlsStage::Shown(_)) => RefusalReason::TlsFailed,
        // The client closed the connection before it sent any TLS data.
        (None, TlsStage::Hello) => return None,
        (None, TlsStage::Shown(_)) => given_up(RefusalReason::TlsGivenUp),
    };
    let detail = match (asked, inner) {
        (Some(name), _) => Some(name),
        (None, Some(error)) if reason == RefusalReason::TlsFailed => Some(error.to_string()),
        (None, _) => None,
    };
    Some((reason, detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::covers;

    const NAMES: [&str; 2] = ["zm.example.org", "*.home.arpa"];

    fn of(failure: &HandshakeFailure) -> Option<(&'static str, Option<String>)> {
        let names = NAMES.map(str::to_owned);
        let (reason, detail) = failure.reason(|name| covers(&names, name))?;
        Some((reason.as_str(), detail))
    }

    fn gave_up(asked: Option<&str>, error: io::Error) -> HandshakeFailure {
        HandshakeFailure::Tls { stage: TlsStage::Shown(asked.map(str::to_owned)), error }
    }

    fn alerted(alert: AlertDescription) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, TlsError::AlertReceived(alert))
    }

    #[test]
    fn an_alert_says_why() {
        for (alert, reason) in [
            (AlertDescription::UnknownCA, "untrusted_certificate"),
            (AlertDescription::BadCertificate, "untrusted_certificate"),
            (AlertDescription::CertificateUnknown, "untrusted_certificate"),
            (AlertDescription::CertificateExpired, "expired_certificate"),
            (AlertDescription::ProtocolVersion, "tls_version"),
            (AlertDescription::UserCanceled, "tls_given_up"),
        ] {
            let failure = gave_up(Some("zm.example.org"), alerted(alert));
            assert_eq!(of(&failure), Some((reason, Some("zm.example.org".to_owned()))), "{alert:?}");
        }
    }

    #[test]
    fn a_name_that_the_certificate_does_not_have_is_told() {
        let eof = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let asked = Some("zm.lan".to_owned());
        assert_eq!(of(&gave_up(Some("zm.lan"), eof())), Some(("wrong_name", asked.clone())));
        let bad = alerted(AlertDescription::BadCertificate);
        assert_eq!(of(&gave_up(Some("zm.lan"), bad)), Some(("wrong_name", asked.clone())));
        let unknown = alerted(AlertDescription::UnknownCA);
        assert_eq!(of(&gave_up(Some("zm.lan"), unknown)), Some(("untrusted_certificate", asked.clone())));
        assert_eq!(of(&HandshakeFailure::Silent(asked.clone())), Some(("wrong_name", asked)));
        assert_eq!(of(&gave_up(None, eof())), Some(("tls_given_up", None)));
    }

    #[test]
    fn a_client_that_closes_was_not_refused() {
        let eof = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(of(&HandshakeFailure::Tls { stage: TlsStage::Hello, error: eof }), None);
        assert_eq!(of(&HandshakeFailure::Silent(Some("cam.home.arpa".to_owned()))), None, "a port check");
        assert_eq!(of(&HandshakeFailure::Silent(None)), None);
        assert_eq!(of(&HandshakeFailure::Left), None);
    }

    #[test]
    fn a_star_is_one_label() {
        let names = NAMES.map(str::to_owned);
        assert!(covers(&names, "ZM.example.org."));
        assert!(covers(&names, "cam.home.arpa"));
        assert!(!covers(&names, "a.cam.home.arpa"));
        assert!(!covers(&names, "home.arpa"));
        assert!(!covers(&names, "example.org"));
    }
}
