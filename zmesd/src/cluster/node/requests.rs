//! What admins ask of the cluster.

use tracing::info;
use zmes_cluster::lease::ask_for;
use zmes_cluster::node::{Removal, nodes, remove};

use super::NodeTask;
use crate::cluster::handle::{ClusterRefusal, ClusterRequest};

impl NodeTask {
    pub(super) async fn answer(&mut self, request: ClusterRequest) {
        // A reply that cannot be sent is not an error: the caller has given up.
        match request {
            ClusterRequest::Handover(to, reply) => drop(reply.send(self.hand_over(to).await)),
            ClusterRequest::Leave(node, reply) => drop(reply.send(self.remove(node).await)),
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
            row
        } else {
            let others = rows.iter().filter(|row| row.is_alive() && Some(row.key) != holder);
            others.max_by_key(|row| row.prefer).ok_or(ClusterRefusal::NoOther)?
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
