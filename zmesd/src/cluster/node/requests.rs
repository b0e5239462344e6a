//! What admins ask of the cluster.

use tracing::info;
use zmes_cluster::lease::ask_for;
use zmes_cluster::node::{NEVER, NodeRow, Removal, nodes, remove};

use super::NodeTask;
use crate::cluster::handle::{ClusterRefusal, ClusterRequest};

impl NodeTask {
    pub(super) async fn answer(&mut self, request: ClusterRequest) {
        // A reply that cannot be sent is not an error: the caller has given up.
        match request {
            ClusterRequest::Handover(to, reply) => drop(reply.send(self.hand_over(to).await)),
            ClusterRequest::Leave(node, reply) => drop(reply.send(self.remove(node).await)),
            ClusterRequest::RotateLinks(reply) => drop(reply.send(self.rotate_links().await)),
        }
    }

    async fn hand_over(&mut self, to: Option<String>) -> Result<String, ClusterRefusal> {
        let rows = nodes(&mut self.line).await.map_err(ClusterRefusal::Ledger)?;
        let holder = self.reading.glance.as_ref().and_then(|glance| glance.lease.holder);
        let chosen = if let Some(name) = to {
            let Some(row) = rows.iter().find(|row| row.name == name) else {
                return Err(ClusterRefusal::Unknown(name));
            };
            if !row.is_alive() {
                return Err(ClusterRefusal::Silent(name));
            }
            if holder == Some(row.key) {
                return Err(ClusterRefusal::Already(name));
            }
            if let Some(why) = unable(row) {
                return Err(ClusterRefusal::Unable(name, why));
            }
            row
        } else {
            let others = rows.iter().filter(|row| row.is_alive() && Some(row.key) != holder);
            let able = others.filter(|row| unable(row).is_none());
            able.max_by_key(|row| row.prefer).ok_or(ClusterRefusal::NoOther)?
        };
        ask_for(&mut self.line, chosen.key.id).await.map_err(ClusterRefusal::Ledger)?;
        info!(node = chosen.name, "an admin has asked another node to send the pushes");
        Ok(chosen.name.clone())
    }

    async fn remove(&mut self, node: String) -> Result<(), ClusterRefusal> {
        match remove(&mut self.line, &node).await.map_err(ClusterRefusal::Ledger)? {
            Removal::Done => {
                info!(node, "an admin has removed a node from the cluster");
                Ok(())
            }
            Removal::Alive => Err(ClusterRefusal::AtWork(node)),
            Removal::Unknown => Err(ClusterRefusal::Unknown(node)),
        }
    }
}

/// Says why a node cannot send pushes.
fn unable(row: &NodeRow) -> Option<String> {
    if row.prefer == NEVER {
        return Some("its push.enabled is false".to_owned());
    }
    (!row.trouble.is_empty()).then(|| row.trouble.clone())
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use super::*;

    #[test]
    fn a_node_without_pushes_or_with_a_trouble_is_handed_nothing() {
        assert_eq!(unable(&row(0, false)), None);
        let never = NodeRow { prefer: NEVER, ..row(0, false) };
        assert_eq!(unable(&never).as_deref(), Some("its push.enabled is false"));
        let trouble = NodeRow { trouble: "no provider".to_owned(), ..row(0, false) };
        assert_eq!(unable(&trouble).as_deref(), Some("no provider"));
    }
}
