-- A filter is remembered only for an app that says which one it is (kind and version), and only for a while after its
-- connection broke. broken_at: when; NULL while the app is connected, so that a restart counts as the break.
CREATE TABLE device_filters_3 (
    user_name TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    app       TEXT    NOT NULL,
    monlist   TEXT    NOT NULL,
    intlist   TEXT    NOT NULL,
    broken_at INTEGER,
    PRIMARY KEY (user_name, kind, app)
) STRICT, WITHOUT ROWID;
INSERT INTO device_filters_3 (user_name, kind, app, monlist, intlist)
    SELECT user_name, '', app, monlist, intlist FROM device_filters WHERE app <> '';
DROP TABLE device_filters;
ALTER TABLE device_filters_3 RENAME TO device_filters;

CREATE TABLE device_sent_3 (
    user_name  TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    app        TEXT    NOT NULL,
    monitor_id INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (user_name, kind, app, monitor_id)
) STRICT, WITHOUT ROWID;
INSERT INTO device_sent_3 (user_name, kind, app, monitor_id, at)
    SELECT user_name, '', app, monitor_id, at FROM device_sent WHERE app <> '';
DROP TABLE device_sent;
ALTER TABLE device_sent_3 RENAME TO device_sent;

-- Revoked by an admin, and its app cannot register it again.
ALTER TABLE tokens ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0;
