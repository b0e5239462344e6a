//! Why TLS to the database fails, usually because of the server's certificate, and who has to replace it.

use std::io;

use jiff::Timestamp;
use rustls::{AlertDescription, CertificateError, PeerIncompatible};
use rustls_pki_types::UnixTime;

use super::{DatabaseFault, DatabaseTrouble, trouble};
use crate::conf::DatabaseConfig;
use crate::database::cells::clean;
use zmes_shared::database::ServerAddress;

/// Maximum length of a library's text in a message.
const TEXT: usize = 120;

#[derive(Debug, Clone, PartialEq)]
pub(in crate::database) enum TlsFault {
    Rustls(rustls::Error),
    NotOffered,
    /// The connection was closed during the handshake.
    Closed,
    Other(String),
}

impl TlsFault {
    /// Returns the TLS failure in a failure to connect, if there may be one.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the driver's and the standard library's lists, not ours"
    )]
    pub(in crate::database) fn of(error: &sqlx::Error) -> Option<Self> {
        use io::ErrorKind;
        match error {
            sqlx::Error::Io(error) => {
                let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
                match (inner, error.kind()) {
                    (Some(inner), _) => Some(Self::Rustls(inner.clone())),
                    (
                        None,
                        ErrorKind::UnexpectedEof
                        | ErrorKind::ConnectionReset
                        | ErrorKind::ConnectionAborted
                        | ErrorKind::BrokenPipe,
                    ) => Some(Self::Closed),
                    _ => None,
                }
            }
            sqlx::Error::Tls(error) => {
                if let Some(error) = error.downcast_ref::<rustls::Error>() {
                    return Some(Self::Rustls(error.clone()));
                }
                let text = error.to_string();
                Some(if text.contains("does not support TLS") { Self::NotOffered } else { Self::Other(text) })
            }
            _ => None,
        }
    }

    /// Returns the trouble if TLS is required.
    pub(super) fn trouble(&self, place: &ServerAddress, database: &DatabaseConfig) -> DatabaseTrouble {
        if *self == Self::Closed {
            let hint = "systemctl status mariadb; did it restart?".to_owned();
            let message = format!("{place}: the server closed the connection during the TLS handshake");
            return trouble(DatabaseFault::Unreachable, message, hint);
        }
        trouble(DatabaseFault::Tls, format!("{place}: {}", self.sentence()), self.hint(place, database))
    }

    /// Adds to a refusal why TLS was not used; if the server requires TLS, that is the trouble.
    pub(super) fn beside(&self, refused: DatabaseTrouble, database: &DatabaseConfig) -> DatabaseTrouble {
        let message = format!("{}; TLS is not possible: {}", refused.message, self.sentence());
        if refused.fault == DatabaseFault::Tls {
            let place = ServerAddress::all(&database.address).pop();
            let hint = place.map_or(refused.hint, |place| self.hint(&place, database));
            return trouble(DatabaseFault::Tls, message, hint);
        }
        trouble(refused.fault, message, refused.hint)
    }

    pub(in crate::database) fn sentence(&self) -> String {
        match self {
            Self::Rustls(error) => rustls_sentence(error),
            Self::NotOffered => "the database server offers no TLS".to_owned(),
            Self::Closed => "the server closed the connection during the TLS handshake".to_owned(),
            Self::Other(text) => format!("TLS: {}", clean(text, TEXT)),
        }
    }

    fn hint(&self, place: &ServerAddress, database: &DatabaseConfig) -> String {
        let origin = &database.origin;
        let host = match place {
            ServerAddress::Tcp(host, _) => host.as_str(),
            ServerAddress::Socket(_) => "localhost",
        };
        let (ca, verify) = (origin.of("ZM_DB_SSL_CA_CERT"), origin.of("ZM_DB_SSL_VERIFY_SERVER_CERT"));
        match self.kind() {
            Kind::NotOffered => format!(
                "set ssl-cert and ssl-key in the server's configuration and restart it; or remove {ca}, where the \
                 network between can be trusted"
            ),
            Kind::Issuer => format!(
                "{ca} must name the CA that issued the server's certificate: `openssl s_client -starttls mysql -connect \
                 {place} -showcerts` shows it"
            ),
            Kind::Name => format!(
                "write one of the certificate's names as {}, or do not compare names: {verify} = 0; or reissue it: {}",
                origin.of("ZM_DB_HOST"),
                reissue(host)
            ),
            Kind::Client => format!(
                "compare `openssl x509 -noout -pubkey` of the file that {} names with `openssl pkey -pubout` of that of \
                 {}; the server must trust its issuer",
                origin.of("ZM_DB_SSL_CLIENT_CERT"),
                origin.of("ZM_DB_SSL_CLIENT_KEY")
            ),
            Kind::Version => {
                "allow TLS 1.2 in the server's configuration (tls_version = TLSv1.2,TLSv1.3)".to_owned()
            }
            Kind::Clock => "timedatectl: is this machine's clock right?".to_owned(),
            Kind::Certificate | Kind::Other => format!(
                "replace the database server's certificate, then restart the server: {}; or remove {ca}, where the \
                 network between can be trusted",
                reissue(host)
            ),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "rustls' lists, not ours")]
    fn kind(&self) -> Kind {
        use rustls::Error;
        match self {
            Self::NotOffered => Kind::NotOffered,
            Self::Rustls(Error::InvalidCertificate(problem)) => match problem {
                CertificateError::UnknownIssuer => Kind::Issuer,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    Kind::Name
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Kind::Clock,
                _ => Kind::Certificate,
            },
            Self::Rustls(Error::AlertReceived(alert)) => match alert {
                AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => Kind::Version,
                AlertDescription::UnknownCA
                | AlertDescription::BadCertificate
                | AlertDescription::CertificateRequired
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown => Kind::Client,
                _ => Kind::Other,
            },
            Self::Rustls(Error::PeerIncompatible(_)) => Kind::Version,
            Self::Rustls(Error::InconsistentKeys(_)) => Kind::Client,
            Self::Rustls(_) | Self::Closed | Self::Other(_) => Kind::Other,
        }
    }
}

