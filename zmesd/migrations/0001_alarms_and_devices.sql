-- Times are milliseconds since 1970, ids are ZoneMinder's own.

-- What was announced: for replay, and so that a restart announces nothing twice.
CREATE TABLE alarms (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    at           INTEGER NOT NULL,
    event_id     INTEGER,
    monitor_id   INTEGER NOT NULL,
    monitor_name TEXT    NOT NULL,
    cause        TEXT    NOT NULL,
    late         INTEGER NOT NULL
) STRICT;
CREATE INDEX alarms_by_time ON alarms (at);
CREATE INDEX alarms_by_event ON alarms (event_id);

-- How far each monitor's alarms have been handed on; written in the same transaction as the alarm.
CREATE TABLE cursors (
    monitor_id INTEGER PRIMARY KEY,
    event_id   INTEGER NOT NULL,
    at         INTEGER NOT NULL
) STRICT;

-- The last filter of an app of a user, for a reconnect that repeats only the login.
CREATE TABLE device_filters (
    user_name TEXT    NOT NULL,
    app       TEXT    NOT NULL,
    monlist   TEXT    NOT NULL,
    intlist   TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (user_name, app)
) STRICT, WITHOUT ROWID;

-- When it got its last alarm of a monitor, where its filter asks for an interval.
CREATE TABLE device_sent (
    user_name  TEXT    NOT NULL,
    app        TEXT    NOT NULL,
    monitor_id INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (user_name, app, monitor_id)
) STRICT, WITHOUT ROWID;
