//! State shared by all connections of the daemon.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use zmes_shared::SessionId;

use super::connection_limits::ConnectionLimits;
use super::replay::AlarmRecord;
use super::settings::ServerSettings;
use crate::ports::{CertificateInfo, Clock, LoginCheck, PictureDoor, SnoozeDoor};
use crate::route::RouterHandle;
use crate::telemetry::Counters;

#[derive(Debug, Clone)]
pub struct WsParts {
    pub router: RouterHandle,
    pub login: Arc<dyn LoginCheck>,
    pub record: Arc<dyn AlarmRecord>,
    pub pictures: Arc<dyn PictureDoor>,
    pub snoozes: Arc<dyn SnoozeDoor>,
    pub certificate: Arc<dyn CertificateInfo>,
    pub counters: Arc<Counters>,
    pub clock: Arc<dyn Clock>,
}

#[derive(Debug)]
pub struct WsContext {
    pub(super) parts: WsParts,
    pub(super) limits: Arc<ConnectionLimits>,
    settings: ArcSwap<ServerSettings>,
    last_session: AtomicU64,
}

impl WsContext {
    pub fn new(parts: WsParts, settings: ServerSettings) -> Arc<Self> {
        Arc::new(Self {
            parts,
            limits: Arc::default(),
            settings: ArcSwap::from_pointee(settings),
            last_session: AtomicU64::new(0),
        })
    }

    pub fn reconfigure(&self, settings: ServerSettings) {
        self.settings.store(Arc::new(settings));
    }

    pub(super) fn settings(&self) -> Arc<ServerSettings> {
        self.settings.load_full()
    }

    pub(super) fn next_session(&self) -> SessionId {
        SessionId(self.last_session.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// Returns the address in its usual form: the IPv4 peer of a dual-stack socket becomes an IPv4 address.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
