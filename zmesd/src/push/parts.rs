//! What the dispatcher is made of.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use zmes_providers::Transports;

use super::side::PushCommand;
use super::status::PushStatus;
use crate::config::{AuthConfig, PushConfig};
use crate::domain::DeliveryId;
use crate::links::LinkMaker;
use crate::monitors::Catalog;
use crate::ports::{Clock, PictureUploads, SendPermit};
use crate::route::{LedgerOutcome, OrderReceiver, PushRules, RouterHandle, Tap};
use crate::state::{Committed, StateHandle};
use crate::telemetry::Counters;

/// Where the pictures of pushes come from.
#[derive(Debug, Clone)]
pub struct PushPictures {
    /// For phones.
    pub links: LinkMaker,
    /// For services that take files.
    pub uploads: Arc<dyn PictureUploads>,
}

#[derive(Debug)]
pub struct DispatcherParts {
    pub orders: OrderReceiver,
    /// The transports; a reload replaces those that have changed.
    pub transports: watch::Receiver<Arc<Transports>>,
    pub commands: mpsc::Receiver<PushCommand>,
    pub state: StateHandle,
    pub committed: watch::Receiver<Committed>,
    /// Why the state file cannot be written, if so.
    pub trouble: watch::Receiver<Option<String>>,
    /// The last delivery of the daemon before.
    pub last_delivery: DeliveryId,
    /// Rights hold at the moment of sending.
    pub catalog: watch::Receiver<Arc<Catalog>>,
    /// While authentication is off, all users may see all monitors.
    pub auth: watch::Receiver<AuthConfig>,
    pub router: RouterHandle,
    pub tap: Tap,
    pub counters: Arc<Counters>,
    pub status: Arc<PushStatus>,
    pub config: PushConfig,
    pub rules: watch::Receiver<PushRules>,
    pub pictures: PushPictures,
    /// The time within which a token gets at most `storm-limit` pushes: [`super::STORM_WINDOW`], except in tests.
    pub storm_window: Duration,
    pub clock: Arc<dyn Clock>,
    /// The cluster, where this is one of several nodes.
    pub cluster: Option<PushCluster>,
}

/// What the cluster lets be sent, and where it hears of outcomes.
#[derive(Debug, Clone)]
pub struct PushCluster {
    pub permit: Arc<dyn SendPermit>,
    pub outcomes: mpsc::Sender<LedgerOutcome>,
}
