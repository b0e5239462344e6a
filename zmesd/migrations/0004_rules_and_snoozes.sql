-- What an admin or a user has set that decided a delivery: `rule:NAME` or `snooze:ID`; empty where nothing was.
ALTER TABLE deliveries ADD COLUMN decided_by TEXT NOT NULL DEFAULT '';
CREATE INDEX deliveries_decided_by ON deliveries (decided_by) WHERE decided_by <> '';
-- How loudly the phone shows it: silent, normal or urgent.
ALTER TABLE deliveries ADD COLUMN urgency TEXT NOT NULL DEFAULT 'normal';

-- Monitors that are not pushed for a while. Rows of ended ones stay as long as deliveries do, for `why`.
CREATE TABLE snoozes (
    id         INTEGER PRIMARY KEY,
    -- NULL: all monitors
    monitor_id INTEGER,
    -- everybody, user or token
    scope_kind TEXT    NOT NULL,
    -- the user's name or the token's id; empty for everybody
    scope      TEXT    NOT NULL,
    since      INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    hard       INTEGER NOT NULL,
    tell       INTEGER NOT NULL,
    set_by     TEXT    NOT NULL,
    origin     TEXT    NOT NULL,
    ended_at   INTEGER
) STRICT;
