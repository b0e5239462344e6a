//! The statements that make the tables, by version.
//!
//! All are `InnoDB` and have a primary key, as Galera wants it. Times are UTC with milliseconds. Those of the ledger itself
//! (`seen`, `written`, `updated`, `renewed`) come from the database; those of an alarm or a change from the node. No
//! decision about the lease rests on a wall clock: see [`crate::lease`].

/// Version of the tables that this crate works with.
pub const VERSION: u64 = 1;

/// Oldest version of this crate that can work with [`VERSION`]. It grows only with a change that is not an addition.
pub(super) const NEEDS: u64 = 1;

/// Each version with the statements that lead to it from the one before. Each statement can be repeated.
pub(super) const STEPS: [(u64, &[&str]); 1] = [(1, &FIRST)];

/// Rows that count: `schema` (version of the tables), `schema-needs` (oldest program that can use them), `record` (number of
/// the last change of a record), `record-floor` (number of the last change that is forgotten).
const COUNTER: &str = "CREATE TABLE IF NOT EXISTS `counter` (
  `name` VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `value` BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB";

/// The nodes. `epoch` grows with each start; `seq` is the number of the node's newest alarm and is written by each
/// transaction that writes alarms, so that a start and an alarm of the instance before cannot both succeed unseen. `first`
/// is what `seq` was at the start: after a crash that took the last alarms with it, readers know from it which numbers are
/// used again.
const NODE: &str = "CREATE TABLE IF NOT EXISTS `node` (
  `id` SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT,
  `name` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `identity` BINARY(16) NOT NULL,
  `server` INT UNSIGNED NULL,
  `epoch` BIGINT UNSIGNED NOT NULL,
  `seq` BIGINT UNSIGNED NOT NULL DEFAULT 0,
  `first` BIGINT UNSIGNED NOT NULL DEFAULT 0,
  `seen` DATETIME(3) NOT NULL,
  `stopped` BOOLEAN NOT NULL DEFAULT FALSE,
  `clock` INT NOT NULL DEFAULT 0,
  `prefer` SMALLINT NOT NULL DEFAULT 0,
  `version` VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `address` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `health` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
  PRIMARY KEY (`id`),
  UNIQUE KEY `node_name` (`name`)
) ENGINE=InnoDB";

/// The log of alarms. `settled`: nothing is left to be pushed of it.
const ALARM: &str = "CREATE TABLE IF NOT EXISTS `alarm` (
  `node` SMALLINT UNSIGNED NOT NULL,
  `seq` BIGINT UNSIGNED NOT NULL,
  `dedup` BINARY(16) NOT NULL,
  `phase` TINYINT UNSIGNED NOT NULL,
  `monitor` INT UNSIGNED NOT NULL,
  `event` BIGINT UNSIGNED NULL,
  `at` DATETIME(3) NOT NULL,
  `written` DATETIME(3) NOT NULL,
  `settled` BOOLEAN NOT NULL DEFAULT FALSE,
  `body` VARBINARY(4096) NOT NULL,
  PRIMARY KEY (`node`, `seq`),
  UNIQUE KEY `alarm_dedup` (`dedup`),
  KEY `alarm_written` (`written`),
  KEY `alarm_open` (`settled`, `written`),
  KEY `alarm_event` (`event`)
) ENGINE=InnoDB";

/// What all nodes know: devices, snoozes, troubles. `deleted` ones stay for a while, so that every node hears of it.
const RECORD: &str = "CREATE TABLE IF NOT EXISTS `record` (
  `kind` TINYINT UNSIGNED NOT NULL,
  `id` BINARY(32) NOT NULL,
  `rev` BIGINT UNSIGNED NOT NULL,
  `changed` DATETIME(3) NOT NULL,
  `updated` DATETIME(3) NOT NULL,
  `deleted` BOOLEAN NOT NULL,
  `body` VARBINARY(20480) NOT NULL,
  PRIMARY KEY (`kind`, `id`),
  UNIQUE KEY `record_rev` (`rev`)
) ENGINE=InnoDB";

/// When a device was last told of a monitor.
const TOLD: &str = "CREATE TABLE IF NOT EXISTS `told` (
  `handle` BINARY(32) NOT NULL,
  `monitor` INT UNSIGNED NOT NULL,
  `at` DATETIME(3) NOT NULL,
  PRIMARY KEY (`handle`, `monitor`)
) ENGINE=InnoDB";

/// The number on a device's icon, as the pusher left it.
const BADGE: &str = "CREATE TABLE IF NOT EXISTS `badge` (
  `handle` BINARY(32) NOT NULL,
  `count` INT UNSIGNED NOT NULL,
  `at` DATETIME(3) NOT NULL,
  PRIMARY KEY (`handle`)
) ENGINE=InnoDB";

/// What became of an alarm for a device, and why.
const DONE: &str = "CREATE TABLE IF NOT EXISTS `done` (
  `node` SMALLINT UNSIGNED NOT NULL,
  `seq` BIGINT UNSIGNED NOT NULL,
  `handle` BINARY(32) NOT NULL,
  `outcome` TINYINT UNSIGNED NOT NULL,
  `reason` VARCHAR(120) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `provider_id` VARCHAR(120) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `at` DATETIME(3) NOT NULL,
  PRIMARY KEY (`node`, `seq`, `handle`),
  KEY `done_at` (`at`)
) ENGINE=InnoDB";

/// Who sends pushes. `beat` grows with each renewal.
const LEASE: &str = "CREATE TABLE IF NOT EXISTS `lease` (
  `name` VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `holder` SMALLINT UNSIGNED NULL,
  `holder_epoch` BIGINT UNSIGNED NOT NULL DEFAULT 0,
  `epoch` BIGINT UNSIGNED NOT NULL DEFAULT 0,
  `beat` BIGINT UNSIGNED NOT NULL DEFAULT 0,
  `wanted` SMALLINT UNSIGNED NULL,
  `renewed` DATETIME(3) NOT NULL,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB";

/// Keys that all nodes use: links of pictures.
const SECRET: &str = "CREATE TABLE IF NOT EXISTS `secret` (
  `name` VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `value` VARBINARY(64) NOT NULL,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB";

const FIRST: [&str; 11] = [
    COUNTER,
    NODE,
    ALARM,
    RECORD,
    TOLD,
    BADGE,
    DONE,
    LEASE,
    SECRET,
    "INSERT IGNORE INTO `counter` (`name`, `value`) VALUES ('record', 0), ('record-floor', 0)",
    "INSERT IGNORE INTO `lease` (`name`, `renewed`) VALUES ('push', UTC_TIMESTAMP(3))",
];

/// Names of the tables.
pub(super) const TABLES: [&str; 9] =
    ["counter", "node", "alarm", "record", "told", "badge", "done", "lease", "secret"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_has_a_primary_key_and_innodb() {
        let tables: Vec<_> = FIRST.iter().filter(|text| text.starts_with("CREATE TABLE")).collect();
        assert_eq!(tables.len(), TABLES.len());
        for (text, name) in tables.iter().zip(TABLES) {
            assert!(text.starts_with(&format!("CREATE TABLE IF NOT EXISTS `{name}` (")), "{text}");
            assert!(text.contains("  PRIMARY KEY (") && text.ends_with("ENGINE=InnoDB"), "{text}");
        }
    }

    #[test]
    fn versions_follow_each_other_up_to_the_one_that_is_used() {
        let versions: Vec<u64> = STEPS.iter().map(|(version, _)| *version).collect();
        assert_eq!(versions, (1..=VERSION).collect::<Vec<_>>());
    }
}
