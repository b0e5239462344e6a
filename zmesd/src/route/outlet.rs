//! A channel whose sender never waits: what finds no room is kept, in order, and offered again.

use std::collections::VecDeque;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

#[derive(Debug)]
pub struct Outlet<T> {
    channel: mpsc::Sender<T>,
    kept: VecDeque<T>,
    /// Pieces that are kept at most.
    most: usize,
}

impl<T> Outlet<T> {
    pub fn new(channel: mpsc::Sender<T>, most: usize) -> Self {
        Self { channel, kept: VecDeque::new(), most }
    }

    /// Sends it, or keeps it until there is room. Returns what is dropped for it: the oldest, if too many are kept.
    pub fn tell(&mut self, piece: T) -> Option<T> {
        let piece = self.try_tell(piece).err()?;
        self.kept.push_back(piece);
        if self.kept.len() > self.most { self.kept.pop_front() } else { None }
    }

    /// Sends it if there is room, and nothing waits before it.
    pub fn try_tell(&mut self, piece: T) -> Result<(), T> {
        if !self.offer() {
            return Err(piece);
        }
        match self.channel.try_send(piece) {
            Err(TrySendError::Full(piece)) => Err(piece),
            // Closed: the daemon ends, and nobody listens any more.
            Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
        }
    }

    /// Offers again what was kept. Returns whether nothing is kept any more.
    pub fn offer(&mut self) -> bool {
        while let Some(piece) = self.kept.pop_front() {
            if let Err(TrySendError::Full(piece)) = self.channel.try_send(piece) {
                self.kept.push_front(piece);
                return false;
            }
        }
        true
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(receiver: &mut mpsc::Receiver<u32>) -> Vec<u32> {
        std::iter::from_fn(|| receiver.try_recv().ok()).collect()
    }

    #[test]
    fn what_finds_no_room_comes_later_and_in_order() {
        let (channel, mut receiver) = mpsc::channel(2);
        let mut outlet = Outlet::new(channel, 3);
        assert!((1..=5).all(|piece| outlet.tell(piece).is_none()));
        assert!(!outlet.is_empty() && !outlet.offer());
        assert_eq!(outlet.tell(6), Some(3), "the oldest that was kept");
        assert_eq!(read(&mut receiver), [1, 2]);
        assert_eq!(outlet.try_tell(7), Err(7), "4, 5 and 6 are before it");
        assert_eq!(read(&mut receiver), [4, 5]);
        assert!(outlet.offer() && outlet.is_empty());
        assert_eq!(outlet.try_tell(7), Ok(()));
        assert_eq!(read(&mut receiver), [6, 7]);
    }

    #[test]
    fn nothing_is_kept_for_a_reader_that_has_ended() {
        let (channel, receiver) = mpsc::channel(1);
        let mut outlet = Outlet::new(channel, 3);
        assert!((1..=3).all(|piece| outlet.tell(piece).is_none()) && !outlet.is_empty());
        drop(receiver);
        assert_eq!(outlet.tell(4), None);
        assert!(outlet.is_empty());
    }
}
