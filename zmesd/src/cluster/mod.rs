//! Several zmesd of one site: this node's part in them.
//!
//! What they have in common is in the ledger, which `zmes-cluster` knows. Without `[cluster]` nothing of this room runs.

mod handle;

pub use handle::{ClusterHandle, ClusterRefusal, ClusterRequest};
