-- Registered devices. Columns are named after those of ZoneMinder's own table Notifications.
CREATE TABLE tokens (
    id               INTEGER PRIMARY KEY,
    token            TEXT    NOT NULL UNIQUE,
    platform         TEXT    NOT NULL,
    push_state       TEXT    NOT NULL,
    user_name        TEXT    NOT NULL,
    app              TEXT    NOT NULL,
    app_version      TEXT    NOT NULL,
    profile          TEXT    NOT NULL,
    monitor_list     TEXT    NOT NULL,
    interval_list    TEXT    NOT NULL,
    badge_count      INTEGER NOT NULL,
    created_on       INTEGER NOT NULL,
    last_seen_at     INTEGER NOT NULL,
    mute_until       INTEGER,
    revoked_at       INTEGER,
    revoked_reason   TEXT    NOT NULL DEFAULT '',
    -- The rest is written as pushes come out.
    transport        TEXT,
    last_notified_at INTEGER,
    last_error       TEXT,
    last_error_at    INTEGER,
    failures         INTEGER NOT NULL DEFAULT 0
) STRICT;

-- When a token was last told of a monitor, where it asks for an interval.
CREATE TABLE token_sent (
    token_id   INTEGER NOT NULL,
    monitor_id INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (token_id, monitor_id)
) STRICT, WITHOUT ROWID;

-- An alarm as pushes tell of it; kept as long as its deliveries.
CREATE TABLE pushed_alarms (
    number       INTEGER PRIMARY KEY,
    at           INTEGER NOT NULL,
    event_id     INTEGER,
    monitor_id   INTEGER NOT NULL,
    monitor_name TEXT    NOT NULL,
    cause        TEXT    NOT NULL,
    origin       TEXT    NOT NULL
) STRICT;
CREATE INDEX pushed_alarms_by_event ON pushed_alarms (event_id);
CREATE INDEX pushed_alarms_by_time ON pushed_alarms (at);

-- One alarm for one token: first what was decided, then what became of it. What is `queued` is still to be sent.
CREATE TABLE deliveries (
    id          INTEGER PRIMARY KEY,
    alarm       INTEGER NOT NULL,
    token_id    INTEGER NOT NULL,
    decision    TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    badge       INTEGER NOT NULL,
    transport   TEXT    NOT NULL DEFAULT '',
    attempts    INTEGER NOT NULL DEFAULT 0,
    latency_ms  INTEGER,
    provider_id TEXT
) STRICT;
CREATE INDEX deliveries_by_alarm ON deliveries (alarm);
CREATE INDEX deliveries_by_token ON deliveries (token_id, id);
CREATE INDEX deliveries_queued ON deliveries (id) WHERE decision = 'queued';

-- The attempts that failed, each with the provider's answer.
CREATE TABLE attempts (
    delivery   INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    transport  TEXT    NOT NULL,
    answer     TEXT    NOT NULL,
    latency_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX attempts_by_delivery ON attempts (delivery);
