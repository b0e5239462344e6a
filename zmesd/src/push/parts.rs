//! What the dispatcher is made of.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use zmes_providers::Transports;

use super::queue::WINDOW;
use super::side::PushCommand;
use super::status::PushStatus;
use crate::config::{AuthConfig, PushConfig};
use crate::domain::DeliveryId;
use crate::monitors::Catalog;
use crate::ports::Clock;
use crate::route::{OrderReceiver, PushRules, RouterHandle, Tap};
use crate::state::{Committed, StateHandle};
use crate::telemetry::Counters;

/// What the dispatcher needs.
#[derive(Debug)]
pub struct DispatcherParts {
    /// What the router wants.
    pub orders: OrderReceiver,
    /// The ways to phones; a reload replaces those that have changed.
    pub transports: watch::Receiver<Arc<Transports>>,
    /// What admins want.
    pub commands: mpsc::Receiver<PushCommand>,
    /// The delivery log.
    pub state: StateHandle,
    /// What is on the disk.
    pub committed: watch::Receiver<Committed>,
    /// Why nothing can be written, if so.
    pub trouble: watch::Receiver<Option<String>>,
    /// The last delivery of the daemon before.
    pub last_delivery: DeliveryId,
    /// Rights hold at the moment of sending.
    pub catalog: watch::Receiver<Arc<Catalog>>,
    /// While authentication is off, everybody may see all.
    pub auth: watch::Receiver<AuthConfig>,
    /// Who hears that a token is dead.
    pub router: RouterHandle,
    /// Who watches.
    pub tap: Tap,
    /// Numbers since the start.
    pub counters: Arc<Counters>,
    /// How things are, for others.
    pub status: Arc<PushStatus>,
    /// `[push]`
    pub config: PushConfig,
    /// What of it may change: whether anything is sent.
    pub rules: watch::Receiver<PushRules>,
    /// The time within which a token may get `storm-limit` pushes: [`DispatcherParts::MINUTE`], but for tests.
    pub storm_window: Duration,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
}

impl DispatcherParts {
    /// The time within which a token may get `storm-limit` pushes.
    pub const MINUTE: Duration = WINDOW;
}
