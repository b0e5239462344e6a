-- What was detected in events: ZoneMinder overwrites its notes, so what was once seen is kept here.
CREATE TABLE labels (
    event_id   INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    -- percent; NULL: the detection does not say
    confidence INTEGER,
    -- when it was first seen
    at         INTEGER NOT NULL,
    PRIMARY KEY (event_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX labels_by_time ON labels (at);

-- What was known when an alarm was decided for tokens, as JSON; empty: nothing.
ALTER TABLE pushed_alarms ADD COLUMN labels TEXT NOT NULL DEFAULT '';
-- How long the decision waited for labels, and how that ended: found, none or unread; NULL and empty: it did not wait.
ALTER TABLE pushed_alarms ADD COLUMN waited_ms INTEGER;
ALTER TABLE pushed_alarms ADD COLUMN label_wait TEXT NOT NULL DEFAULT '';

-- Alarms that were announced, and whose decisions for tokens wait for labels until then.
CREATE TABLE held_alarms (
    at           INTEGER NOT NULL,
    event_id     INTEGER NOT NULL,
    monitor_id   INTEGER NOT NULL,
    monitor_name TEXT    NOT NULL,
    cause        TEXT    NOT NULL,
    origin       TEXT    NOT NULL,
    until        INTEGER NOT NULL,
    PRIMARY KEY (event_id, monitor_id, at)
) STRICT;
