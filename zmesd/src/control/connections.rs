//! How many control connections each Unix user has: one user must not use up what others need, admins above all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections of one user at a time; beyond that a new one is refused.
const EACH: usize = 24;
/// Connections of all users but root and the daemon's own.
const OTHERS: usize = 96;

#[derive(Debug, Clone, Default)]
pub(super) struct UserConnections {
    open: Arc<Mutex<HashMap<u32, usize>>>,
    own: u32,
}

/// One connection; it no longer counts when this is dropped.
#[derive(Debug)]
pub(super) struct UserConnection {
    connections: UserConnections,
    uid: u32,
}

impl UserConnections {
    pub(super) fn new(own: u32) -> Self {
        Self { open: Arc::default(), own }
    }

    /// Counts a connection; `None`: this user, or all users together, have too many.
    pub(super) fn enter(&self, uid: u32) -> Option<UserConnection> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let others: usize =
            open.iter().filter(|(uid, _)| !self.is_trusted(**uid)).map(|(_, count)| *count).sum();
        let own = open.get(&uid).copied().unwrap_or_default();
        if own >= EACH || (others >= OTHERS && !self.is_trusted(uid)) {
            return None;
        }
        open.insert(uid, own + 1);
        Some(UserConnection { connections: self.clone(), uid })
    }

    fn is_trusted(&self, uid: u32) -> bool {
        uid == 0 || uid == self.own
    }
}

impl Drop for UserConnection {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.uid) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_with_many_connections_keeps_no_other_out() {
        let connections = UserConnections::new(998);
        let mut flood: Vec<_> = std::iter::from_fn(|| connections.enter(1000)).collect();
        assert_eq!(flood.len(), EACH);
        let admin = connections.enter(1001);
        assert!(admin.is_some());
        flood.pop();
        assert!(connections.enter(1000).is_some(), "one has left");
        for uid in 2000..2010 {
            flood.extend(std::iter::from_fn(|| connections.enter(uid)));
        }
        assert!(connections.enter(3000).is_none());
        assert!(
            connections.enter(0).is_some() && connections.enter(998).is_some(),
            "root and the daemon's own user"
        );
        drop((flood, admin));
        assert!(connections.open.lock().unwrap().is_empty());
    }
}
