//! Servers of ZoneMinder without a node of the cluster at work, whose monitors this node watches.

use std::collections::BTreeMap;

use tokio::time::Instant;

/// Which servers, each with the moment from which on nobody watched its monitors; `None`: longer ago than this machine's
/// monotonic clock can express.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orphans(BTreeMap<u32, Option<Instant>>);

impl Orphans {
    /// Says whether a server is one of them.
    pub fn contains(&self, server: u32) -> bool {
        self.0.contains_key(&server)
    }

    /// Returns from when on nobody watched a server that is one of them.
    pub fn get(&self, server: u32) -> Option<Option<Instant>> {
        self.0.get(&server).copied()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns their numbers.
    pub fn servers(&self) -> impl Iterator<Item = u32> {
        self.0.keys().copied()
    }

    /// Says whether what happened on a server at that time is this node's to tell; `None`: it was too long ago to be expressed.
    /// What was before had somebody to tell of it, or was never meant to be told.
    pub fn covers(&self, server: u32, began: Option<Instant>) -> bool {
        match (self.0.get(&server), began) {
            (Some(Some(from)), Some(began)) => began >= *from,
            (Some(Some(_)), None) => false,
            (Some(None) | None, _) => true,
        }
    }
}

impl FromIterator<(u32, Option<Instant>)> for Orphans {
    fn from_iter<I: IntoIterator<Item = (u32, Option<Instant>)>>(servers: I) -> Self {
        Self(servers.into_iter().collect())
    }
}
