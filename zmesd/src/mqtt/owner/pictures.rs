//! Pictures of the last alarms. They are looked for beside everything else, and sent last, one at a time: no alarm waits for
//! one.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{info, warn};
use zmes_providers::PictureFile;
use zmes_shared::machine::MachineMessage;
use zmes_shared::words::MachineKind;
use zmes_shared::{EventId, MonitorId};

use super::MqttOwner;
use crate::mqtt::line::Tag;
use crate::ports::{BrokerMessage, PictureUploads};

/// Pictures that are looked for at a time. Of the others the last of each monitor waits.
const LOOKING: usize = 4;
/// Pictures that wait to be sent: each takes up to `mqtt.max-picture`. Full: nothing more is looked for.
const FOUND: usize = 4;
/// How long a picture is waited for, from the alarm on: ZoneMinder writes it when it has seen some frames.
const WAIT: Duration = Duration::from_secs(4);

/// Connections that may end one after the other while a picture is on its way, until no more are sent for a while.
const LOSSES: u8 = 2;
/// How long none is sent then. The network may have been to blame.
const REST: Duration = Duration::from_hours(1);

type Look = Pin<Box<dyn Future<Output = FoundPicture> + Send>>;

#[derive(Debug)]
struct FoundPicture {
    monitor: MonitorId,
    event: EventId,
    file: Option<PictureFile>,
}

/// Pictures from the alarm to the broker.
pub(super) struct AlarmPictures {
    desk: Arc<dyn PictureUploads>,
    /// The last alarm of each monitor that nobody looks for yet.
    wanted: BTreeMap<MonitorId, (EventId, Timestamp)>,
    /// The last alarm of each monitor whose picture was wanted over this connection.
    asked: BTreeMap<MonitorId, (EventId, Timestamp)>,
    looks: FuturesUnordered<Look>,
    found: BTreeMap<MonitorId, Bytes>,
    /// One is on its way to the broker.
    sending: bool,
    /// Connections that have ended one after the other while a picture was on its way.
    losses: u8,
    /// Until when none is sent.
    rests_until: Option<Instant>,
}

impl fmt::Debug for AlarmPictures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlarmPictures")
            .field("wanted", &self.wanted.len())
            .field("looks", &self.looks.len())
            .field("found", &self.found.len())
            .finish_non_exhaustive()
    }
}

impl AlarmPictures {
    pub(super) fn new(desk: Arc<dyn PictureUploads>) -> Self {
        Self {
            desk,
            wanted: BTreeMap::new(),
            asked: BTreeMap::new(),
            looks: FuturesUnordered::new(),
            found: BTreeMap::new(),
            sending: false,
            losses: 0,
            rests_until: None,
        }
    }

    /// Forgets everything: the settings have changed, or nothing is published any more.
    pub(super) fn forget(&mut self) {
        *self = Self::new(Arc::clone(&self.desk));
    }

    /// The connection is over. What was found is sent with the next one; what was on its way is wanted again. Returns
    /// whether pictures rest from now on.
    pub(super) fn interrupt(&mut self) -> bool {
        self.asked.clear();
        if !std::mem::take(&mut self.sending) {
            return false;
        }
        self.losses = self.losses.saturating_add(1);
        let rests = self.losses >= LOSSES;
        if rests {
            // The first picture after the rest is a probe: one more loss, and they rest again.
            self.losses = LOSSES - 1;
            self.rests_until = Some(Instant::now() + REST);
            self.wanted.clear();
            self.found.clear();
        }
        rests
    }

    /// A broker whose limit they exceed would end each connection, and alarms would wait.
    pub(super) fn rest(&self) -> bool {
        self.rests_until.is_some_and(|until| Instant::now() < until)
    }

    /// The broker has one.
    pub(super) fn sent(&mut self) {
        (self.sending, self.losses, self.rests_until) = (false, 0, None);
    }

    fn want(&mut self, monitor: MonitorId, event: EventId, at: Timestamp) {
        // While the disk takes no notes the record is read every few seconds, with the same alarms.
        if self.asked.get(&monitor).is_some_and(|(asked, last)| *asked == event && at <= *last) {
            return;
        }
        self.asked.insert(monitor, (event, at));
        self.wanted.insert(monitor, (event, at));
        self.look();
    }

    fn look(&mut self) {
        while self.looks.len() < LOOKING && self.found.len() < FOUND {
            let Some((monitor, (event, at))) = self.wanted.pop_first() else { return };
            let desk = Arc::clone(&self.desk);
            self.looks.push(Box::pin(async move {
                FoundPicture { monitor, event, file: desk.file(event, Some(at), None, WAIT).await }
            }));
        }
    }

    /// Returns what was found next. Nothing is lost if the future is dropped before that.
    pub(super) async fn next(&mut self) -> Option<(MonitorId, EventId, PictureFile)> {
        let Some(FoundPicture { monitor, event, file }) = self.looks.next().await else {
            return std::future::pending().await;
        };
        self.look();
        file.map(|file| (monitor, event, file))
    }
}

impl MqttOwner {
    /// The connection is over.
    pub(super) fn interrupt_pictures(&mut self) {
        if self.pictures.interrupt() {
            warn!(
                "the MQTT broker ends the connection at pictures: none are published for an hour; lower mqtt.max-picture"
            );
            let until = self.now().saturating_add(REST).unwrap_or(Timestamp::MAX);
            self.parts.status.change(|health| health.pictures_rest_until = Some(until));
        }
    }

