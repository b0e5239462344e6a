//! The port for apps, from inside: TLS and the WebSocket handshake as an app does them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite;
use zmes_shared::views::Finding;

use crate::admin::AdminParts;

/// How long the handshakes of one address may take: an app gives up after about as long.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long to wait for the close frame of the other side.
const CLOSING: Duration = Duration::from_millis(200);
/// Addresses that are tried.
const TRIED: usize = 4;
const STEP: &str = "port";

#[derive(Debug, thiserror::Error)]
enum HandshakeFailure {
    #[error("{0} is not an address")]
    Address(String),
    #[error("cannot connect: {0}")]
    Connect(std::io::Error),
    #[error("TLS failed: {0}")]
    Tls(String),
    #[error("WebSocket failed: {0}")]
    WebSocket(tungstenite::Error),
    #[error("no answer within {} s", DEADLINE.as_secs())]
    Timeout,
}

pub(super) async fn look(parts: &AdminParts) -> Vec<Finding> {
    let listening = parts.listening.borrow().clone();
    if listening.is_empty() {
        let detail = "no port for apps is open";
        return vec![Finding::error(STEP, detail, "journalctl -u zmesd; see server.listen")];
    }
    let tries = listening.iter().take(TRIED).map(|url| try_port(url));
    futures_util::future::join_all(tries).await
}

async fn try_port(url: &str) -> Finding {
    let begun = Instant::now();
    match timeout(DEADLINE, enter(url)).await.unwrap_or(Err(HandshakeFailure::Timeout)) {
        Ok(words) => {
            let took = begun.elapsed().as_millis();
            Finding::good(STEP, format!("{url} accepts apps ({words}, {took} ms)"))
        }
        Err(refusal) => {
            let full = matches!(&refusal, HandshakeFailure::WebSocket(tungstenite::Error::Http(answer)) if answer.status() == 503);
            let hint = if full {
                "too many apps? zmesctl clients list; see server.max-clients"
            } else {
                "journalctl -u zmesd -n 50, then: systemctl restart zmesd"
            };
            Finding::error(STEP, format!("{url} does not accept apps: {refusal}"), hint)
        }
    }
}

async fn enter(url: &str) -> Result<String, HandshakeFailure> {
    let wrong = || HandshakeFailure::Address(url.to_owned());
    let (scheme, address) = url.split_once("://").ok_or_else(wrong)?;
    let address: SocketAddr = address.parse().map_err(|_| wrong())?;
    let tcp = TcpStream::connect(reachable(address)).await.map_err(HandshakeFailure::Connect)?;
    if scheme == "ws" {
        upgrade(tcp).await?;
        return Ok("WebSocket without TLS".to_owned());
    }
    let config = client().map_err(|error| HandshakeFailure::Tls(error.to_string()))?;
    let name = ServerName::from(address.ip());
    let connected = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
    let stream = connected.map_err(|error| HandshakeFailure::Tls(error.to_string()))?;
    let words = format!("{}, WebSocket", zmes_providers::tls_version(stream.get_ref().1.protocol_version()));
    upgrade(stream).await?;
    Ok(words)
}

async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> Result<(), HandshakeFailure> {
    let handshake = Box::pin(client_async("ws://localhost/", stream)).await;
    let (mut socket, _) = handshake.map_err(HandshakeFailure::WebSocket)?;
    timeout(CLOSING, socket.close(None)).await.ok();
    Ok(())
}

/// Returns an address that can be connected to where any address is listened on.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn client() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// Accepts any certificate: the other end is this process, and nothing is sent. Another step judges the certificate;
/// that the server has its key is still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_port_that_nobody_serves_is_red() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let finding = try_port(&format!("wss://{address}")).await;
        assert!(!finding.ok && finding.detail.contains("cannot connect"), "{finding:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_port_that_says_nothing_is_red_in_time() {
        // Accepted by the kernel, and never served.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let finding = try_port(&format!("ws://{}", listener.local_addr().unwrap())).await;
        assert!(finding.detail.ends_with("no answer within 5 s"), "{finding:?}");
    }

    #[test]
    fn any_address_is_reached_from_inside() {
        for (listened, reached) in
            [("[::]:9000", "[::1]:9000"), ("0.0.0.0:9000", "127.0.0.1:9000"), ("192.0.2.1:9", "192.0.2.1:9")]
        {
            assert_eq!(reachable(listened.parse().unwrap()), reached.parse().unwrap());
        }
    }
}
