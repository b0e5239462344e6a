//! What Prometheus and supervisors see: `/metrics`, `/healthz`, `/readyz`, on the loopback or a Unix socket.
//!
//! An edge like the control socket: it reads what other rooms own and changes nothing. There is no login, so it shows
//! numbers only, never a token, a user or an address. Slow scrapers delay no other client: connections are few, each has
//! a deadline, and one question to the router serves all scrapes at the same time.

use zmes_shared::views::ClusterStatus;
use zmes_zoneminder::DbHealth;

mod answer;
mod bind;
mod exposition;
mod gauges;
mod health;
mod names;
mod readiness;
mod server;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

pub use bind::Bound;
pub use server::{Switch, serve, switch};

use crate::cluster::ClusterHandle;
use crate::detect::MonitorReports;
use crate::domain::Alarm;
use crate::monitors::CatalogHandle;
use crate::ports::{CertificateInfo, PushSide};
use crate::route::RouterHandle;
use crate::telemetry::Counters;

/// What the metrics are read from.
#[derive(Debug)]
pub struct Parts {
    pub counters: Arc<Counters>,
    pub router: RouterHandle,
    /// The alarms that wait for the router. Weak, because the router ends with its last sender.
    pub alarms: mpsc::WeakSender<Alarm>,
    pub catalog: CatalogHandle,
    pub reports: watch::Receiver<MonitorReports>,
    pub database: watch::Receiver<DbHealth>,
    pub state_trouble: watch::Receiver<Option<String>>,
    pub push: Arc<dyn PushSide>,
    pub certificate: Arc<dyn CertificateInfo>,
    /// `None`: `[cluster]` is not enabled.
    pub cluster: Option<ClusterHandle>,
    /// How many ports for apps are configured.
    pub listeners: usize,
    pub started_at: Timestamp,
}

impl Parts {
    /// Returns the cluster as it was seen last; an empty one where `[cluster]` is not enabled.
    fn cluster_status(&self) -> Arc<ClusterStatus> {
        self.cluster.as_ref().map(ClusterHandle::status).unwrap_or_default()
    }
}
