//! The server behind a stand-in: TLS, HTTP/1.1 or HTTP/2 depending on ALPN, and the behaviours.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Contract;
use super::request::{Arrival, Request, Verdict};
use super::script::{Answer, Behaviour, Script};
use crate::wait::within;

/// Largest body that is read; no provider takes more than a few kilobytes.
const MAX_BODY: usize = 1024 * 1024;
/// Pause between the first piece of an answer and the reset: an immediate reset would discard the piece.
const BREAK_AFTER: Duration = Duration::from_millis(50);

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Why a request gets no answer.
#[derive(Debug)]
enum Failure {
    /// It was refused, and may be repeated on another connection.
    Refused(h2::Error),
    /// The body could not be read, or the behaviour is not to answer.
    Broken(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(_) => f.write_str("turned away"),
            Self::Broken(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Failure {
    /// HTTP/2 finds the reason of its `RST_STREAM` here.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(reason) => Some(reason),
            Self::Broken(_) => None,
        }
    }
}

/// State shared by the tasks of a stand-in.
#[derive(Debug)]
pub(super) struct Core<C> {
    pub(super) contract: C,
    log: Mutex<Log>,
    script: Mutex<Script>,
    connections: AtomicUsize,
}

/// What has happened so far.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) arrivals: Vec<Arrival>,
    pub(super) violations: Vec<String>,
    pub(super) connections: usize,
    pub(super) handshake_failures: Vec<String>,
}

/// What happens to a whole connection.
#[derive(Debug)]
enum Fate {
    Close,
    Freeze,
    /// Sends GOAWAY, then answers.
    GoAway(oneshot::Sender<()>),
}

impl<C> Core<C> {
    pub(super) fn new(contract: C) -> Self {
        Self { contract, log: Mutex::default(), script: Mutex::default(), connections: AtomicUsize::new(0) }
    }

    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an arrival. Returns its index, for the answer.
    fn note(&self, arrival: Arrival) -> usize {
        let mut log = self.log();
        log.arrivals.push(arrival);
        log.arrivals.len() - 1
    }

    fn answered(&self, place: usize, status: u16) {
        if let Some(arrival) = self.log().arrivals.get_mut(place) {
            arrival.status = Some(status);
        }
    }
}

