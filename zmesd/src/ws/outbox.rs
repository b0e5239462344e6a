//! The session's end of the router's channel, and the receipts for its frames.

use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use zmes_shared::SessionId;

use crate::route::{Outgoing, WriteReport};

/// Maximum number of frames waiting for an app. A client that exceeds it is closed, and reconnects.
///
/// Enough for an alarm of every monitor of a large site within one poll, or for a page of missed events, before the
/// session gets to run: a healthy app must never be mistaken for a slow one. Memory is only allocated for waiting
/// frames, and a frame is shared by all sessions. An app that does not read hits the write deadline long before.
pub(super) const OUTBOX_BOUND: usize = 1024;

/// Reports whether a frame was written. Dropped without [`Receipt::written`], it reports that it was not.
#[derive(Debug)]
pub(super) struct Receipt {
    session: SessionId,
    reports: mpsc::Sender<WriteReport>,
    written: bool,
}

impl Receipt {
    pub(super) fn written(mut self) {
        self.written = true;
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        // The channel is full or closed: the count is no longer needed.
        self.reports.try_send(WriteReport { session: self.session, written: self.written }).ok();
    }
}

#[derive(Debug)]
pub(super) struct Outbox {
    session: SessionId,
    frames: mpsc::Receiver<Outgoing>,
}

impl Outbox {
    pub(super) fn new(session: SessionId, frames: mpsc::Receiver<Outgoing>) -> Self {
        Self { session, frames }
    }

    /// Returns the next frame, or `None` once the router has dropped the session. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<(Utf8Bytes, Option<Receipt>)> {
        self.frames.recv().await.map(|outgoing| open(self.session, outgoing))
    }

    /// Accepts no more frames, and reports waiting ones as not written.
    pub(super) fn close(&mut self) {
        self.frames.close();
        while let Ok(outgoing) = self.frames.try_recv() {
            drop(open(self.session, outgoing));
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.close();
    }
}

fn open(session: SessionId, outgoing: Outgoing) -> (Utf8Bytes, Option<Receipt>) {
    match outgoing {
        Outgoing::Frame(frame) => (frame, None),
        Outgoing::Tracked(tracked) => {
            let (frame, reports) = *tracked;
            (frame, Some(Receipt { session, reports, written: false }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_never_left_is_reported_as_such() {
        let (reports, mut reported) = mpsc::channel(4);
        let (outbox_tx, frames) = mpsc::channel(4);
        for text in ["first", "second"] {
            let tracked = Box::new((Utf8Bytes::from_static(text), reports.clone()));
            outbox_tx.try_send(Outgoing::Tracked(tracked)).unwrap();
        }
        let mut outbox = Outbox::new(SessionId(3), frames);
        let (_, receipt) = outbox.next().await.unwrap();
        receipt.unwrap().written();
        drop(outbox);
        assert_eq!(reported.recv().await, Some(WriteReport { session: SessionId(3), written: true }));
        assert_eq!(reported.recv().await, Some(WriteReport { session: SessionId(3), written: false }));
    }
}
