-- This installation as a node of a cluster: at most one row. epoch: the last start that the ledger has seen.
CREATE TABLE cluster_node (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    identity BLOB    NOT NULL,
    epoch    INTEGER NOT NULL
) STRICT;

-- Alarms of this node that the ledger does not have yet, in order.
CREATE TABLE unlogged_alarms (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    dedup      BLOB    NOT NULL UNIQUE,
    phase      TEXT    NOT NULL,
    monitor_id INTEGER NOT NULL,
    event_id   INTEGER,
    at         INTEGER NOT NULL,
    body       BLOB    NOT NULL
) STRICT;

-- Up to which number the alarms of other nodes are in the record.
CREATE TABLE ledger_positions (
    node  INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    seq   INTEGER NOT NULL
) STRICT;

-- When tokens were changed here. shared: the ledger has that change.
CREATE TABLE ledger_tokens (
    token_id INTEGER PRIMARY KEY,
    changed  INTEGER NOT NULL,
    badge_at INTEGER,
    shared   INTEGER NOT NULL
) STRICT;

-- The node that found the alarm, where that was another one.
ALTER TABLE alarms ADD COLUMN node TEXT;
-- Pushes that the ledger knows of: not sent after a restart, because the ledger says what is still to be sent.
ALTER TABLE pushed_alarms ADD COLUMN ledger INTEGER;
ALTER TABLE pushed_alarms ADD COLUMN ledger_turn INTEGER;
-- Where the alarm of those pushes is in the ledger, if it was there when they were decided.
ALTER TABLE pushed_alarms ADD COLUMN ledger_node INTEGER;
ALTER TABLE pushed_alarms ADD COLUMN ledger_seq INTEGER;
-- When an admin blocked or unblocked it last: of two nodes the later word counts.
ALTER TABLE tokens ADD COLUMN block_changed INTEGER;