/// Accepts connections until it is aborted; its connections end with it.
pub(super) async fn serve<C: Contract>(listener: TcpListener, core: Arc<Core<C>>, tls: TlsAcceptor) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((tcp, _)) = accepted {
                    connections.spawn(welcome(tcp, Arc::clone(&core), tls.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn welcome<C: Contract>(tcp: TcpStream, core: Arc<Core<C>>, tls: TlsAcceptor) {
    // Small answers are sent at once, as by every provider.
    drop(tcp.set_nodelay(true));
    match within("TLS handshake of a client", tls.accept(tcp)).await {
        Ok(Ok(stream)) => converse(stream, core).await,
        Ok(Err(error)) => core.log().handshake_failures.push(error.to_string()),
        Err(error) => core.log().handshake_failures.push(error.to_string()),
    }
}

/// Serves one connection until it ends or its fate arrives.
async fn converse<C: Contract>(stream: TlsStream<TcpStream>, core: Arc<Core<C>>) {
    let number = core.connections.fetch_add(1, Ordering::Relaxed) + 1;
    core.log().connections = number;
    let (_, session) = stream.get_ref();
    let http2 = session.alpn_protocol() == Some(b"h2".as_slice());
    let certificate = session.peer_certificates().and_then(|chain| chain.first()).map(|der| der.to_vec());
    let (fate_tx, mut fate_rx) = mpsc::channel(1);
    let service = service_fn(move |request| {
        let (core, fate_tx, certificate) = (Arc::clone(&core), fate_tx.clone(), certificate.clone());
        async move { answer(request, number, certificate, &core, &fate_tx).await }
    });
    let io = TokioIo::new(stream);
    if http2 {
        let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let mut connection = pin!(server.timer(TokioTimer::new()).serve_connection(io, service));
        loop {
            tokio::select! {
                _ = connection.as_mut() => return,
                Some(fate) = fate_rx.recv() => match fate {
                    Fate::Close => return,
                    Fate::Freeze => std::future::pending().await,
                    Fate::GoAway(said) => {
                        connection.as_mut().graceful_shutdown();
                        // The client may have dropped its request.
                        let _ = said.send(());
                    }
                }
            }
        }
    }
    let mut server = hyper::server::conn::http1::Builder::new();
    let mut connection = pin!(server.timer(TokioTimer::new()).serve_connection(io, service));
    tokio::select! {
        _ = connection.as_mut() => {}
        Some(fate) = fate_rx.recv() => match fate {
            // HTTP/1.1 has no GOAWAY: it closes.
            Fate::Close | Fate::GoAway(_) => {}
            Fate::Freeze => std::future::pending().await,
        }
    }
}

/// Reads a request, checks it, and follows the script.
async fn answer<C: Contract>(
    incoming: hyper::Request<Incoming>,
    connection: usize,
    certificate: Option<Vec<u8>>,
    core: &Core<C>,
    fate_tx: &mpsc::Sender<Fate>,
) -> Result<Response<Body>, Failure> {
    let (head, body) = incoming.into_parts();
    let body =
        Limited::new(body, MAX_BODY).collect().await.map_err(|error| Failure::Broken(error.to_string()))?;
    let host = head.uri.authority().map(ToString::to_string);
    let host = host.or_else(|| Some(head.headers.get("host")?.to_str().ok()?.to_owned()));
    let request = Request {
        connection,
        host: host.unwrap_or_default(),
        method: head.method,
        path: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        version: head.version,
        headers: head.headers,
        body: body.to_bytes().to_vec(),
        certificate,
    };
    let Verdict { route, token, violations, answer, refused } = core.contract.judge(&request);
    let named = |violation| format!("{}: {} {}: {violation}", C::NAME, request.method, request.path);
    core.log().violations.extend(violations.into_iter().map(named));
    let behaviour = if refused { Behaviour::Accept } else { core.script().take(route, token.as_deref()) };
    let place = core.note(Arrival { request, route, token, status: None, at: Instant::now() });
    let answer = match behaviour {
        Behaviour::Accept => answer,
        Behaviour::Slow(time) => {
            sleep(time).await;
            answer
        }
        Behaviour::Answer(ordered) => ordered,
        Behaviour::Reset => return Ok(broken()),
        Behaviour::Hang => return std::future::pending().await,
        Behaviour::CloseConnection => return doomed(fate_tx, Fate::Close).await,
        Behaviour::BlackHole => return doomed(fate_tx, Fate::Freeze).await,
        Behaviour::GoAway => {
            let (said_tx, said_rx) = oneshot::channel();
            drop(fate_tx.send(Fate::GoAway(said_tx)).await);
            drop(said_rx.await);
            return Err(Failure::Refused(h2::Reason::REFUSED_STREAM.into()));
        }
    };
    core.answered(place, answer.status);
    complete(answer)
}

/// Waits for the end of the whole connection.
async fn doomed(fate_tx: &mpsc::Sender<Fate>, fate: Fate) -> Result<Response<Body>, Failure> {
    drop(fate_tx.send(fate).await);
    std::future::pending().await
}

fn complete(answer: Answer) -> Result<Response<Body>, Failure> {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let body = Full::new(Bytes::from(answer.body)).map_err(|never: Infallible| match never {});
    response.body(body.boxed_unsync()).map_err(|error| Failure::Broken(error.to_string()))
}

/// Returns an answer that starts well and breaks off.
fn broken() -> Response<Body> {
    let pieces = stream::unfold(false, |begun| async move {
        if begun {
            sleep(BREAK_AFTER).await;
            return Some((Err(io::ErrorKind::ConnectionReset.into()), true));
        }
        Some((Ok(Frame::data(Bytes::from_static(b"{"))), true))
    });
    let mut response = Response::new(StreamBody::new(pieces).boxed_unsync());
    *response.headers_mut() = HeaderMap::from_iter([(
        hyper::header::CONTENT_LENGTH,
        hyper::header::HeaderValue::from_static("1000"),
    )]);
    response
}
