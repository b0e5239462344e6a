//! The names of all metrics. They are a contract with dashboards and alert rules; a test compares them with
//! `docs/observe.md`.

use prometheus_client::metrics::MetricType;

#[derive(Debug)]
pub(super) struct Metric {
    /// Its name; that of a counter without `_total`.
    pub(super) name: &'static str,
    pub(super) kind: MetricType,
    pub(super) help: &'static str,
}

macro_rules! metrics {
    ($($name:ident: $kind:ident $text:literal = $help:literal;)+) => {
        $(pub(super) const $name: Metric = Metric { name: $text, kind: MetricType::$kind, help: $help };)+
    };
}

metrics! {
    BUILD_INFO: Gauge "zmesd_build_info" = "Always 1; the label tells the version.";
    START_TIME: Gauge "zmesd_start_time_seconds" = "When the daemon started, in seconds since 1970.";
    LOOP_MOVES: Gauge "zmesd_loop_moves" = "1 while that loop of the daemon moves, 0 while it hangs.";
    READY: Gauge "zmesd_ready" = "1 while that part of the daemon is ready.";
    STATE_WRITABLE: Gauge "zmesd_state_writable" = "1 while the state file can be written.";
    FINDINGS: Gauge "zmesd_findings" = "Errors and warnings of zmesctl doctor.";
    TROUBLES: Gauge "zmesd_troubles" = "Troubles that stand, by kind: zmesctl troubles lists them.";
    MONITORS: Gauge "zmesd_monitors" = "Monitors, by the source of their alarms and their state.";
    MONITORS_STALE: Gauge "zmesd_monitors_stale" = "Monitors whose alarms would not be seen now.";
    POLL_SECONDS: Histogram "zmesd_poll_seconds" = "Duration of one poll of all monitors.";
    SHM_ERRORS: Counter "zmesd_shm_errors" = "Failed reads of a monitor's shared memory.";
    ALARMS: Counter "zmesd_alarms" = "Alarms announced, by how they were found.";
    DECISIONS: Counter "zmesd_decisions" = "Decisions, one for each app and phone and alarm.";
    RULE_DECISIONS: Counter "zmesd_rule_decisions" = "Alarms that a rule decided for at least one app or phone.";
    ROUTER_QUEUE: Gauge "zmesd_router_queue" = "Alarms that wait for the router.";
    OUTBOX_DEFERRED: Counter "zmesd_outbox_deferred" = "Notes that the state file had no room for.";
    WS_CONNECTIONS: Gauge "zmesd_ws_connections" = "Connections of apps.";
    WS_AUTH: Counter "zmesd_ws_auth" = "Logins of apps, by result.";
    WS_MESSAGES: Counter "zmesd_ws_messages" = "WebSocket frames from and to apps.";
    WS_REJECTED: Counter "zmesd_ws_rejected" = "Connections refused by a limit, failed handshakes, refused logins.";
    WS_REFUSED: Counter "zmesd_ws_refused" = "Clients refused, by the reasons of zmesctl clients rejected.";
    WS_SLOW: Counter "zmesd_ws_slow_disconnects" = "Apps dropped because they did not read.";
    PUSH: Counter "zmesd_push" = "Deliveries and failed attempts, by outcome.";
    PUSH_SECONDS: Histogram "zmesd_push_seconds" = "Time until a provider answers.";
    PUSH_QUEUE: Gauge "zmesd_push_queue" = "Deliveries without an outcome yet.";
    PUSH_INFLIGHT: Gauge "zmesd_push_inflight" = "Pushes under way.";
    PUSH_RESTING: Gauge "zmesd_push_resting" = "Transports that rest after failures.";
    PUSH_DEFERRED: Counter "zmesd_push_deferred" = "Orders that the dispatcher had no room for; it reads them from the state file.";
    ALARM_TO_PUSH: Histogram "zmesd_alarm_to_push_seconds" = "Time from an alarm until a provider accepts its push.";
    PICTURES: Counter "zmesd_pictures" = "Pictures that phones asked for, or that services got as files, by result.";
    TOKENS: Gauge "zmesd_tokens" = "Registered devices.";
    TOKENS_DEAD: Counter "zmesd_tokens_dead" = "Tokens that a provider reported dead.";
    SNOOZES: Gauge "zmesd_snoozes" = "Snoozes that are set.";
    WATCH_LAGGED: Counter "zmesd_watch_lagged" = "Events that a zmesctl watch missed because it was too slow.";
    TLS_EXPIRY: Gauge "zmesd_tls_expiry_timestamp_seconds" = "Expiry of the served certificate, in seconds since 1970.";
    MQTT_CONNECTED: Gauge "zmesd_mqtt_connected" = "1 while the MQTT broker is connected.";
    MQTT_PUBLISHED: Counter "zmesd_mqtt_published" = "Messages that the MQTT broker has acknowledged.";
    MQTT_IGNORED: Counter "zmesd_mqtt_commands_ignored" = "MQTT commands that were ignored.";
    CLUSTER_CONNECTED: Gauge "zmesd_cluster_connected" = "1 while the cluster's ledger answers.";
    CLUSTER_PUSHER: Gauge "zmesd_cluster_pusher" = "1 while this node sends the pushes of all nodes.";
    CLUSTER_ALONE: Gauge "zmesd_cluster_alone" = "1 while this node cannot reach the ledger and sends for its own cameras.";
    CLUSTER_NODES: Gauge "zmesd_cluster_nodes" = "Nodes of the cluster, by state.";
    CLUSTER_WAITING: Gauge "zmesd_cluster_waiting_alarms" = "Alarms of this node that are not in the ledger yet.";
    CLUSTER_LAG: Gauge "zmesd_cluster_lag_seconds" = "For how long alarms of another node have waited to be read here, the longest.";
    CLUSTER_TAKEOVERS: Counter "zmesd_cluster_takeovers" = "How often this node has begun to send for all nodes.";
    CLUSTER_ERRORS: Counter "zmesd_cluster_ledger_errors" = "How often the cluster's ledger did not answer.";
    CONFIG_RELOADS: Counter "zmesd_config_reloads" = "Reloads of the configuration, by result.";
}
