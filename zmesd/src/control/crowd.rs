//! Who is at the door of the control socket: how many connections each user of the system has. One that connects without
//! end must not fill what others, admins above all, need.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections of one user at a time; beyond that a new one is refused.
const EACH: usize = 24;
/// Connections of all users but root and the daemon's own.
const OTHERS: usize = 96;

/// The connections that are open.
#[derive(Debug, Clone, Default)]
pub(super) struct Crowd {
    open: Arc<Mutex<HashMap<u32, usize>>>,
    own: u32,
}

/// One connection; it no longer counts when this is dropped.
#[derive(Debug)]
pub(super) struct Visitor {
    crowd: Crowd,
    uid: u32,
}

impl Crowd {
    /// Returns the crowd of a daemon that runs as that user.
    pub(super) fn new(own: u32) -> Self {
        Self { open: Arc::default(), own }
    }

    /// Counts a connection; `None`: this user, or all together, have too many.
    pub(super) fn enter(&self, uid: u32) -> Option<Visitor> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let others: usize =
            open.iter().filter(|(uid, _)| !self.is_trusted(**uid)).map(|(_, count)| *count).sum();
        let own = open.get(&uid).copied().unwrap_or_default();
        if own >= EACH || (others >= OTHERS && !self.is_trusted(uid)) {
            return None;
        }
        open.insert(uid, own + 1);
        Some(Visitor { crowd: self.clone(), uid })
    }

    fn is_trusted(&self, uid: u32) -> bool {
        uid == 0 || uid == self.own
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        let mut open = self.crowd.open.lock().unwrap_or_else(PoisonError::into_inner);
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
    fn one_user_who_connects_without_end_keeps_nobody_out() {
        let crowd = Crowd::new(998);
        let mut flood: Vec<_> = std::iter::from_fn(|| crowd.enter(1000)).collect();
        assert_eq!(flood.len(), EACH);
        let admin = crowd.enter(1001);
        assert!(admin.is_some());
        flood.pop();
        assert!(crowd.enter(1000).is_some(), "one has left");
        for uid in 2000..2010 {
            flood.extend(std::iter::from_fn(|| crowd.enter(uid)));
        }
        assert!(crowd.enter(3000).is_none());
        assert!(crowd.enter(0).is_some() && crowd.enter(998).is_some(), "root and the daemon's own user");
        drop((flood, admin));
        assert!(crowd.open.lock().unwrap().is_empty());
    }
}
