//! The channels between the rooms, created in one place, each with its capacity and its behaviour when full.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::config::{AuthConfig, Config, EndConfig, LabelsConfig, MqttConfig, PictureConfig, TargetReceiver};
use crate::detect::{DetectConfig, MonitorReports};
use crate::domain::Alarm;
use crate::monitors::{Catalog, CatalogHandle, Refresh};
use crate::mqtt::MqttRequest;
use crate::push::PushCommand;
use crate::route::{
    LabelRequest, LabelRequests, OrderReceiver, OrderSender, PictureRequest, PictureRequests, PushRules,
    RouterCommand, RouterHandle, push_orders,
};
use crate::rules::RuleSet;

/// Alarms from poller and reconciler to the router. If full, the poller waits, and the reconciler finds in the Events
/// table what it misses meanwhile.
const ALARMS: usize = 1024;
/// Commands to the router. If full, the caller waits up to 2 s, then gets `busy`.
const COMMANDS: usize = 64;
/// Orders of the router to the push side. If full, the push side reads the rest from the disk.
const PUSHES: usize = 1024;
/// Alarms that may get a better picture. If full, they get none.
const PICTURE_REQUESTS: usize = 256;
/// Announced events whose labels are needed. If full, alarms are decided without labels.
const LABEL_REQUESTS: usize = 1024;
/// Requests to read the catalog again. If full, the caller waits.
const REFRESHES: usize = 8;
/// Commands of admins to the push side. If full, the caller gets `busy`.
const PUSH_COMMANDS: usize = 8;
/// Requests of admins to home automation. If full, the caller gets `busy`.
const MQTT_REQUESTS: usize = 4;
/// SIGHUPs that wait: one stands for all.
const HANGUPS: usize = 1;

/// Every channel between rooms: handles to clone, and ends that belong to one task.
#[derive(Debug)]
pub(super) struct Channels {
    pub(super) handles: Handles,
    pub(super) catalog: CatalogEnds,
    pub(super) detection: DetectionEnds,
    pub(super) router: RouterEnds,
    pub(super) push: PushEnds,
    pub(super) label_requests: mpsc::Receiver<LabelRequest>,
    pub(super) picture_requests: mpsc::Receiver<PictureRequest>,
    pub(super) mqtt: MqttEnds,
    pub(super) settings: SettingSenders,
    pub(super) hangups: mpsc::Receiver<()>,
    pub(super) admin_group: watch::Receiver<String>,
}

/// The ends that any task may clone.
#[derive(Debug, Clone)]
pub(super) struct Handles {
    pub(super) router: RouterHandle,
    pub(super) catalog: CatalogHandle,
    pub(super) auth: watch::Receiver<AuthConfig>,
    pub(super) push_rules: watch::Receiver<PushRules>,
    pub(super) rules: watch::Receiver<Arc<RuleSet>>,
    pub(super) pictures: watch::Receiver<PictureConfig>,
    pub(super) ends: watch::Receiver<EndConfig>,
    pub(super) labels: watch::Receiver<LabelsConfig>,
    pub(super) targets: watch::Receiver<Arc<[TargetReceiver]>>,
    pub(super) reports: watch::Receiver<MonitorReports>,
    pub(super) hangups: mpsc::Sender<()>,
}

#[derive(Debug)]
pub(super) struct CatalogEnds {
    pub(super) interval: watch::Receiver<Duration>,
    pub(super) refreshes: mpsc::Receiver<Refresh>,
    pub(super) catalog: watch::Sender<Arc<Catalog>>,
}

#[derive(Debug)]
pub(super) struct DetectionEnds {
    pub(super) config: watch::Receiver<DetectConfig>,
    pub(super) alarms: mpsc::Sender<Alarm>,
    pub(super) reports: watch::Sender<MonitorReports>,
}

#[derive(Debug)]
pub(super) struct RouterEnds {
    pub(super) alarms: mpsc::Receiver<Alarm>,
    pub(super) commands: mpsc::Receiver<RouterCommand>,
    pub(super) orders: OrderSender,
    pub(super) label_requests: LabelRequests,
    pub(super) picture_requests: PictureRequests,
}

#[derive(Debug)]
pub(super) struct PushEnds {
    pub(super) orders: OrderReceiver,
    pub(super) commands: mpsc::Receiver<PushCommand>,
    pub(super) questions: mpsc::Sender<PushCommand>,
}

