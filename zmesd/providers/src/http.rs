//! The client for one provider: deadlines, bounded answers, a new connection after one that stopped answering. TLS is set
//! up here and not by reqwest, so that a check uses the same TLS as a push.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, Url};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use tokio::time::{Instant, timeout_at};
use zmes_shared::words::FaultKind;

use super::answer::ProviderAnswer;
use super::cause::{ConnectCause, cause};
use super::files::{self, ClientIdentity};
use super::problem::TransportProblem;
use super::reach::Reach;
use super::transports::TransportContext;
use crate::clock::WallClock;
use crate::push::{PushError, TransportFault};

/// Longest body that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;
const AGENT: &str = concat!("zmesd/", env!("CARGO_PKG_VERSION"));

/// Deadlines.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// For a whole push: connection, OAuth token, request, answer.
    pub total: Duration,
    /// For TCP and TLS.
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Versions {
    /// Negotiated in the TLS handshake.
    Any,
    /// Only HTTP/2: all requests share one connection from the first on.
    Http2,
}

#[derive(Debug)]
pub(super) struct Http {
    pub(super) base: Url,
    pub(super) tls: Arc<ClientConfig>,
    versions: Versions,
    pub(super) reach: Reach,
    pub(super) timing: Timing,
    pub(super) clock: WallClock,
    client: ArcSwap<Client>,
}

impl Http {
    /// A client without a certificate of its own, for any version of HTTP. `root`: one more trusted root, with its key in
    /// `zmesd.toml`. Reads files, so it blocks.
    pub(super) fn new(
        base: Url,
        root: Option<(&'static str, &Path)>,
        common: &TransportContext,
    ) -> Result<Self, TransportProblem> {
        Self::reaching(base, root, Reach::Anywhere, common)
    }

    /// The same with a limit on where the server may be.
    pub(super) fn reaching(
        base: Url,
        root: Option<(&'static str, &Path)>,
        reach: Reach,
        common: &TransportContext,
    ) -> Result<Self, TransportProblem> {
        let versions = Versions::Any;
        Self::over(base, tls(roots(root)?, None, versions)?, versions, reach, common)
    }

    pub(super) fn with_identity(
        base: Url,
        root: Option<(&'static str, &Path)>,
        identity: Option<ClientIdentity>,
        versions: Versions,
        common: &TransportContext,
    ) -> Result<Self, TransportProblem> {
        let tls = tls(roots(root)?, identity, versions)?;
        Self::over(base, tls, versions, Reach::Anywhere, common)
    }

    fn over(
        base: Url,
        tls: ClientConfig,
        versions: Versions,
        reach: Reach,
        common: &TransportContext,
    ) -> Result<Self, TransportProblem> {
        let (timing, clock) = (common.timing, common.clock.clone());
        let client = ArcSwap::from_pointee(client(&tls, versions, reach, timing)?);
        Ok(Self { base, tls: Arc::new(tls), versions, reach, timing, clock, client })
    }

    pub(super) fn target(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        format!("{host}:{}", self.base.port_or_known_default().unwrap_or_default())
    }

    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.timing.total
    }

    pub(super) async fn call(
        &self,
        deadline: Instant,
        request: impl FnOnce(&Client) -> RequestBuilder,
    ) -> Result<ProviderAnswer, PushError> {
        let client = self.client.load_full();
        let exchange = async { read(request(&client).send().await?, &self.clock).await };
        let failed = match timeout_at(deadline, exchange).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) if error.is_builder() => ConnectCause::new(
                FaultKind::Credentials,
                format!("a key or a name contains characters that cannot be sent: {}", cause(&error)),
            ),
            Ok(Err(error)) if error.is_timeout() => {
                ConnectCause::new(FaultKind::Timeout, "no connection in time")
            }
            // A URL may contain the token.
            Ok(Err(error)) => ConnectCause::of(&error.without_url()),
            Err(_) => {
                self.distrust(&client);
                ConnectCause::new(FaultKind::Timeout, "no answer in time")
            }
        };
        let detail = format!("{}: {}", self.target(), failed.text);
        Err(PushError::Transport(TransportFault::unanswered(failed.kind, detail)))
    }

