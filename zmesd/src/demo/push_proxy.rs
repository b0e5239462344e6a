//! The demo's replacement for the PushProxy: accepts the daemon's pushes and passes them to the demo's app.
//!
//! Owns: a listening socket on the loopback. Receives: requests of the daemon, over TLS, as a real PushProxy does.
//! Sends: notifications as a phone would show them. Ends: on its token. It supports only the daemon's requests; strict
//! stand-ins for tests are elsewhere.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use serde::Deserialize;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::DemoError;
use super::certificate::Certificate;

pub(super) const APP_NAME: &str = "demo";
/// The app's key. Not a secret: it is valid only for this run of the demo.
pub(super) const APP_KEY: &str = "demo";
const MAX_BODY: usize = 64 * 1024;
/// Maximum number of connections; the daemon needs one or two.
const CONNECTIONS: usize = 16;
/// Deadline for a handshake, and for the head of a request.
const DEADLINE: Duration = Duration::from_secs(5);
/// How many pushes the app may be behind; further ones are not printed.
const RINGS: usize = 64;

#[derive(Debug)]
pub(super) struct Ring {
    /// `ios` or `android`.
    pub(super) device: String,
    pub(super) alert: String,
    /// The number on the app's icon; `None` on Android.
    pub(super) badge: Option<u64>,
    pub(super) arrived: Instant,
}

#[derive(Debug)]
pub struct PushProxy {
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    rings: mpsc::Sender<Ring>,
}

#[derive(Debug, Deserialize)]
struct Message {
    device: String,
    alert: String,
    #[serde(default)]
    badge: Option<u64>,
}

impl PushProxy {
    /// Binds a free port on the loopback. Also returns the receiver of the phone's notifications.
    pub(super) fn bind(certificate: &Certificate) -> Result<(Self, mpsc::Receiver<Ring>), DemoError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listen = |source| DemoError::Listen(address, source);
        let listener = TcpListener::bind(address).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let (rings, heard) = mpsc::channel(RINGS);
        Ok((Self { listener, tls: certificate.server()?, rings }, heard))
    }

    pub(super) fn url(&self) -> Result<String, DemoError> {
        let address = self.listener.local_addr();
        let address = address
            .map_err(|source| DemoError::Listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), source))?;
        Ok(format!("https://{address}"))
    }

    pub async fn run(self, stop: CancellationToken) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let tls = TlsAcceptor::from(self.tls);
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => {
                    // The client closed the connection before it was accepted.
                    let Ok((tcp, _)) = accepted else { continue };
                    let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
                    let (tls, rings) = (tls.clone(), self.rings.clone());
                    connections.spawn(async move {
                        serve(tls, tcp, rings).await;
                        drop(place);
                    });
                }
            }
        }
    }
}

async fn serve(tls: TlsAcceptor, tcp: tokio::net::TcpStream, rings: mpsc::Sender<Ring>) {
    let Ok(Ok(stream)) = timeout(DEADLINE, tls.accept(tcp)).await else { return };
    let service = service_fn(move |request| {
        let rings = rings.clone();
        async move { Ok::<_, Infallible>(answer(request, &rings).await) }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_mins(2))
        .serve_connection(TokioIo::new(stream), service)
        .await
        .ok();
}

async fn answer(request: Request<Incoming>, rings: &mpsc::Sender<Ring>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    match (&head.method, head.uri.path()) {
        (&Method::GET, "/") | (&Method::POST, "/api/v2/tokens") => say(StatusCode::OK),
        (&Method::POST, "/api/v2/push") => {
            let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
                return say(StatusCode::BAD_REQUEST);
            };
            let Ok(Message { device, alert, badge }) = serde_json::from_slice(&body.to_bytes()) else {
                return say(StatusCode::BAD_REQUEST);
            };
            // If full, nobody reads the demo's output any more.
            rings.try_send(Ring { device, alert, badge, arrived: Instant::now() }).ok();
            say(StatusCode::ACCEPTED)
        }
        _ => say(StatusCode::NOT_FOUND),
    }
}

fn say(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"{}")));
    *response.status_mut() = status;
    response
}
