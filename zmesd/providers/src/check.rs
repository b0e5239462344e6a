//! The steps of a check, each timed; the first that fails is the last.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{StatusCode, Url};
use rustls::{ClientConfig, ProtocolVersion};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_parser::prelude::{FromDer, X509Certificate};
use zmes_shared::words::FaultKind;

use super::answer::ProviderAnswer;
use super::cause::ConnectCause;
use super::http::Http;
use super::reach::Reach;
use crate::clock::WallClock;
use crate::push::{CheckStep, PushError};

const SECONDS_A_DAY: i64 = 24 * 60 * 60;

#[derive(Debug, Default)]
pub(super) struct Steps(pub(super) Vec<CheckStep>);

impl Steps {
    /// Runs one step, and records its detail or why it failed. `None`: it failed.
    pub(super) async fn step<T>(
        &mut self,
        name: &'static str,
        limit: Duration,
        step: impl Future<Output = Result<(T, String), ConnectCause>>,
    ) -> Option<T> {
        let begun = Instant::now();
        let outcome = timeout(limit, step)
            .await
            .unwrap_or_else(|_| Err(ConnectCause::new(FaultKind::Timeout, "no answer in time")));
        let (value, detail, fault) = match outcome {
            Ok((value, detail)) => (Some(value), detail, None),
            Err(ConnectCause { kind, text }) => (None, text, Some(kind)),
        };
        self.0.push(CheckStep { name, took: begun.elapsed(), detail, fault });
        value
    }

    /// Connects, with TLS if the URL is https. `None`: it failed.
    pub(super) async fn connect(&mut self, http: &Http, url: &Url) -> Option<()> {
        let limit = http.timing.connect;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().unwrap_or_default();
        let addresses = self.step("dns", limit, resolve(http.reach, &host, port)).await?;
        let stream = self.step("tcp", limit, open(&addresses)).await?;
        if url.scheme() == "https" {
            let shown = self.step("tls", limit, secure(&http.tls, &http.clock, &host, stream));
            drop(shown.await?);
        }
        Some(())
    }

    /// Connects to the transport's own address and waits for the answer to `request`, which begins after that.
    /// `works` says which status is a success; others fail the step. `None`: a step failed.
    pub(super) async fn reach(
        &mut self,
        http: &Http,
        request: impl Future<Output = Result<ProviderAnswer, PushError>>,
        works: fn(StatusCode) -> bool,
    ) -> Option<ProviderAnswer> {
        self.connect(http, &http.base).await?;
        let answered = async {
            let answer = request.await?;
            let line = answer.status_line();
            if works(answer.status) {
                Ok((answer, line))
            } else {
                Err(ConnectCause::from(answer.by_status(line)))
            }
        };
        self.step("http", http.timing.total, answered).await
    }
}

/// Any answer is a success, whatever its status: for addresses without content.
pub(super) fn is_no_server_error(status: StatusCode) -> bool {
    !status.is_server_error()
}

pub(super) async fn resolve(
    reach: Reach,
    host: &str,
    port: u16,
) -> Result<(Vec<SocketAddr>, String), ConnectCause> {
    let found = reach.resolve(host, port).await;
    let found = found.map_err(|error| ConnectCause::new(FaultKind::Dns, ConnectCause::of(&error).text))?;
    if found.is_empty() {
        return Err(ConnectCause::new(FaultKind::Dns, format!("{host} has no address")));
    }
    let shown = found.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ");
    Ok((found, shown))
}

pub(super) async fn open(addresses: &[SocketAddr]) -> Result<(TcpStream, String), ConnectCause> {
    let mut failed = ConnectCause::new(FaultKind::Dns, "no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok((stream, address.to_string())),
            Err(error) => {
                let ConnectCause { kind, text } = ConnectCause::of(&error);
                failed = ConnectCause::new(kind, format!("{address}: {text}"));
            }
        }
    }
    Err(failed)
}

pub(super) async fn secure(
    tls: &Arc<ClientConfig>,
    clock: &WallClock,
    host: &str,
    stream: TcpStream,
) -> Result<(TlsStream<TcpStream>, String), ConnectCause> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        ConnectCause::new(FaultKind::Tls, format!("{host} is not a valid server name for TLS"))
    })?;
    let connector = TlsConnector::from(Arc::clone(tls));
    let connected: io::Result<_> = connector.connect(name, stream).await;
    let connection = connected.map_err(|error| ConnectCause::of(&error))?;
    let (_, session) = connection.get_ref();
    let version = tls_version(session.protocol_version());
    let chain = session.peer_certificates().unwrap_or_default();
    let shown = format!("{version}, {}", describe(chain, clock.now()));
    Ok((connection, shown))
}

/// Returns the version of TLS in words for people.
pub fn tls_version(version: Option<ProtocolVersion>) -> &'static str {
    match version {
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        _ => "TLS",
    }
}

/// `CN=zm.example.org < CN=R11,O=Let's Encrypt, 62 days left`
fn describe(chain: &[CertificateDer<'_>], now: Timestamp) -> String {
    let parsed: Vec<_> = chain
        .iter()
        .filter_map(|der| X509Certificate::from_der(der).ok().map(|(_, parsed)| parsed))
        .collect();
    let Some(own) = parsed.first() else { return "no certificate".to_owned() };
    let mut names: Vec<_> = parsed.iter().map(|certificate| certificate.subject().to_string()).collect();
    if let Some(last) = parsed.last().filter(|last| last.subject().as_raw() != last.issuer().as_raw()) {
        names.push(last.issuer().to_string());
    }
    let left = own.validity().not_after.timestamp().saturating_sub(now.as_second());
    let left = left.div_euclid(SECONDS_A_DAY);
    let names: Vec<_> = names.iter().map(|name| super::answer::quote(name, None, &[])).collect();
    format!("{}, {left} days left", names.join(" < "))
}
