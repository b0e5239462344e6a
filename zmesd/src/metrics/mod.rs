//! What Prometheus and supervisors see: `/metrics`, `/healthz`, `/readyz`, on the loopback or a Unix socket.
//!
//! An edge like the control socket: it reads what others own and changes nothing. Nobody is asked who they are, so it
//! shows numbers, never a token, a user or an address. Who scrapes slowly delays nobody: connections are few, each has
//! a deadline, and what is asked of the router is asked once for all that ask at the same time.

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

pub use bind::{BindError, Bound};
pub use server::{Switch, serve, switch};

use crate::detect::MonitorReports;
use crate::domain::Alarm;
use crate::monitors::CatalogHandle;
use crate::ports::{CertificateInfo, PushSide};
use crate::route::RouterHandle;
use crate::telemetry::Counters;

/// What is shown.
#[derive(Debug)]
pub struct Parts {
    /// What rooms count.
    pub counters: Arc<Counters>,
    /// Sessions and tokens.
    pub router: RouterHandle,
    /// The alarms that wait for the router. Weak, because the router ends with the last that can send to it.
    pub alarms: mpsc::WeakSender<Alarm>,
    /// Whether the database has been read.
    pub catalog: CatalogHandle,
    /// What the poller sees.
    pub reports: watch::Receiver<MonitorReports>,
    /// How the database answered last.
    pub database: watch::Receiver<DbHealth>,
    /// Why the state cannot be written, if so.
    pub state_trouble: watch::Receiver<Option<String>>,
    /// The ways to phones.
    pub push: Arc<dyn PushSide>,
    /// The certificate in use.
    pub certificate: Arc<dyn CertificateInfo>,
    /// How many ports for apps there should be.
    pub listeners: usize,
    /// When the daemon started.
    pub started_at: Timestamp,
}
