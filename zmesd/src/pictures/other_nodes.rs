//! Pictures of cameras of other nodes: a cluster needs no storage that is mounted at all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};
use zmes_providers::{NeighbourAnswer, Neighbours};
use zmes_zoneminder::pictures::{Picture, PictureKind, PicturesElsewhere, Wanted};

use crate::links::{self, LinkHolder, LinkKeys, PictureLink};
use crate::ports::{Clock, NodeAddresses};

/// How long the link lives that this node makes for itself, and rounded up to the minute: clocks may differ.
const LIFETIME: Duration = Duration::from_mins(2);
/// Pause before a node is asked again whose picture may come.
const PAUSE: Duration = Duration::from_millis(100);
/// The header in which a node says which picture it has.
pub(super) const ABOUT: &str = "zmesd-picture";

/// Asks the node of the server that has written an event.
#[derive(Debug)]
pub(super) struct OtherNodes {
    addresses: Arc<dyn NodeAddresses>,
    keys: watch::Receiver<LinkKeys>,
    neighbours: Neighbours,
    clock: Arc<dyn Clock>,
    /// The log says that a node is not reached, and none has answered with a picture since.
    told_away: AtomicBool,
}

impl OtherNodes {
    pub(super) fn new(
        addresses: Arc<dyn NodeAddresses>,
        keys: watch::Receiver<LinkKeys>,
        neighbours: Neighbours,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { addresses, keys, neighbours, clock, told_away: AtomicBool::new(false) }
    }

    fn url(&self, address: &str, wanted: &Wanted) -> Option<String> {
        // Where it does not matter which alarm of the event it was, all pictures are late enough.
        let at = wanted.alarm_at.unwrap_or(Timestamp::UNIX_EPOCH);
        let link = PictureLink::new(wanted.event, LinkHolder::Node, at, self.clock.now(), LIFETIME);
        let keys = self.keys.borrow();
        // With a key of this node alone no other would answer.
        let link = keys.is_agreed.then(|| link.seal(&keys.current)).flatten()?;
        Some(links::at_node(address, &link))
    }
}

#[async_trait]
impl PicturesElsewhere for OtherNodes {
    async fn picture(&self, server: u32, wanted: &Wanted, deadline: Instant) -> Option<Picture> {
        let address = self.addresses.of_server(server)?;
        loop {
            let asked = self.neighbours.ask(&self.url(&address, wanted)?, ABOUT, wanted.max_size).await;
            match asked {
                Ok(answer) if answer.status == 200 => {
                    self.told_away.store(false, Ordering::Relaxed);
                    let picture = received(answer, wanted);
                    if picture.is_none() {
                        warn!(event = %wanted.event, address, "the answer of another node is no picture that may be sent");
                    }
                    return picture;
                }
                Ok(answer) if answer.is_soon && Instant::now() + PAUSE < deadline => sleep(PAUSE).await,
                Ok(answer) => {
                    debug!(event = %wanted.event, address, status = answer.status, "another node has no picture");
                    return None;
                }
                Err(error) => {
                    if !self.told_away.swap(true, Ordering::Relaxed) {
                        warn!(
                            event = %wanted.event, address, %error,
                            hint = "cluster.address of that node must lead to its server.listen, from here",
                            "another node was not reached for a picture"
                        );
                    }
                    return None;
                }
            }
        }
    }
}

fn received(answer: NeighbourAnswer, wanted: &Wanted) -> Option<Picture> {
    let (kind, written) = parse(&answer.about?)?;
    Picture::received(answer.body?, kind, written, wanted)
}

/// Writes what another node wants to know of a picture.
pub(super) fn about(picture: &Picture) -> String {
    let kind = match picture.kind {
        PictureKind::Frame(frame) => format!("frame-{frame}"),
        kind @ (PictureKind::Objdetect | PictureKind::Alarm | PictureKind::Snapshot) => kind.to_string(),
    };
    format!("{kind} {}", picture.written)
}

fn parse(about: &str) -> Option<(PictureKind, Timestamp)> {
    let (kind, written) = about.split_once(' ')?;
    let kind = match kind.strip_prefix("frame-") {
        Some(frame) => PictureKind::Frame(frame.parse().ok()?),
        None => PictureKind::ORDER.into_iter().find(|known| known.to_string() == kind)?,
    };
    Some((kind, written.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_picture_is_understood() {
        let written: Timestamp = "2026-12-01T03:36:00.123Z".parse().unwrap();
        for (kind, text) in [
            (PictureKind::Alarm, "alarm 2026-12-01T03:36:00.123Z"),
            (PictureKind::Frame(42), "frame-42 2026-12-01T03:36:00.123Z"),
        ] {
            let picture = Picture { bytes: Vec::new(), kind, written, earlier: false };
            assert_eq!(about(&picture), text);
            assert_eq!(parse(text), Some((kind, written)));
        }
        for wrong in ["", "alarm", "alarm x", "other 2026-12-01T03:36:00Z", "frame-x 2026-12-01T03:36:00Z"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