    /// Makes the next request open a new connection: an HTTP/2 connection that a NAT or firewall on the way dropped
    /// accepts requests and answers none until a PING times out. Requests in flight keep theirs.
    fn distrust(&self, used: &Arc<Client>) {
        if !Arc::ptr_eq(&self.client.load(), used) {
            return;
        }
        if let Ok(fresh) = client(&self.tls, self.versions, self.reach, self.timing) {
            self.client.store(Arc::new(fresh));
        }
    }
}

/// Reads one byte more than `MAX_ANSWER`, to recognize longer bodies.
async fn read(mut response: Response, clock: &WallClock) -> Result<ProviderAnswer, reqwest::Error> {
    let mut body = Vec::new();
    while body.len() <= MAX_ANSWER
        && let Some(chunk) = response.chunk().await?
    {
        let room = MAX_ANSWER + 1 - body.len();
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
    }
    Ok(ProviderAnswer {
        status: response.status(),
        version: response.version(),
        headers: std::mem::take(response.headers_mut()),
        whole: body.len() <= MAX_ANSWER,
        body: String::from_utf8_lossy(body.get(..MAX_ANSWER).unwrap_or(&body)).into_owned(),
        at: clock.now(),
    })
}

/// Adds a header that is not printed, and that HTTP/2 never puts into its compression table.
pub(super) fn secret(request: RequestBuilder, name: &'static str, text: &str) -> RequestBuilder {
    match HeaderValue::from_str(text) {
        Ok(mut value) => {
            value.set_sensitive(true);
            request.header(name, value)
        }
        // The builder reports it when the request is sent.
        Err(_) => request.header(name, text),
    }
}

/// Parses the URL of a key; keeps its path.
pub(super) fn url(key: &'static str, text: &str) -> Result<Url, TransportProblem> {
    let url = Url::parse(text).map_err(|error| TransportProblem::Url { key, detail: error.to_string() })?;
    if url.host_str().is_none() || !["https", "http"].contains(&url.scheme()) {
        return Err(TransportProblem::Url { key, detail: "not an https:// URL with a host".to_owned() });
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

/// Returns a client without a base: for servers that are no push providers. Reads the machine's roots, so it blocks.
pub(super) fn bare(timing: Timing) -> Result<Client, TransportProblem> {
    with_tls(&tls(roots(None)?, None, Versions::Any)?, timing)
}

/// The same with a TLS of its own.
pub(super) fn with_tls(tls: &ClientConfig, timing: Timing) -> Result<Client, TransportProblem> {
    client(tls, Versions::Any, Reach::Anywhere, timing)
}

fn client(
    tls: &ClientConfig,
    versions: Versions,
    reach: Reach,
    timing: Timing,
) -> Result<Client, TransportProblem> {
    let builder = Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .user_agent(AGENT)
        // A push must go where the check goes: no proxies from environment variables.
        .no_proxy()
        .redirect(Policy::none())
        .dns_resolver(reach)
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

/// Begins a TLS of any client of this crate: which versions and which cryptography.
pub(super) fn tls_builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TransportProblem> {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| TransportProblem::Client(error.to_string()))
}

pub(super) fn tls(
    roots: RootCertStore,
    identity: Option<ClientIdentity>,
    versions: Versions,
) -> Result<ClientConfig, TransportProblem> {
    let builder = tls_builder()?.with_root_certificates(roots);
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

/// Returns the roots of this machine (`SSL_CERT_FILE` counts) and one more.
pub(super) fn roots(extra: Option<(&'static str, &Path)>) -> Result<RootCertStore, TransportProblem> {
    let (mut roots, errors) = machine_roots();
    if let Some((key, path)) = extra {
        trust(&mut roots, key, path)?;
    }
    if roots.is_empty() {
        let detail = errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(TransportProblem::NoRoots { detail });
    }
    Ok(roots)
}

pub(super) fn machine_roots() -> (RootCertStore, Vec<rustls_native_certs::Error>) {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    (roots, system.errors)
}

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
