//! Visits: one GET as a phone makes it, to learn who answers at an address of this server's own.

use std::time::Duration;

use reqwest::Client;
use tokio::time::timeout;
use zmes_shared::words::FaultKind;

use crate::TransportProblem;
use crate::cause::ConnectCause;
use crate::http::{self, Timing};

/// Time to connect.
const CONNECT: Duration = Duration::from_secs(3);
/// Time for all of it.
const DEADLINE: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read.
const READ: usize = 256;

/// Makes visits.
#[derive(Debug)]
pub struct Visitor(Client);

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The status of the answer.
    pub status: u16,
    /// The beginning of its body.
    pub body: String,
}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VisitFault {
    /// The certificate is not one that others accept.
    #[error("{0}")]
    Certificate(String),
    /// The address does not answer, at least not from here.
    #[error("{0}")]
    Unreachable(String),
}

impl Visitor {
    /// Sets up TLS with the roots of this machine. Reads files, so it blocks.
    ///
    /// # Errors
    ///
    /// If the roots cannot be read.
    pub fn new() -> Result<Self, TransportProblem> {
        http::bare(Timing { connect: CONNECT, ..Timing::default() }).map(Self)
    }

    /// Asks for a URL; follows no redirect.
    ///
    /// # Errors
    ///
    /// If nobody answers in time, or not with a certificate that this machine trusts.
    pub async fn visit(&self, url: &str) -> Result<Visit, VisitFault> {
        let asked = async {
            let mut answer = self.0.get(url).send().await?;
            let status = answer.status().as_u16();
            let mut body = Vec::new();
            while body.len() < READ
                && let Some(chunk) = answer.chunk().await?
            {
                body.extend_from_slice(chunk.get(..READ - body.len()).unwrap_or(&chunk));
            }
            Ok::<_, reqwest::Error>(Visit { status, body: String::from_utf8_lossy(&body).into_owned() })
        };
        match timeout(DEADLINE, asked).await {
            Ok(answer) => answer.map_err(|error| fault(ConnectCause::of(&error.without_url()))),
            Err(_) => Err(VisitFault::Unreachable(format!("no answer within {} s", DEADLINE.as_secs()))),
        }
    }
}

pub(super) fn fault(cause: ConnectCause) -> VisitFault {
    let certificates = [
        FaultKind::CertificateExpired,
        FaultKind::CertificateName,
        FaultKind::UnknownAuthority,
        FaultKind::BadCertificate,
    ];
    if certificates.contains(&cause.kind) {
        VisitFault::Certificate(cause.text)
    } else {
        VisitFault::Unreachable(cause.text)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn what_is_answered_is_told_and_the_rest_of_a_long_answer_is_not_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/p/x.jpg", listener.local_addr().unwrap());
        let visitor = tokio::task::spawn_blocking(Visitor::new).await.unwrap().unwrap();
        let answer = async {
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut head = [0; 1024];
            assert!(peer.read(&mut head).await.unwrap() > 0);
            let body = "x".repeat(100_000);
            let answer = format!("HTTP/1.1 404 Not Found\r\nContent-Length: 100000\r\n\r\n{body}");
            // The visitor may have left before all of it is written.
            peer.write_all(answer.as_bytes()).await.ok();
        };
        let (visit, ()) = tokio::join!(visitor.visit(&url), answer);
        let visit = visit.unwrap();
        assert_eq!((visit.status, visit.body.len()), (404, READ));
        drop(listener);
        assert!(matches!(visitor.visit(&url).await, Err(VisitFault::Unreachable(_))));
    }
}
