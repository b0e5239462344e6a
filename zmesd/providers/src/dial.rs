//! Connects to a server with another protocol than HTTP, with the same TLS, steps and messages as for pushes.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::check::{Steps, open, resolve, secure};
use super::files;
use super::http::{Versions, roots, tls};
use super::problem::TransportProblem;
use super::reach::Reach;
use crate::clock::WallClock;
use crate::push::CheckStep;

/// A connection, with TLS or without.
pub type DialedStream = Either<TcpStream, TlsStream<TcpStream>>;

/// A server, and how to connect to it.
#[derive(Clone)]
pub struct Dial {
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    clock: WallClock,
    limit: Duration,
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dial({}:{}, tls: {})", self.host, self.port, self.tls.is_some())
    }
}

impl Dial {
    /// A server without TLS; each step may take as long as `limit`.
    pub fn plain(host: &str, port: u16, clock: WallClock, limit: Duration) -> Self {
        Self { host: host.to_owned(), port, tls: None, clock, limit }
    }

    /// The same with TLS: `root` is one more trusted root, `identity` what the server is shown, a certificate and its key;
    /// each with its key in `zmesd.toml`. Reads files, so it blocks.
    pub fn with_tls(
        self,
        root: Option<(&'static str, &Path)>,
        identity: Option<[(&'static str, &Path); 2]>,
    ) -> Result<Self, TransportProblem> {
        let identity = identity.map(|[(certificate, chain), (key, file)]| {
            Ok((files::certificates(certificate, chain)?, files::private_key(key, file)?))
        });
        let roots: RootCertStore = roots(root)?;
        let mut config = tls(roots, identity.transpose()?, Versions::Any)?;
        // ALPN names of HTTP do not apply.
        config.alpn_protocols.clear();
        Ok(Self { tls: Some(Arc::new(config)), ..self })
    }

    /// Connects, and adds the steps that were taken. `None`: the last one failed.
    pub async fn open(&self, taken: &mut Vec<CheckStep>) -> Option<DialedStream> {
        let mut steps = Steps(std::mem::take(taken));
        let stream = self.connect(&mut steps).await;
        *taken = steps.0;
        stream
    }

    async fn connect(&self, steps: &mut Steps) -> Option<DialedStream> {
        let addresses =
            steps.step("dns", self.limit, resolve(Reach::Anywhere, &self.host, self.port)).await?;
        let stream = steps.step("tcp", self.limit, open(&addresses)).await?;
        stream.set_nodelay(true).ok();
        let Some(tls) = &self.tls else { return Some(Either::Left(stream)) };
        let secured = steps.step("tls", self.limit, secure(tls, &self.clock, &self.host, stream)).await?;
        Some(Either::Right(secured))
    }
}
