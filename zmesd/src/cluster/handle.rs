//! What others may see of the cluster and ask of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use zmes_cluster::LedgerError;
use zmes_shared::views::{ClusterNode, ClusterStatus};

use crate::ports::NodeAddresses;

/// Requests that wait. Full: the caller hears `busy`.
const REQUESTS: usize = 4;
/// How long a request may take: it is a statement or two.
const PATIENCE: Duration = Duration::from_secs(8);

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterRefusal {
    #[error("there is no node called {0}")]
    Unknown(String),
    /// It is at work, and cannot be removed.
    #[error("cannot remove node {0}: it is running")]
    AtWork(String),
    /// It is not at work, and cannot send.
    #[error("cannot hand over to {0}: it is not running")]
    Silent(String),
    /// It is not configured to send, or something keeps it from that.
    #[error("cannot hand over to {0}: {1}")]
    Unable(String, String),
    #[error("cannot hand over: no other node can send pushes")]
    NoOther,
    /// It sends already.
    #[error("{0} already sends the pushes")]
    Already(String),
    #[error("the system has no random numbers for a new key")]
    NoKey,
    /// The ledger did not do it.
    #[error("{0}")]
    Ledger(LedgerError),
    #[error("the cluster is busy")]
    Busy,
}

/// A request for the node's task.
#[derive(Debug)]
pub enum ClusterRequest {
    /// Have this node send the pushes, or any other than the one that does; answered with its name.
    Handover(Option<String>, oneshot::Sender<Result<String, ClusterRefusal>>),
    /// Remove a node that is not at work any more.
    Leave(String, oneshot::Sender<Result<(), ClusterRefusal>>),
    /// Replace the key of links; answered with whether this node's disk will have it.
    RotateLinks(oneshot::Sender<Result<bool, ClusterRefusal>>),
}

impl NodeAddresses for ClusterHandle {
    fn of_server(&self, server: u32) -> Option<String> {
        let status = self.status.borrow();
        let is_other = |node: &&ClusterNode| node.alive && node.name != status.name;
        let mut others = status.nodes.iter().filter(is_other);
        let node = others.find(|node| node.server_id == Some(server) && !node.address.is_empty())?;
        Some(node.address.clone())
    }
}

/// Shows the cluster and takes requests: cheap to clone.
#[derive(Debug, Clone)]
pub struct ClusterHandle {
    requests: mpsc::Sender<ClusterRequest>,
    status: watch::Receiver<Arc<ClusterStatus>>,
}

impl ClusterHandle {
    /// Returns a handle, and the ends of the task behind it.
    pub fn new(
        status: ClusterStatus,
    ) -> (Self, mpsc::Receiver<ClusterRequest>, watch::Sender<Arc<ClusterStatus>>) {
        let (requests, waiting) = mpsc::channel(REQUESTS);
        let (shows, status) = watch::channel(Arc::new(status));
        (Self { requests, status }, waiting, shows)
    }

    /// Returns the cluster as it was seen last, at most a second ago; it needs no database.
    pub fn status(&self) -> Arc<ClusterStatus> {
        Arc::clone(&self.status.borrow())
    }

    /// Has another node send the pushes: that one, or any that is at work. Returns its name once it was asked; it takes over
    /// within a second or two.
    pub async fn handover(&self, to: Option<String>) -> Result<String, ClusterRefusal> {
        self.ask(|reply| ClusterRequest::Handover(to, reply)).await
    }

    /// Removes a node that is not at work any more. Its alarms stay as long as others do.
    pub async fn leave(&self, node: String) -> Result<(), ClusterRefusal> {
        self.ask(|reply| ClusterRequest::Leave(node, reply)).await
    }

    /// Replaces the key of links at all nodes: at this one at once, at others within seconds. Returns whether this node's disk
    /// will have it.
    pub async fn rotate_links(&self) -> Result<bool, ClusterRefusal> {
        self.ask(ClusterRequest::RotateLinks).await
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, ClusterRefusal>>) -> ClusterRequest,
    ) -> Result<T, ClusterRefusal> {
        let (reply, answer) = oneshot::channel();
        self.requests.try_send(request(reply)).map_err(|_| ClusterRefusal::Busy)?;
        timeout(PATIENCE, answer).await.ok().and_then(Result::ok).unwrap_or(Err(ClusterRefusal::Busy))
    }
}
