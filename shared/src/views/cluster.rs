//! `zmesctl cluster`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// By how much clocks of nodes and database may differ, in milliseconds: changes are ordered by the nodes' clocks.
pub const CLUSTER_CLOCK_MS: i64 = 500;
/// How long alarms may wait to be read by another node, in milliseconds.
pub const CLUSTER_LAG_MS: u64 = 5_000;
/// How long alarms may wait to be written to the ledger, in milliseconds.
pub const CLUSTER_WAIT_MS: u64 = 10_000;

/// The cluster as one node sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::struct_excessive_bools, reason = "members of a JSON object")]
pub struct ClusterStatus {
    /// All nodes that the ledger knows, ordered by name; of the last time that it was reached.
    pub nodes: Vec<ClusterNode>,
    /// By how much the database's clock is ahead of this node's, in milliseconds; `null`: not known yet.
    pub clock_offset_ms: Option<i64>,
    /// The node that answers.
    #[serde(default)]
    pub name: String,
    /// Which start of the node this is; `null`: it is not registered.
    #[serde(default)]
    pub epoch: Option<u64>,
    /// Whether the ledger answers and takes this node's writes.
    #[serde(default)]
    pub connected: bool,
    /// Since when it does, or does not.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Where the ledger is, without user and password.
    #[serde(default)]
    pub ledger: String,
    /// Why it did not the last time; `null`: that has not happened since the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error_at: Option<Timestamp>,
    /// While it does not, or alarms wait for long: what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// How often it did not since the start.
    #[serde(default)]
    pub errors: u64,
    /// Alarms of this node that are not in the ledger yet.
    #[serde(default)]
    pub waiting: u64,
    /// How long the oldest of them has waited.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting_ms: u64,
    /// The node that sends pushes; `null`: none at the moment.
    #[serde(default)]
    pub pusher: Option<String>,
    /// Whether this node may send for all nodes at this moment.
    #[serde(default)]
    pub may_send: bool,
    /// Whether the ledger takes no writes of this node, which therefore sends for its own cameras.
    #[serde(default)]
    pub alone: bool,
    /// How often this node has begun to send for all nodes since its start.
    #[serde(default)]
    pub takeovers: u64,
    /// Servers of ZoneMinder without a zmesd at work, whose cameras another node watches in the Events table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orphans: Vec<ClusterOrphan>,
    /// Another zmesd has this node's name: this one sends for its own cameras, and others do not hear of them.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub fenced: bool,
}

/// One node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClusterNode {
    /// Its name.
    pub name: String,
    /// `Servers.Id` in ZoneMinder, where it has one.
    pub server_id: Option<u32>,
    /// How long nothing was heard of it.
    pub seen_ms: u64,
    /// For how long alarms of it have waited to be read here.
    pub lag_ms: u64,
    /// It sends pushes.
    pub pusher: bool,
    /// Version of its zmesd.
    pub version: String,
    /// It is at work.
    #[serde(default)]
    pub alive: bool,
    /// It was stopped, and said so.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub stopped: bool,
    /// By how much the database's clock is ahead of its own, in milliseconds.
    #[serde(default)]
    pub clock_offset_ms: i64,
    /// What keeps it from sending pushes; empty: nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trouble: String,
    /// How others reach it; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// `prefer` in its configuration; -32768: it sends no pushes, because `push.enabled` is false.
    #[serde(default)]
    pub prefer: i16,
}

/// A server of ZoneMinder without a zmesd at work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClusterOrphan {
    /// `Servers.Id`; 0: its cameras belong to no server.
    pub server_id: u32,
    /// `Servers.Name`; `null`: there is no such server.
    pub server: Option<String>,
    /// How many of its cameras can have alarms.
    pub cameras: u64,
    /// The node that watches them; `null`: none at the moment.
    pub watched_by: Option<String>,
}

impl ClusterOrphan {
    /// Returns the server as people know it.
    pub fn place(&self) -> String {
        match &self.server {
            Some(name) => format!("server {} ({name})", self.server_id),
            None if self.server_id == 0 => "no server".to_owned(),
            None => format!("server {}", self.server_id),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
