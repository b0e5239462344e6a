//! The client for one provider: TLS set up once, deadlines, bounded answers, and a fresh connection after one that
//! went silent.
//!
//! TLS is ours and not the client's, so that a check speaks exactly as a push does, and no process-wide default is
//! needed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, Url, Version};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout_at};
use zmes_shared::words::FaultKind;

use super::answer::Answer;
use super::cause::{Cause, cause};
use super::files::{self, Identity};
use super::problem::TransportProblem;
use crate::clock::WallClock;
use crate::fault::Fault;
use crate::push::PushError;

/// So much of an answer is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;
const AGENT: &str = concat!("zmesd/", env!("CARGO_PKG_VERSION"));

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// A push as a whole: connection, token of ours, request, answer.
    pub total: Duration,
    /// TCP and TLS.
    pub connect: Duration,
    /// Between two PINGs on an HTTP/2 connection, idle or not.
    pub ping_every: Duration,
    /// For the answer to a PING; after that the connection is dead.
    pub ping_answer: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            total: Duration::from_secs(10),
            connect: Duration::from_secs(5),
            ping_every: Duration::from_secs(30),
            ping_answer: Duration::from_secs(10),
        }
    }
}

/// Which HTTP a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Versions {
    /// As the TLS handshake settles it.
    Any,
    /// HTTP/2 alone: all requests share one connection from the first on.
    Http2,
}

/// What a client is made of.
#[derive(Debug)]
pub(super) struct Setup<'a> {
    /// Where it sends to.
    pub(super) base: Url,
    /// One more root to trust, with the key that names it.
    pub(super) root: Option<(&'static str, &'a Path)>,
    /// Who we are, where TLS has to prove it.
    pub(super) identity: Option<Identity>,
    pub(super) versions: Versions,
    pub(super) timing: Timing,
    pub(super) clock: WallClock,
}

/// The client for one provider.
#[derive(Debug)]
pub(super) struct Http {
    base: Url,
    tls: Arc<ClientConfig>,
    versions: Versions,
    timing: Timing,
    clock: WallClock,
    client: ArcSwap<Client>,
}

impl Http {
    /// Sets a client up. Reads files: not for the event loop.
    pub(super) fn new(setup: Setup<'_>) -> Result<Self, TransportProblem> {
        let tls = tls(roots(setup.root)?, setup.identity, setup.versions)?;
        let client = client(&tls, setup.versions, setup.timing)?;
        Ok(Self {
            base: setup.base,
            tls: Arc::new(tls),
            versions: setup.versions,
            timing: setup.timing,
            clock: setup.clock,
            client: ArcSwap::from_pointee(client),
        })
    }

    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    pub(super) fn tls(&self) -> &Arc<ClientConfig> {
        &self.tls
    }

    pub(super) fn timing(&self) -> Timing {
        self.timing
    }

    pub(super) fn clock(&self) -> &WallClock {
        &self.clock
    }

    /// Returns where it sends to: host and port.
    pub(super) fn target(&self) -> String {
        target(&self.base)
    }

    /// Returns when a push that begins now has to be over.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.timing.total
    }

    /// Sends a request and reads the answer, whatever its status.
    pub(super) async fn call(
        &self,
        deadline: Instant,
        request: impl FnOnce(&Client) -> RequestBuilder,
    ) -> Result<Answer, PushError> {
        let client = self.client.load_full();
        let exchange = async { read(request(&client).send().await?).await };
        let (kind, failed) = match timeout_at(deadline, exchange).await {
            Ok(Ok((head, body))) => return Ok(self.answer(head, &body)),
            Ok(Err(error)) if error.is_builder() => {
                (FaultKind::Credentials, format!("a key or a name cannot be sent: {}", cause(&error)))
            }
            Ok(Err(error)) if error.is_timeout() => (FaultKind::Timeout, "no connection in time".to_owned()),
            // A URL may hold the token.
            Ok(Err(error)) => Cause::of(&error.without_url()).into_parts(),
            Err(_) => {
                self.distrust(&client);
                (FaultKind::Timeout, "no answer in time".to_owned())
            }
        };
        Err(PushError::Transport(Fault::unanswered(kind, format!("{}: {failed}", self.target()))))
    }

    fn answer(&self, head: Head, body: &[u8]) -> Answer {
        Answer {
            status: head.status,
            version: head.version,
            headers: head.headers,
            whole: body.len() <= MAX_ANSWER,
            body: String::from_utf8_lossy(body.get(..MAX_ANSWER).unwrap_or(body)).into_owned(),
            at: self.clock.now(),
        }
    }

    /// Lets the next request open a new connection: an HTTP/2 connection that somebody on the way has forgotten
    /// takes requests and answers none, until a PING finds out. Requests that are under way keep theirs.
    fn distrust(&self, used: &Arc<Client>) {
        if !Arc::ptr_eq(&self.client.load(), used) {
            return;
        }
        if let Ok(fresh) = client(&self.tls, self.versions, self.timing) {
            self.client.store(Arc::new(fresh));
        }
    }
}

