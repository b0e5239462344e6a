//! Servers without a node at work, and the node that watches their monitors instead. Pure.
//!
//! The alarms of such a server are still seen where its `zmc` runs: in ZoneMinder's Events table, which every node reaches.
//! One node has to tell of them. It is the one that sends pushes, because that is one node at a time by all nodes' word, and
//! nobody rings a phone sooner. While no node sends, it is the first that is at work: a site without phones has apps, too.
//!
//! Two nodes may watch the same server for a moment, when the pusher changes: both tell of an event's start under the same
//! [`DedupKey`](crate::alarms::DedupKey::start), so that it is in the log once.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::node::{NodeKey, NodeRow, SILENCE};

/// Says which of these servers have no node: nothing was heard of their nodes for [`SILENCE`], or they never had one. For each,
/// how long nothing was heard of its node; `None`: it never had one.
///
/// A node that was stopped counts as there for as long as one that fell silent: most are back within seconds, and tell by
/// themselves what they missed. Of a node that is at work and has no number it is not known which server it watches; until it is,
/// no server counts as one without a node.
pub fn orphans(nodes: &[NodeRow], servers: impl IntoIterator<Item = u32>) -> BTreeMap<u32, Option<Duration>> {
    if nodes.iter().any(|node| is_there(node) && node.server.is_none()) {
        return BTreeMap::new();
    }
    let silent =
        |server| nodes.iter().filter(|node| node.server == Some(server)).map(|node| node.silent).min();
    let servers = servers.into_iter().map(|server| (server, silent(server)));
    servers.filter(|(_, silent)| silent.is_none_or(|silent| silent >= SILENCE)).collect()
}

/// Returns the node that watches them: the holder of the lease, if it is at work. `is_unled`: no node that is at work has held
/// the lease for a while; then it is the first that is.
pub fn watcher(nodes: &[NodeRow], holder: Option<NodeKey>, is_unled: bool) -> Option<NodeKey> {
    let at_work = nodes.iter().filter(|node| node.is_alive()).map(|node| node.key);
    let holder = holder.filter(|holder| at_work.clone().any(|key| key == *holder));
    let first = || if is_unled { at_work.min_by_key(|key| key.id) } else { None };
    holder.or_else(first)
}

fn is_there(node: &NodeRow) -> bool {
    node.silent < SILENCE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::NodeId;

    fn node(id: u16, server: Option<u32>, silent: u64) -> NodeRow {
        NodeRow {
            key: NodeKey { id: NodeId(id), epoch: 7 },
            name: format!("nvr{id}"),
            server,
            seq: 0,
            silent: Duration::from_secs(silent),
            stopped: false,
            clock_ms: 0,
            prefer: 0,
            version: String::new(),
            address: String::new(),
            trouble: String::new(),
        }
    }

    #[test]
    fn a_server_is_an_orphan_once_its_node_is_silent_or_if_it_never_had_one() {
        let all = |nodes: &[NodeRow]| orphans(nodes, [0, 2, 3]).into_iter().collect::<Vec<_>>();
        let silent = |seconds| Some(Duration::from_secs(seconds));
        let nodes = [node(1, Some(1), 0), node(2, Some(2), 9), node(3, Some(3), 10)];
        assert_eq!(all(&nodes), [(0, None), (3, silent(10))]);
        // A stop is no reason to hurry.
        let stopped = |silent| NodeRow { stopped: true, ..node(2, Some(2), silent) };
        assert_eq!(all(&[node(1, Some(1), 0), stopped(1), node(3, Some(3), 0)]), [(0, None)]);
        assert_eq!(
            all(&[node(1, Some(1), 0), stopped(11), node(3, Some(3), 0)]),
            [(0, None), (2, silent(11))]
        );
        // Another node has taken the place of one that is gone for good.
        let nodes = [node(1, Some(1), 0), node(2, Some(2), 9_999), node(4, Some(2), 1), node(3, Some(3), 0)];
        assert_eq!(all(&nodes), [(0, None)]);
        let nodes = [node(1, Some(1), 0), node(2, Some(2), 9_999), node(4, Some(2), 60)];
        assert_eq!(all(&nodes), [(0, None), (2, silent(60)), (3, None)]);
        assert!(orphans(&nodes, []).is_empty());
    }

    #[test]
    fn a_node_at_work_without_a_number_may_watch_any_server() {
        let nodes = [node(1, Some(1), 0), node(2, None, 0), node(3, Some(3), 60)];
        assert!(orphans(&nodes, [0, 2, 3]).is_empty());
        let nodes = [node(1, Some(1), 0), node(2, None, 10), node(3, Some(3), 60)];
        assert_eq!(orphans(&nodes, [2, 3]).len(), 2, "it is silent");
    }

    #[test]
    fn the_holder_of_the_lease_watches_and_the_first_node_if_there_is_none_for_long() {
        let key = |id| NodeKey { id: NodeId(id), epoch: 7 };
        let nodes = [node(3, Some(3), 0), node(1, Some(1), 0), node(2, Some(2), 0)];
        for is_unled in [false, true] {
            assert_eq!(watcher(&nodes, Some(key(3)), is_unled), Some(key(3)));
        }
        assert_eq!(watcher(&nodes, None, false), None, "another one is about to take it");
        assert_eq!(watcher(&nodes, None, true), Some(key(1)), "no node is configured to send");
        // The row names a dead holder until another one takes the lease.
        let nodes = [node(3, Some(3), 10), node(1, Some(1), 11), node(2, Some(2), 0)];
        assert_eq!(watcher(&nodes, Some(key(3)), false), None);
        assert_eq!(watcher(&nodes, Some(key(3)), true), Some(key(2)));
        let another_start = NodeKey { epoch: 8, ..key(2) };
        assert_eq!(watcher(&nodes, Some(another_start), false), None);
        assert_eq!(watcher(&[], Some(key(3)), true), None);
    }
}
