//! What makes two messages the same alarm.

use std::fmt;

use sha2::{Digest, Sha256};
use zmes_shared::EventId;

use crate::node::NodeKey;

/// Names an alarm and phase, the same for all who may tell of it: the first 16 bytes of a SHA-256.
///
/// Of an event's start and ends anybody can tell, also a node that sees them in the Events table alone. Of what the
/// Events table does not have only the node beside the monitor knows, so its own number is enough. That number must not
/// be the alarm's number in the log: a write that had no answer is repeated, perhaps at another place, and must find
/// itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DedupKey([u8; 16]);

impl DedupKey {
    /// The first alarm of an event.
    pub fn start(event: EventId) -> Self {
        Self::of(&format!("s|{event}"))
    }

    /// A further alarm within an event: the node's own `number` tells them apart.
    pub fn again(node: NodeKey, number: u64) -> Self {
        Self::of(&format!("r|{}|{}|{number}", node.id.0, node.epoch))
    }

    /// The end of an episode of an event.
    pub fn end(event: EventId, episode: u32) -> Self {
        Self::of(&format!("e|{event}|{episode}"))
    }

    /// What is known beside the start of an event: its `number`-th update.
    pub fn update(event: EventId, number: u32) -> Self {
        Self::of(&format!("u|{event}|{number}"))
    }

    /// An alarm without an event.
    pub fn eventless(node: NodeKey, number: u64) -> Self {
        Self::of(&format!("n|{}|{}|{number}", node.id.0, node.epoch))
    }

    /// A key as it stands in the ledger.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes that stand in the ledger.
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    fn of(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Self(key)
    }
}

impl fmt::Debug for DedupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::NodeId;

    #[test]
    fn what_is_the_same_has_the_same_key_and_nothing_else_has() {
        let node = |id, epoch| NodeKey { id: NodeId(id), epoch };
        let keys = [
            DedupKey::start(EventId(12)),
            DedupKey::start(EventId(1)),
            DedupKey::end(EventId(1), 2),
            DedupKey::end(EventId(12), 1),
            DedupKey::update(EventId(1), 2),
            DedupKey::again(node(1, 2), 3),
            DedupKey::again(node(1, 23), 3),
            DedupKey::again(node(12, 3), 3),
            DedupKey::eventless(node(1, 2), 3),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert_eq!(keys.iter().filter(|other| *other == key).count(), 1, "{index}");
        }
        assert_eq!(DedupKey::start(EventId(12)), keys[0]);
        // Written into ledgers: this never changes.
        assert_eq!(format!("{:?}", DedupKey::start(EventId(32910))), "6fc995b40c4c22f7ef72669b2bddea6b");
    }
}