/// Who has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    NotOffered,
    Issuer,
    Name,
    Certificate,
    Client,
    Version,
    Clock,
    Other,
}

/// Returns the command for a certificate that every library accepts.
fn reissue(host: &str) -> String {
    let kind = if host.parse::<std::net::IpAddr>().is_ok() { "IP" } else { "DNS" };
    format!(
        "openssl x509 -req -in server-req.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 3650 -sha256 -extfile \
         <(echo subjectAltName={kind}:{host}) -out server-cert.pem (version 3, RSA of 2048 bits or more)"
    )
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, non-exhaustive enum")]
fn rustls_sentence(error: &rustls::Error) -> String {
    use rustls::Error;
    match error {
        Error::InvalidCertificate(problem) => {
            format!("the database server's certificate {}", certificate_sentence(problem))
        }
        Error::AlertReceived(AlertDescription::ProtocolVersion)
        | Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => "the database server only supports TLS versions before 1.2".to_owned(),
        Error::AlertReceived(AlertDescription::HandshakeFailure) => {
            "the database server and zmesd have no cipher suite in common".to_owned()
        }
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the database server asks for a client certificate".to_owned()
        }
        Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown,
        ) => "the database server refuses the client certificate".to_owned(),
        Error::InconsistentKeys(_) => "the client certificate and its key do not belong together".to_owned(),
        Error::InvalidMessage(_) => "the peer does not speak TLS".to_owned(),
        error => format!("TLS: {}", clean(&error.to_string(), TEXT)),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, non-exhaustive enum")]
fn certificate_sentence(problem: &CertificateError) -> String {
    match problem {
        CertificateError::Expired => "has expired".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => format!("expired at {}", moment(*not_after)),
        CertificateError::NotValidYet => "is not valid yet".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("is not valid before {}", moment(*not_before))
        }
        CertificateError::UnknownIssuer => "was not issued by the named CA".to_owned(),
        CertificateError::NotValidForName => "is for another name".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<&str> = presented.iter().map(|name| bare(name)).collect();
            if names.is_empty() {
                return format!(
                    "names no host (it has no subjectAltName), so it is not for {}",
                    expected.to_str()
                );
            }
            format!("is for {}, not for {}", clean(&names.join(", "), TEXT), expected.to_str())
        }
        CertificateError::BadSignature => {
            "has a key of less than 2048 bits, or a signature that the named CA did not make".to_owned()
        }
        CertificateError::BadEncoding => "is damaged".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "is not for servers (extendedKeyUsage)".to_owned()
        }
        CertificateError::Other(other) => match format!("{other:?}") {
            text if text.contains("UnsupportedCertVersion") => {
                "is X.509 version 1, which has been obsolete since 1996".to_owned()
            }
            text if text.contains("CaUsedAsEndEntity") => {
                "is a CA's own (CA:TRUE), not a server's".to_owned()
            }
            _ => "cannot be used".to_owned(),
        },
        problem if format!("{problem:?}").contains("UnsupportedSignatureAlgorithm") => {
            "is signed with an algorithm that is no longer accepted (SHA-1?)".to_owned()
        }
        _ => "cannot be verified".to_owned(),
    }
}

/// rustls shows names as `DnsName("db.lan")`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inner.trim_matches('"')
}

fn moment(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds)
        .map_or_else(|_| "a time far away".to_owned(), |time| time.strftime("%Y-%m-%d").to_string())
}
