//! `zmesctl clients rejected`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The clients that were refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rejected {
    /// Most recent first. The daemon keeps a bounded number of entries since its start and drops the oldest.
    pub rejected: Vec<Rejection>,
}

/// Refusals of one address for one reason (and one user, if one was named).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rejection {
    /// The client's address without its port (behind a trusted proxy: as reported by the proxy). IPv6 clients of one
    /// /64 network share an entry, which shows the last address.
    pub address: String,
    /// Why it was refused.
    pub reason: RefusalReason,
    /// The user name as the client sent it, cleaned and cut; `null` if it sent none.
    pub user: Option<String>,
    /// How often.
    pub count: u64,
    /// The last time.
    pub last_at: Timestamp,
    /// The first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_at: Option<Timestamp>,
    /// Details of the last refusal: the requested name, the web page, the fault of the login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What to change so that the client gets in.
    #[serde(default)]
    pub hint: String,
}

/// Why a client was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// A web page of another origin tried to connect (HTTP 403).
    Origin,
    /// An HTTP request that is not a WebSocket upgrade (HTTP 426).
    NotWebsocket,
    /// Bytes that are neither HTTP nor TLS, or a broken request.
    BadRequest,
    /// Plain `ws://` or `http://` on a TLS port.
    PlainOnTls,
    /// TLS on a plain-text port.
    TlsOnPlain,
    /// The client supports no TLS version or cipher that zmesd supports (TLS 1.2 and 1.3).
    TlsVersion,
    /// The client does not trust the certificate.
    UntrustedCertificate,
    /// The client reports that the certificate has expired.
    ExpiredCertificate,
    /// The client asked for a name that is not in the certificate.
    WrongName,
    /// The client hung up after it saw the certificate, without a reason.
    TlsGivenUp,
    /// TLS failed for another reason.
    TlsFailed,
    /// A trusted proxy sent a PROXY header that cannot be read.
    ProxyHeader,
    /// The client did not finish PROXY header, TLS and HTTP request in time.
    HandshakeTimeout,
    /// Too many new connections from one address.
    ConnectionRate,
    /// The limit `server.max-clients` of logged-in clients is reached.
    MaxClients,
    /// The limit `server.max-clients-per-address` is reached for one address.
    MaxClientsPerAddress,
    /// Closed before its login to make room for newer connections.
    Evicted,
    /// Wrong, unknown or barred user, wrong password, or an invalid token.
    BadCredentials,
    /// No credentials in time.
    AuthTimeout,
    /// Not checked, after too many wrong logins.
    Throttled,
    /// Credentials could not be checked: the database was away, or too many logins waited.
    LoginUnavailable,
    /// Violated the WebSocket protocol, message size or rate before its login.
    Protocol,
    /// A reason of a newer daemon.
    #[serde(other)]
    Unknown,
}

const BEHIND_PROXY: &str =
    "behind a proxy, name it in server.trusted-proxies; else raise server.max-clients-per-address";

impl RefusalReason {
    /// Every reason that a daemon of this version reports.
    pub const ALL: [Self; 22] = [
        Self::Origin,
        Self::NotWebsocket,
        Self::BadRequest,
        Self::PlainOnTls,
        Self::TlsOnPlain,
        Self::TlsVersion,
        Self::UntrustedCertificate,
        Self::ExpiredCertificate,
        Self::WrongName,
        Self::TlsGivenUp,
        Self::TlsFailed,
        Self::ProxyHeader,
        Self::HandshakeTimeout,
        Self::ConnectionRate,
        Self::MaxClients,
        Self::MaxClientsPerAddress,
        Self::Evicted,
        Self::BadCredentials,
        Self::AuthTimeout,
        Self::Throttled,
        Self::LoginUnavailable,
        Self::Protocol,
    ];

    /// Returns its word in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        self.words().0
    }

    /// Returns what to change so that the client gets in.
    pub fn hint(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Origin => ("origin", "add the page's origin to server.allowed-origins if it may connect"),
            Self::NotWebsocket => (
                "not_websocket",
                "a browser or a proxy that does not pass on WebSocket upgrades: forward the headers Upgrade and Connection",
            ),
            Self::BadRequest => (
                "bad_request",
                "something else than an app: a scanner, or a proxy that speaks another protocol",
            ),
            Self::PlainOnTls => ("plain_on_tls", "enter wss:// instead of ws:// in the app"),
            Self::TlsOnPlain => (
                "tls_on_plain",
                "enter ws:// in the app, or set server.plaintext = false and name a certificate",
            ),
            Self::TlsVersion => ("tls_version", "update the client: zmesd speaks TLS 1.2 and 1.3 alone"),
            Self::UntrustedCertificate => (
                "untrusted_certificate",
                "serve the full chain of a trusted CA, or let the phone trust yours: zmesctl check tls",
            ),
            Self::ExpiredCertificate => (
                "expired_certificate",
                "renew the certificate, then: zmesctl reload; or set the clock of the client",
            ),
            Self::WrongName => (
                "wrong_name",
                "use a name of the certificate in the app, or get a certificate for the name it asks for",
            ),
            Self::TlsGivenUp => {
                ("tls_given_up", "the app does not accept the certificate: zmesctl check tls")
            }
            Self::TlsFailed => {
                ("tls_failed", "the log at level debug has the error: zmesctl log level debug --for 10m")
            }
            Self::ProxyHeader => {
                ("proxy_header", "let the proxy send PROXY protocol version 1 or 2, or none")
            }
            Self::HandshakeTimeout => {
                ("handshake_timeout", "the client connects and stays silent: a slow network, or a port check")
            }
            Self::MaxClients => ("max_clients", "raise server.max-clients"),
            Self::ConnectionRate => ("connection_rate", BEHIND_PROXY),
            Self::MaxClientsPerAddress => ("max_clients_per_address", BEHIND_PROXY),
            Self::Evicted => {
                ("evicted", "too many connections wait without a login: zmesctl clients list --state pending")
            }
            Self::BadCredentials => {
                ("bad_credentials", "check user name and password in the app's event server settings")
            }
            Self::AuthTimeout => {
                ("auth_timeout", "enter user name and password in the app's event server settings")
            }
            Self::Throttled => ("throttled", "correct the stored password first, then wait a minute"),
            Self::LoginUnavailable => ("login_unavailable", "zmesctl check db"),
            Self::Protocol => {
                ("protocol", "update the app; zmesctl log level debug --for 10m shows what it sends")
            }
            Self::Unknown => ("unknown", "update zmesctl: this daemon is newer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_word_in_json_and_a_hint() {
        for reason in RefusalReason::ALL {
            let json = serde_json::to_value(reason).unwrap();
            assert_eq!(json, reason.as_str());
            assert!(!reason.hint().is_empty(), "{reason:?}");
        }
        let newer: RefusalReason = serde_json::from_str("\"moon_phase\"").unwrap();
        assert_eq!(newer, RefusalReason::Unknown);
    }
}
