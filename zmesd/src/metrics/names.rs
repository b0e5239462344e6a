//! The names of all metrics, in one place. They are a contract with dashboards and alert rules, and stand in
//! `docs/observe.md`; a test compares.

/// What kind of number a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows; its samples end in `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Durations in seconds.
    Histogram,
}

/// One metric.
#[derive(Debug)]
pub(super) struct Metric {
    /// Its name; that of a counter without `_total`.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// One sentence.
    pub(super) help: &'static str,
}

macro_rules! metrics {
    ($($name:ident: $kind:ident $text:literal = $help:literal;)+) => {
        $(pub(super) const $name: Metric = Metric { name: $text, kind: Kind::$kind, help: $help };)+
    };
}

metrics! {
    BUILD_INFO: Gauge "zmesd_build_info" = "Always 1; the label tells the version.";
    START_TIME: Gauge "zmesd_start_time_seconds" = "When the daemon started, in seconds since 1970.";
    LOOP_MOVES: Gauge "zmesd_loop_moves" = "1 while that loop of the daemon moves, 0 while it stands still.";
    READY: Gauge "zmesd_ready" = "1 while that part is there for the daemon to do its work.";
    STATE_WRITABLE: Gauge "zmesd_state_writable" = "1 while the state file can be written.";
    FINDINGS: Gauge "zmesd_findings" = "Findings of zmesctl doctor that are not as they should be.";
    MONITORS: Gauge "zmesd_monitors" = "Monitors by where their alarms are looked for and what they do.";
    MONITORS_STALE: Gauge "zmesd_monitors_stale" = "Monitors whose alarms would not be seen now.";
    POLL_SECONDS: Histogram "zmesd_poll_seconds" = "How long one look at all monitors takes.";
    SHM_ERRORS: Counter "zmesd_shm_errors" = "Looks at a monitor's shared memory that showed nothing.";
    ALARMS: Counter "zmesd_alarms" = "Alarms announced, by how they were found.";
    DECISIONS: Counter "zmesd_decisions" = "What was decided, for each target of each alarm.";
    ROUTER_QUEUE: Gauge "zmesd_router_queue" = "Alarms that wait for the router.";
    OUTBOX_DEFERRED: Counter "zmesd_outbox_deferred" = "Notes that the state file had no room for.";
    WS_CONNECTIONS: Gauge "zmesd_ws_connections" = "Connections of apps.";
    WS_AUTH: Counter "zmesd_ws_auth" = "Logins of apps, by how they ended.";
    WS_MESSAGES: Counter "zmesd_ws_messages" = "WebSocket frames from and to apps.";
    WS_REJECTED: Counter "zmesd_ws_rejected" = "Connections refused by a limit, failed handshakes, refused logins.";
    WS_REFUSED: Counter "zmesd_ws_refused" = "Clients refused, by reason as zmesctl clients rejected has it.";
    WS_SLOW: Counter "zmesd_ws_slow_disconnects" = "Apps dropped because they did not read.";
    PUSH: Counter "zmesd_push" = "Deliveries and attempts, by what became of them.";
    PUSH_SECONDS: Histogram "zmesd_push_seconds" = "What a provider takes to answer.";
    PUSH_QUEUE: Gauge "zmesd_push_queue" = "Deliveries that are not made yet.";
    PUSH_INFLIGHT: Gauge "zmesd_push_inflight" = "Pushes on their way.";
    PUSH_RESTING: Gauge "zmesd_push_resting" = "Transports that rest because they failed too often.";
    PUSH_DEFERRED: Counter "zmesd_push_deferred" = "Orders that waited on the disk, because the dispatcher had no room.";
    ALARM_TO_PUSH: Histogram "zmesd_alarm_to_push_seconds" = "From an alarm until a provider has taken its push.";
    TOKENS: Gauge "zmesd_tokens" = "Registered devices.";
    TOKENS_DEAD: Counter "zmesd_tokens_dead" = "Tokens that a provider has called dead.";
    WATCH_LAGGED: Counter "zmesd_watch_lagged" = "Events that zmesctl watch was too slow for.";
    TLS_EXPIRY: Gauge "zmesd_tls_expiry_timestamp_seconds" = "When the certificate in use expires, in seconds since 1970.";
    CONFIG_RELOADS: Counter "zmesd_config_reloads" = "Reloads of the configuration, by how they ended.";
}