#[derive(Debug)]
pub(super) struct MqttEnds {
    pub(super) config: watch::Receiver<MqttConfig>,
    pub(super) requests: mpsc::Receiver<MqttRequest>,
    pub(super) questions: mpsc::Sender<MqttRequest>,
}

/// Sends settings after a reload to the tasks that use them.
#[derive(Debug)]
pub(super) struct SettingSenders {
    pub(super) detect: watch::Sender<DetectConfig>,
    pub(super) catalog_interval: watch::Sender<Duration>,
    pub(super) auth: watch::Sender<AuthConfig>,
    pub(super) admin_group: watch::Sender<String>,
    pub(super) push_rules: watch::Sender<PushRules>,
    pub(super) rules: watch::Sender<Arc<RuleSet>>,
    pub(super) pictures: watch::Sender<PictureConfig>,
    pub(super) ends: watch::Sender<EndConfig>,
    pub(super) labels: watch::Sender<LabelsConfig>,
    pub(super) targets: watch::Sender<Arc<[TargetReceiver]>>,
    pub(super) mqtt: watch::Sender<MqttConfig>,
}

impl Channels {
    pub(super) fn new(config: &Config) -> Self {
        let (alarms_tx, alarms) = mpsc::channel(ALARMS);
        let (commands_tx, commands) = mpsc::channel(COMMANDS);
        let (orders_tx, orders) = push_orders(PUSHES);
        let (refreshes_tx, refreshes) = mpsc::channel(REFRESHES);
        let (push_commands_tx, push_commands) = mpsc::channel(PUSH_COMMANDS);
        let (hangups_tx, hangups) = mpsc::channel(HANGUPS);
        let (catalog_tx, catalog) = watch::channel(Arc::default());
        let (reports_tx, reports) = watch::channel(MonitorReports::default());
        let (detect_tx, detect) = watch::channel(DetectConfig::from(&config.zoneminder));
        let (interval_tx, interval) = watch::channel(config.zoneminder.monitor_reload_interval);
        let (auth_tx, auth) = watch::channel(config.auth);
        let (admin_group_tx, admin_group) = watch::channel(config.control.admin_group.clone());
        let (push_rules_tx, push_rules) = watch::channel(PushRules::new(&config.push));
        let (pictures_tx, pictures) = watch::channel(config.picture.clone());
        let (rules_tx, rules) = watch::channel(Arc::clone(&config.rules));
        let (ends_tx, ends) = watch::channel(config.end);
        let (labels_tx, labels) = watch::channel(config.labels.clone());
        let (label_requests_tx, label_requests) = mpsc::channel(LABEL_REQUESTS);
        let (picture_requests_tx, picture_requests) = mpsc::channel(PICTURE_REQUESTS);
        let (targets_tx, targets) = watch::channel(Arc::clone(&config.targets));
        let (mqtt_tx, mqtt) = watch::channel(config.mqtt.clone());
        let (mqtt_requests_tx, mqtt_requests) = mpsc::channel(MQTT_REQUESTS);
        Self {
            handles: Handles {
                router: RouterHandle::new(commands_tx),
                catalog: CatalogHandle::new(refreshes_tx, catalog),
                auth,
                push_rules,
                rules,
                pictures,
                ends,
                labels,
                targets,
                reports,
                hangups: hangups_tx,
            },
            catalog: CatalogEnds { interval, refreshes, catalog: catalog_tx },
            detection: DetectionEnds { config: detect, alarms: alarms_tx, reports: reports_tx },
            router: RouterEnds {
                alarms,
                commands,
                orders: orders_tx,
                label_requests: LabelRequests::new(label_requests_tx),
                picture_requests: PictureRequests::new(picture_requests_tx),
            },
            label_requests,
            picture_requests,
            mqtt: MqttEnds { config: mqtt, requests: mqtt_requests, questions: mqtt_requests_tx },
            push: PushEnds { orders, commands: push_commands, questions: push_commands_tx },
            settings: SettingSenders {
                detect: detect_tx,
                catalog_interval: interval_tx,
                auth: auth_tx,
                admin_group: admin_group_tx,
                push_rules: push_rules_tx,
                rules: rules_tx,
                pictures: pictures_tx,
                ends: ends_tx,
                labels: labels_tx,
                targets: targets_tx,
                mqtt: mqtt_tx,
            },
            hangups,
            admin_group,
        }
    }
}
