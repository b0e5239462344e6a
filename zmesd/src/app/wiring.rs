//! The channels between the rooms, made in one place, each with its bound and what happens when it is full.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::config::{AuthConfig, Config};
use crate::detect::{DetectConfig, MonitorReports};
use crate::domain::Alarm;
use crate::monitors::{Catalog, CatalogHandle, Refresh};
use crate::push::PushCommand;
use crate::route::{Command, OrderReceiver, OrderSender, PushRules, RouterHandle, push_orders};

/// Alarms from poller and reconciler to the router. Full: the poller waits, and what it misses meanwhile the
/// reconciler finds in the Events table.
const ALARMS: usize = 1024;
/// Commands to the router. Full: the caller waits up to 2 s and then hears that the router is busy.
const COMMANDS: usize = 64;
/// Orders of the router to the push side. Full: it finds on the disk what it was not told.
const PUSHES: usize = 1024;
/// Requests to read the catalog again. Full: the caller waits.
const REFRESHES: usize = 8;
/// Commands of admins to the push side. Full: the caller hears that it is busy.
const PUSH_COMMANDS: usize = 8;
/// SIGHUPs that wait: one stands for all.
const HANGUPS: usize = 1;

/// Both ends of every channel that more than one room knows.
#[derive(Debug)]
pub(super) struct Channels {
    pub(super) alarms: (mpsc::Sender<Alarm>, mpsc::Receiver<Alarm>),
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) router: RouterHandle,
    pub(super) pushes: (OrderSender, OrderReceiver),
    pub(super) push_commands: (mpsc::Sender<PushCommand>, mpsc::Receiver<PushCommand>),
    pub(super) refreshes: mpsc::Receiver<Refresh>,
    pub(super) catalog: CatalogHandle,
    pub(super) catalog_tx: watch::Sender<Arc<Catalog>>,
    pub(super) hangups: (mpsc::Sender<()>, mpsc::Receiver<()>),
    pub(super) reports: (watch::Sender<MonitorReports>, watch::Receiver<MonitorReports>),
    pub(super) detect: (watch::Sender<DetectConfig>, watch::Receiver<DetectConfig>),
    pub(super) catalog_interval: (watch::Sender<Duration>, watch::Receiver<Duration>),
    pub(super) auth: (watch::Sender<AuthConfig>, watch::Receiver<AuthConfig>),
    pub(super) admin_group: (watch::Sender<String>, watch::Receiver<String>),
    pub(super) push_rules: (watch::Sender<PushRules>, watch::Receiver<PushRules>),
}

impl Channels {
    pub(super) fn new(config: &Config) -> Self {
        let (commands_tx, commands) = mpsc::channel(COMMANDS);
        let (refreshes_tx, refreshes) = mpsc::channel(REFRESHES);
        let (catalog_tx, catalog) = watch::channel(Arc::default());
        Self {
            alarms: mpsc::channel(ALARMS),
            commands,
            router: RouterHandle::new(commands_tx),
            pushes: push_orders(PUSHES),
            push_commands: mpsc::channel(PUSH_COMMANDS),
            refreshes,
            catalog: CatalogHandle::new(refreshes_tx, catalog),
            catalog_tx,
            hangups: mpsc::channel(HANGUPS),
            reports: watch::channel(MonitorReports::default()),
            detect: watch::channel(DetectConfig::from(&config.zoneminder)),
            catalog_interval: watch::channel(config.zoneminder.monitor_reload_interval),
            auth: watch::channel(config.auth),
            admin_group: watch::channel(config.control.admin_group.clone()),
            push_rules: watch::channel(PushRules::new(&config.push)),
        }
    }
}
