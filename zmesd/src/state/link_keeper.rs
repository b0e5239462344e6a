//! Owns the keys of links to pictures and of snooze buttons: they must be on the disk to outlive a restart.

use jiff::Timestamp;
use tokio::sync::watch;

use super::{Note, StateHandle};
use crate::links::{LinkKey, LinkKeys};

/// Whoever makes or opens links follows the keys in here.
#[derive(Debug)]
pub struct LinkKeeper {
    keys: watch::Sender<LinkKeys>,
    state: StateHandle,
}

impl LinkKeeper {
    /// Goes on with the remembered keys; makes one if there are none. `None`: the system has no random numbers.
    pub fn new(remembered: Option<LinkKeys>, state: StateHandle, now: Timestamp) -> Option<Self> {
        let keys = if let Some(keys) = remembered {
            keys
        } else {
            let keys = LinkKeys::new(LinkKey::generate()?, false);
            state.note(Note::LinkKeys(keys.clone(), now));
            keys
        };
        Some(Self { keys: watch::channel(keys).0, state })
    }

    pub fn watch(&self) -> watch::Receiver<LinkKeys> {
        self.keys.subscribe()
    }

    pub fn keys(&self) -> LinkKeys {
        self.keys.borrow().clone()
    }

    /// The nodes of the cluster have agreed on this key. Returns whether that is news.
    pub fn agree(&self, key: LinkKey, now: Timestamp) -> bool {
        let Some(keys) = self.keys.borrow().agreed(key) else { return false };
        // Without room for it, it is news the next time as well, and after a restart.
        self.state.note(Note::LinkKeys(keys.clone(), now)) && {
            self.keys.send_replace(keys);
            true
        }
    }

    /// Makes a new key for this server alone, with which all links that were made before end. Returns false, and changes
    /// nothing, if that cannot be made or written down.
    pub fn replace(&self, now: Timestamp) -> bool {
        let Some(key) = LinkKey::generate() else { return false };
        let keys = LinkKeys::new(key, false);
        self.state.note(Note::LinkKeys(keys.clone(), now)) && {
            self.keys.send_replace(keys);
            true
        }
    }

    /// As [`Self::replace`], with the key that this node has just given to the cluster. It counts in any case; returns
    /// whether it will be on the disk.
    pub fn replaced(&self, key: LinkKey, now: Timestamp) -> bool {
        let keys = LinkKeys::new(key, true);
        self.keys.send_replace(keys.clone());
        self.state.note(Note::LinkKeys(keys, now))
    }
}
