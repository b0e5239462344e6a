//! Stand-ins for the push providers: real TLS servers that check every request against the provider's written contract.
//!
//! Each is a [`StandIn`] with its own [`Contract`]: [`PushProxy`], [`Fcm`] (with its [`OAuth`]), [`FcmFunction`],
//! [`Apns`], and [`TargetPeer`]. They know nothing about the program under test. Anything that breaks the contract is a
//! violation; a test ends with `standin.ensure_no_violations()`. [`Behaviour`]s decide what a provider does with good
//! requests.
//!
//! A stand-in runs in tasks of the test's own runtime and ends when it is dropped.

mod apns;
mod authority;
mod checks;
mod connection;
mod fcm;
mod fcm_function;
mod identity;
mod oauth;
mod push_proxy;
mod request;
mod script;
mod target_peer;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use anyhow::{Context, Result, ensure};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

pub use apns::{Apns, ApnsContract};
pub use authority::{Authority, Shown};
pub use checks::Checks;
pub use fcm::{Fcm, FcmContract};
pub use fcm_function::{FcmFunction, FcmFunctionContract};
pub use identity::Identity;
pub use oauth::{OAuth, OAuthContract};
pub use push_proxy::{PushProxy, PushProxyContract};
pub use request::{Arrival, Request, Verdict};
pub use script::{Answer, Behaviour, Route};
pub use target_peer::{TargetPeer, TargetPeerContract, form};

use connection::{Core, serve};

use crate::wait::wait_until;

/// Maximum number of connections waiting to be accepted.
const BACKLOG: u32 = 1024;

/// What a provider requires of a request, and how it answers.
pub trait Contract: fmt::Debug + Send + Sync + 'static {
    /// Its name in violations.
    const NAME: &'static str;
    /// Protocols offered by ALPN, best first.
    const ALPN: &'static [&'static [u8]];

    /// Checks a request against the contract.
    fn judge(&self, request: &Request) -> Verdict;

    /// Returns whether clients must present a certificate of the authority.
    fn client_certificates(&self) -> bool {
        false
    }
}

/// A provider on a port of this machine.
pub struct StandIn<C> {
    core: Arc<Core<C>>,
    tls: StdMutex<TlsAcceptor>,
    address: SocketAddr,
    authority: Authority,
    door: Mutex<Door>,
}

/// Whether clients can connect. If not, the port stays reserved.
enum Door {
    Open(JoinSet<()>),
    Closed(TcpSocket),
    Broken,
}

impl<C> fmt::Debug for StandIn<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandIn").field("address", &self.address).finish_non_exhaustive()
    }
}

impl<C: Contract> StandIn<C> {
    /// Starts serving with a certificate of `authority`.
    pub(crate) async fn serve(contract: C, authority: &Authority) -> Result<Self> {
        let tls =
            TlsAcceptor::from(authority.server(C::ALPN, contract.client_certificates(), Shown::Good)?);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let core = Arc::new(Core::new(contract));
        let door = Mutex::new(open(listener, &core, &tls));
        let tls = StdMutex::new(tls);
        Ok(Self { core, tls, address, authority: authority.clone(), door })
    }

