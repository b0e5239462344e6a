-- What kept zmesd from seeing or telling of alarms: one row for each time that a trouble was raised.
CREATE TABLE troubles (
    number     INTEGER PRIMARY KEY,
    -- camera:3, push:fcm, database
    id         TEXT    NOT NULL,
    severity   TEXT    NOT NULL,
    -- what it is about, as people call it; empty: zmesd
    name       TEXT    NOT NULL,
    text       TEXT    NOT NULL,
    hint       TEXT    NOT NULL,
    since      INTEGER NOT NULL,
    raised_at  INTEGER NOT NULL,
    -- ids of the tokens that were told, with a space between two
    told       TEXT    NOT NULL,
    -- NULL: it stands
    cleared_at INTEGER
) STRICT;
CREATE INDEX troubles_standing ON troubles (id) WHERE cleared_at IS NULL;
