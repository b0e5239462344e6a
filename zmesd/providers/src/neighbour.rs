//! Other nodes of a cluster, which have pictures that this one does not.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::TransportProblem;
use crate::cause::ConnectCause;
use crate::http::{self, Timing};
use crate::visit::{VisitFault, fault};

/// Time to connect: nodes are near.
const CONNECT: Duration = Duration::from_secs(2);

/// Returns this server's own certificate, in DER; `None`: it has none.
pub type OwnCertificate = Arc<dyn Fn() -> Option<Vec<u8>> + Send + Sync>;

/// Asks other nodes.
#[derive(Debug)]
pub struct Neighbours(Client);

/// What a node has answered.
#[derive(Clone, PartialEq, Eq)]
pub struct NeighbourAnswer {
    /// The status.
    pub status: u16,
    /// It may have more to say in a moment.
    pub is_soon: bool,
    /// The header that was asked for.
    pub about: Option<String>,
    /// The body; `None`: it is longer than it may be.
    pub body: Option<Vec<u8>>,
}

/// The body is a picture.
impl fmt::Debug for NeighbourAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, is_soon, about, body } = self;
        let length = body.as_ref().map(Vec::len);
        write!(f, "NeighbourAnswer({status}, is_soon: {is_soon}, about: {about:?}, bytes: {length:?})")
    }
}

impl Neighbours {
    /// Sets up TLS. A node is known by a certificate that this machine trusts for its name, or by the same certificate as
    /// this server's: nodes share the one with the name that apps use. Reads files, so it blocks.
    ///
    /// # Errors
    ///
    /// If the roots cannot be read.
    pub fn new(own: OwnCertificate) -> Result<Self, TransportProblem> {
        let builder = http::tls_builder()?;
        let roots = Arc::new(http::roots(None)?);
        let trusted =
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(builder.crypto_provider()))
                .build()
                .map_err(|error| TransportProblem::Client(error.to_string()))?;
        let mut config = builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(SameOrTrusted { own, trusted }))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        http::with_tls(&config, Timing { connect: CONNECT, ..Timing::default() }).map(Self)
    }

    /// Asks for a URL, with a body of at most `most` bytes; `about` names a header of the answer. The caller has the
    /// deadline.
    ///
    /// # Errors
    ///
    /// If nobody answers, or somebody else.
    pub async fn ask(&self, url: &str, about: &str, most: u64) -> Result<NeighbourAnswer, VisitFault> {
        let asked = async {
            let mut answer = self.0.get(url).send().await?;
            let header = |name: &str| answer.headers().get(name)?.to_str().ok().map(str::to_owned);
            let (status, about) = (answer.status().as_u16(), header(about));
            let is_soon = header("retry-after").is_some();
            let mut body = Some(Vec::new());
            while let Some(read) = &mut body
                && let Some(chunk) = answer.chunk().await?
            {
                read.extend_from_slice(&chunk);
                if read.len() as u64 > most {
                    body = None;
                }
            }
            Ok::<_, reqwest::Error>(NeighbourAnswer { status, is_soon, about, body })
        };
        // The URL has a link that works for a moment.
        asked.await.map_err(|error| fault(ConnectCause::of(&error.without_url())))
    }
}

/// Takes the certificate that this server has, whatever is in it: only a node has its key.
struct SameOrTrusted {
    own: OwnCertificate,
    trusted: Arc<WebPkiServerVerifier>,
}

impl fmt::Debug for SameOrTrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SameOrTrusted").finish_non_exhaustive()
    }
}

impl ServerCertVerifier for SameOrTrusted {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if (self.own)().is_some_and(|own| own == end_entity.as_ref()) {
            return Ok(ServerCertVerified::assertion());
        }
        self.trusted.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.trusted.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.trusted.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trusted.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn asked(answer: Vec<u8>, most: u64) -> Result<NeighbourAnswer, VisitFault> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/p/x.jpg", listener.local_addr().unwrap());
        let nobody: OwnCertificate = Arc::new(|| None);
        let neighbours = tokio::task::spawn_blocking(|| Neighbours::new(nobody)).await.unwrap().unwrap();
        let serve = async {
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut head = [0; 1024];
            assert!(peer.read(&mut head).await.unwrap() > 0);
            // Who asks may have left before all of it is written.
            peer.write_all(&answer).await.ok();
        };
        tokio::join!(neighbours.ask(&url, "x-kind", most), serve).0
    }

    fn answer(more: &str, length: usize) -> Vec<u8> {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{more}\r\n");
        [head.as_bytes(), &vec![7; length]].concat()
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        let told = asked(answer("X-Kind: alarm\r\n", 100), 100).await.unwrap();
        let body = Some(vec![7; 100]);
        assert_eq!(told, NeighbourAnswer { status: 200, is_soon: false, about: Some("alarm".into()), body });
        let told = asked(answer("Retry-After: 2\r\n", 100_000), 99_999).await.unwrap();
        assert_eq!(told, NeighbourAnswer { status: 200, is_soon: true, about: None, body: None });
        assert_eq!(format!("{told:?}"), "NeighbourAnswer(200, is_soon: true, about: None, bytes: None)");
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_none() {
        let mut half = answer("", 100);
        half.truncate(80);
        assert!(matches!(asked(half, 100).await, Err(VisitFault::Unreachable(_))));
    }
}