    pub(crate) fn contract(&self) -> &C {
        &self.core.contract
    }

    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its URL without a path: `https://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Returns the PEM file with the root that signed its certificate.
    pub fn ca(&self) -> PathBuf {
        self.authority.ca()
    }

    /// Returns the authority, which can sign for other stand-ins, too.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Orders `behaviour` for the next `count` pushes, after those ordered before.
    pub fn answer_next(&self, count: usize, behaviour: &Behaviour) {
        self.answer_next_on(Route::Push, count, behaviour);
    }

    /// Orders `behaviour` for all pushes from now on.
    pub fn always(&self, behaviour: Behaviour) {
        self.always_on(Route::Push, behaviour);
    }

    /// Orders `behaviour` for the next `count` requests of a route.
    pub fn answer_next_on(&self, route: Route, count: usize, behaviour: &Behaviour) {
        self.core.script().next(route, None, count, behaviour);
    }

    /// Orders `behaviour` for all requests of a route from now on.
    pub fn always_on(&self, route: Route, behaviour: Behaviour) {
        self.core.script().always(route, None, behaviour);
    }

    /// Orders `behaviour` for the next `count` pushes to one token; overrides orders for all tokens.
    pub fn answer_token_next(&self, token: &str, count: usize, behaviour: &Behaviour) {
        self.core.script().next(Route::Push, Some(token), count, behaviour);
    }

    /// Orders `behaviour` for all pushes to one token; overrides orders for all tokens.
    pub fn always_token(&self, token: &str, behaviour: Behaviour) {
        self.core.script().always(Route::Push, Some(token), behaviour);
    }

    /// Stops listening and drops every connection: new ones are refused. The port stays reserved.
    pub async fn refuse(&self) -> Result<()> {
        let mut door = self.door.lock().await;
        if let Door::Open(mut tasks) = std::mem::replace(&mut *door, Door::Broken) {
            tasks.shutdown().await;
        }
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(self.address).context("keep the port of a closed stand-in")?;
        *door = Door::Closed(socket);
        Ok(())
    }

    /// Listens again, on the same port.
    pub async fn resume(&self) -> Result<()> {
        let mut door = self.door.lock().await;
        if let Door::Closed(socket) = std::mem::replace(&mut *door, Door::Broken) {
            let tls = self.tls.lock().unwrap_or_else(PoisonError::into_inner).clone();
            *door = open(socket.listen(BACKLOG)?, &self.core, &tls);
        }
        Ok(())
    }

    /// Presents another certificate from now on; every connection is dropped.
    pub async fn show(&self, shown: Shown) -> Result<()> {
        let config = self.authority.server(C::ALPN, self.core.contract.client_certificates(), shown)?;
        *self.tls.lock().unwrap_or_else(PoisonError::into_inner) = TlsAcceptor::from(config);
        self.refuse().await?;
        self.resume().await
    }

    /// Returns all requests so far, in order, including violations.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.core.log().arrivals.clone()
    }

    /// Returns the requests on one route.
    pub fn arrivals_on(&self, route: Route) -> Vec<Arrival> {
        self.select(&|arrival| arrival.route == route)
    }

    /// Returns the pushes so far, whatever they were answered.
    pub fn pushes(&self) -> Vec<Arrival> {
        self.arrivals_on(Route::Push)
    }

    /// Returns the number of pushes, without copying them.
    pub fn push_count(&self) -> usize {
        self.core.log().arrivals.iter().filter(|arrival| arrival.route == Route::Push).count()
    }

    /// Returns the pushes for one token.
    pub fn pushes_to(&self, token: &str) -> Vec<Arrival> {
        self.select(&|arrival| arrival.route == Route::Push && arrival.token.as_deref() == Some(token))
    }

    /// Returns the pushes that were accepted.
    pub fn accepted(&self) -> Vec<Arrival> {
        self.select(&accepted_push)
    }

    /// Returns the number of accepted pushes, without copying them.
    pub fn count_accepted(&self) -> usize {
        self.count(&accepted_push)
    }

    fn count(&self, wanted: &dyn Fn(&Arrival) -> bool) -> usize {
        self.core.log().arrivals.iter().filter(|arrival| wanted(arrival)).count()
    }

    fn select(&self, wanted: &dyn Fn(&Arrival) -> bool) -> Vec<Arrival> {
        self.core.log().arrivals.iter().filter(|arrival| wanted(arrival)).cloned().collect()
    }

    /// Returns the violations of the contract.
    pub fn violations(&self) -> Vec<String> {
        self.core.log().violations.clone()
    }

    /// Fails with all violations of the contract.
    pub fn ensure_no_violations(&self) -> Result<()> {
        let violations = self.violations();
        ensure!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
        Ok(())
    }

    /// Returns how many connections have finished their handshake.
    pub fn connections(&self) -> usize {
        self.core.log().connections
    }

    /// Returns why handshakes have failed.
    pub fn handshake_failures(&self) -> Vec<String> {
        self.core.log().handshake_failures.clone()
    }

    /// Waits for `count` pushes. Returns all that have arrived by then.
    pub async fn wait_pushes(&self, count: usize) -> Result<Vec<Arrival>> {
        self.wait_on(Route::Push, count).await
    }

    /// Waits for `count` pushes to one token.
    pub async fn wait_pushes_to(&self, token: &str, count: usize) -> Result<Vec<Arrival>> {
        let to_token =
            |arrival: &Arrival| arrival.route == Route::Push && arrival.token.as_deref() == Some(token);
        self.wait(&format!("pushes to {token}"), &to_token, count).await
    }

    /// Waits for `count` accepted pushes.
    pub async fn wait_accepted(&self, count: usize) -> Result<Vec<Arrival>> {
        self.wait("accepted pushes", &accepted_push, count).await
    }

    /// Waits for `count` requests on a route.
    pub async fn wait_on(&self, route: Route, count: usize) -> Result<Vec<Arrival>> {
        self.wait(&format!("{route:?}"), &|arrival: &Arrival| arrival.route == route, count).await
    }

    async fn wait(
        &self,
        what: &str,
        wanted: &dyn Fn(&Arrival) -> bool,
        count: usize,
    ) -> Result<Vec<Arrival>> {
        let what = format!("the {} has {count} × {what}", C::NAME);
        let arrived = wait_until(&what, async || Ok((self.count(wanted) >= count).then_some(()))).await;
        arrived.with_context(|| format!("violations: {:#?}", self.violations()))?;
        Ok(self.select(wanted))
    }
}

fn accepted_push(arrival: &Arrival) -> bool {
    arrival.route == Route::Push && arrival.accepted()
}

fn open<C: Contract>(listener: TcpListener, core: &Arc<Core<C>>, tls: &TlsAcceptor) -> Door {
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(listener, Arc::clone(core), tls.clone()));
    Door::Open(tasks)
}