    /// The broker has a picture.
    pub(super) fn picture_sent(&mut self) {
        self.pictures.sent();
        self.parts.status.change(|health| health.pictures_rest_until = None);
    }

    /// An alarm that was published, or read from the record: its picture follows.
    pub(super) fn want_picture(&mut self, told: &MachineMessage) {
        if let Some(event) = told.event
            && let Some(monitor) = &told.monitor
            && told.event_type == MachineKind::AlarmStart
            && self.config.picture
            && !self.pictures.rest()
            && self.cameras.is_last(monitor.id, event)
        {
            self.pictures.want(monitor.id, event, told.at);
        }
    }

    pub(super) fn on_picture(&mut self, found: Option<(MonitorId, EventId, PictureFile)>) {
        let Some((monitor, event, file)) = found else { return };
        let limit = self.config.max_picture;
        // A later alarm has its own, and a monitor may be gone.
        if self.cleared || self.pictures.rest() || !self.cameras.is_last(monitor, event) {
            return;
        }
        let bytes = file.bytes();
        if bytes.len() as u64 > limit {
            info!(%event, size = bytes.len(), limit, "picture larger than mqtt.max-picture: not published");
            return;
        }
        self.pictures.found.insert(monitor, Bytes::copy_from_slice(bytes));
    }

    /// Returns the next picture to send, if there is one and none is on its way.
    pub(super) fn next_picture(&mut self) -> Option<(BrokerMessage, Tag)> {
        if self.pictures.sending || self.pictures.rest() {
            return None;
        }
        let (monitor, bytes) = self.pictures.found.pop_first()?;
        self.pictures.look();
        self.cameras.get(monitor)?;
        self.pictures.sending = true;
        Some((BrokerMessage::retained(self.topics.monitor(monitor, "picture"), bytes), Tag::Picture))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::TokenId;

    #[derive(Debug)]
    struct Desk;

    #[async_trait::async_trait]
    impl PictureUploads for Desk {
        async fn file(
            &self,
            event: EventId,
            _: Option<Timestamp>,
            _: Option<TokenId>,
            _: Duration,
        ) -> Option<PictureFile> {
            Some(PictureFile::new(vec![u8::try_from(event.0).unwrap()]))
        }
    }

    #[tokio::test]
    async fn few_are_looked_for_at_a_time_and_of_each_monitor_the_last() {
        let mut pictures = AlarmPictures::new(Arc::new(Desk));
        for monitor in 0..4 {
            pictures.want(MonitorId(monitor), EventId(1), Timestamp::UNIX_EPOCH);
        }
        for event in 2..9 {
            pictures.want(MonitorId(9), EventId(event), Timestamp::UNIX_EPOCH);
        }
        assert_eq!((pictures.looks.len(), pictures.wanted.len()), (LOOKING, 1));
        let mut events = Vec::new();
        for _ in 0..=LOOKING {
            events.extend(pictures.next().await.map(|(_, event, _)| event.0));
        }
        events.sort_unstable();
        assert_eq!(events, [1, 1, 1, 1, 8]);
    }

    #[tokio::test]
    async fn an_alarm_that_is_read_again_wants_its_picture_once_over_each_connection() {
        let mut pictures = AlarmPictures::new(Arc::new(Desk));
        let looks = |pictures: &mut AlarmPictures, second| {
            let before = pictures.looks.len();
            pictures.want(MonitorId(1), EventId(7), Timestamp::from_second(second).unwrap());
            pictures.looks.len() - before
        };
        assert_eq!(looks(&mut pictures, 10), 1);
        assert_eq!(looks(&mut pictures, 20), 1, "the event had another alarm");
        assert_eq!((looks(&mut pictures, 10), looks(&mut pictures, 20)), (0, 0), "both are read again");
        pictures.interrupt();
        assert_eq!(looks(&mut pictures, 20), 1, "it may have been on its way");
    }

    #[tokio::test(start_paused = true)]
    async fn a_broker_that_ends_each_connection_at_a_picture_gets_one_an_hour() {
        let mut pictures = AlarmPictures::new(Arc::new(Desk));
        let lost = |pictures: &mut AlarmPictures| {
            pictures.sending = true;
            (pictures.interrupt(), pictures.rest())
        };
        for _ in 0..LOSSES {
            assert!(!pictures.interrupt() && !pictures.rest(), "no picture was on its way");
        }
        assert_eq!(lost(&mut pictures), (false, false));
        pictures.sending = true;
        pictures.sent();
        assert_eq!(lost(&mut pictures), (false, false), "one has arrived in between");
        assert_eq!(lost(&mut pictures), (true, true));
        tokio::time::advance(REST).await;
        assert!(!pictures.rest(), "one is tried again");
        assert_eq!(lost(&mut pictures), (true, true));
        tokio::time::advance(REST).await;
        pictures.sending = true;
        pictures.sent();
        assert_eq!(lost(&mut pictures), (false, false), "as if nothing had been");
        assert_eq!(lost(&mut pictures), (true, true));
        pictures.forget();
        assert!(!pictures.rest());
    }
}
