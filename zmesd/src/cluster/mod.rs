//! Several zmesd of one site: this node's part in them.
//!
//! What they have in common is in the ledger, which `zmes-cluster` knows. Without `[cluster]` nothing of this room runs.
//!
//! | task | what it does |
//! |---|---|
//! | [`node`] | registers, gives signs of life, reads what others have told, answers admins |
//! | [`lease_task`] | holds the lease by which one node sends for all |
//! | [`desk`] | writes this node's alarms and tokens, has alarms decided about in this node's turn, reports outcomes |
//!
//! The router tells sessions of an alarm at once, whichever node found it. About tokens it decides when the desk asks: the
//! desk of the node that sends, once the ledger has the alarm; or the desk of the node that found it, while that cannot
//! reach the ledger. Each push names its [`turn`](turns), which is asked for again immediately before it is sent.

mod board;
mod body;
mod desk;
mod handle;
mod join;
mod lease_task;
mod node;
mod outage;
mod turns;

pub use handle::{ClusterHandle, ClusterRefusal, ClusterRequest};
pub use join::{Cluster, ClusterParts, ClusterTasks, JoinError, ledger_server};
pub use turns::Turns;