/// What comes before the body.
struct Head {
    status: reqwest::StatusCode,
    version: Version,
    headers: reqwest::header::HeaderMap,
}

/// Reads one byte more than counts, so that what is longer is told.
async fn read(mut response: Response) -> Result<(Head, Vec<u8>), reqwest::Error> {
    let mut body = Vec::new();
    while body.len() <= MAX_ANSWER
        && let Some(chunk) = response.chunk().await?
    {
        let room = MAX_ANSWER + 1 - body.len();
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
    }
    let (status, version) = (response.status(), response.version());
    let head = Head { status, version, headers: std::mem::take(response.headers_mut()) };
    Ok((head, body))
}

/// Adds a header that is printed nowhere, and that HTTP/2 compresses with nothing else.
pub(super) fn secret(request: RequestBuilder, name: &'static str, text: &str) -> RequestBuilder {
    match HeaderValue::from_str(text) {
        Ok(mut value) => {
            value.set_sensitive(true);
            request.header(name, value)
        }
        // The builder complains in its own time.
        Err(_) => request.header(name, text),
    }
}

/// Returns host and port of a URL.
pub(super) fn target(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    format!("{host}:{}", url.port_or_known_default().unwrap_or_default())
}

/// Reads a URL that a key of the configuration holds; a path in it is kept.
pub(super) fn url(key: &'static str, text: &str) -> Result<Url, TransportProblem> {
    let url = Url::parse(text).map_err(|error| TransportProblem::Url { key, detail: error.to_string() })?;
    if url.host_str().is_none() || !["https", "http"].contains(&url.scheme()) {
        return Err(TransportProblem::Url { key, detail: "no https:// with a host".to_owned() });
    }
    Ok(url)
}

/// Returns the URL of a path below another.
pub(super) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let front = base.path().trim_end_matches('/');
    url.set_path(&format!("{front}/{path}"));
    url
}

fn client(tls: &ClientConfig, versions: Versions, timing: Timing) -> Result<Client, TransportProblem> {
    let builder = Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .user_agent(AGENT)
        // What a check shows is what happens: no detours by environment variables.
        .no_proxy()
        .redirect(Policy::none())
        .connect_timeout(timing.connect)
        .tcp_keepalive(timing.ping_every)
        .http2_keep_alive_interval(timing.ping_every)
        .http2_keep_alive_timeout(timing.ping_answer)
        .http2_keep_alive_while_idle(true);
    let builder = match versions {
        Versions::Any => builder,
        Versions::Http2 => builder.http2_prior_knowledge(),
    };
    builder.build().map_err(|error| TransportProblem::Client(cause(&error)))
}

/// Returns TLS for a client.
pub(super) fn tls(
    roots: RootCertStore,
    identity: Option<Identity>,
    versions: Versions,
) -> Result<ClientConfig, TransportProblem> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| TransportProblem::Client(error.to_string()))?
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| TransportProblem::Identity(error.to_string()))?,
    };
    config.alpn_protocols = match versions {
        Versions::Any => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        Versions::Http2 => vec![b"h2".to_vec()],
    };
    Ok(config)
}

/// Returns whom this machine trusts (`SSL_CERT_FILE` counts), and one more.
fn roots(extra: Option<(&'static str, &Path)>) -> Result<RootCertStore, TransportProblem> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    if let Some((key, path)) = extra {
        trust(&mut roots, key, path)?;
    }
    if roots.is_empty() {
        let detail = system.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(TransportProblem::NoRoots { detail });
    }
    Ok(roots)
}

/// Returns whom this machine trusts.
pub(super) fn machine_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Trusts the certificates of a file, too.
pub(super) fn trust(
    roots: &mut RootCertStore,
    key: &'static str,
    path: &Path,
) -> Result<(), TransportProblem> {
    for certificate in files::certificates(key, path)? {
        roots.add(certificate).map_err(|error| TransportProblem::Unusable {
            key,
            path: path.to_owned(),
            detail: error.to_string(),
        })?;
    }
    Ok(())
}
