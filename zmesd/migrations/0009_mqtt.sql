-- Home automation. instance: what Home Assistant knows this zmesd by; cursor: which events the broker has; starts:
-- what rules decided of the last start of each monitor; published: below which topic states are retained, and of which
-- monitors.
CREATE TABLE mqtt (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The devices that were announced to Home Assistant: to remove one, its topic and its components must be known.
CREATE TABLE mqtt_devices (
    topic      TEXT PRIMARY KEY,
    object     TEXT NOT NULL,
    hash       TEXT NOT NULL,
    -- keys, with a space between two
    components TEXT NOT NULL
) STRICT, WITHOUT ROWID;
