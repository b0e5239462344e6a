//! Young events whose pushes may get a better picture: what was found of each, who was shown what, and when it is worth an
//! update. Pure.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use zmes_shared::EventId;
use zmes_zoneminder::pictures::{Picture, PictureKind, Wanted};

use crate::domain::{TokenId, UPDATE_WITHIN};
use crate::route::{BetterPicture, PictureRequest};

/// Maximum number of events watched. The oldest alarm gives way.
const WATCHED: usize = 64;
/// Maximum number of receivers remembered of one event. More are taken for receivers of which nothing is known.
const RECEIVERS: usize = 10_000;
/// Detection takes 1 to 15 seconds. Until then a picture that is not the best waits for the best, and any picture for the
/// labels: each event has one update.
const DETECTION: SignedDuration = SignedDuration::from_secs(20);
/// Who is not known to have loaded a picture has done so by then: phones load it when they get the push, from any node of
/// a cluster.
const LOADED: SignedDuration = SignedDuration::from_secs(3);

/// The picture that a receiver was shown; `None`: there was none.
pub(super) type Shown = Option<PictureKind>;

#[derive(Debug)]
struct YoungEvent {
    request: PictureRequest,
    /// The best one so far, and when ZoneMinder wrote it.
    found: Option<(PictureKind, Timestamp)>,
    shown: HashMap<TokenId, Shown>,
}

#[derive(Debug, Default)]
pub(super) struct YoungEvents(BTreeMap<EventId, YoungEvent>);

impl YoungEvents {
    /// Watches the event of an alarm. Of several alarms of one event the last counts.
    pub(super) fn add(&mut self, request: PictureRequest) {
        self.0.insert(request.event, YoungEvent { request, found: None, shown: HashMap::new() });
        if self.0.len() > WATCHED {
            let oldest = self.0.values().map(|young| young.request).min_by_key(|request| request.at);
            self.0.remove(&oldest.unwrap_or(request).event);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn forget(&mut self, event: EventId) {
        self.0.remove(&event);
    }

    /// Forgets the alarms that are too old for an update; also those of the future, after the clock was set back.
    pub(super) fn forget_old(&mut self, now: Timestamp) {
        self.0.retain(|_, young| {
            let age = now.duration_since(young.request.at);
            (-UPDATE_WITHIN..=UPDATE_WITHIN).contains(&age)
        });
    }

    /// Returns the watched alarms, each with the best picture that was found.
    pub(super) fn watched(&self) -> Vec<(PictureRequest, Option<PictureKind>)> {
        self.0.values().map(|young| (young.request, young.found.map(|(kind, _)| kind))).collect()
    }

    /// Records the picture of an alarm that is better than those before.
    pub(super) fn found(&mut self, request: PictureRequest, picture: &Picture) {
        if let Some(young) = self.of(request) {
            young.found = Some((picture.kind, picture.written));
        }
    }

    /// Records what a receiver was shown of an event. If it was shown several, the best counts.
    pub(super) fn shown(&mut self, event: EventId, token: TokenId, shown: Shown, wanted: &Wanted) {
        let Some(young) = self.0.get_mut(&event) else { return };
        let is_new = !young.shown.contains_key(&token);
        if is_new && young.shown.len() >= RECEIVERS {
            return;
        }
        let known = young.shown.entry(token).or_default();
        if let Some(kind) = shown
            && wanted.prefers(kind, *known)
        {
            *known = shown;
        }
    }

    /// Returns the pictures that are worth an update now. [`Self::forget`] must follow once it was decided.
    pub(super) fn due(&self, order: &[PictureKind], now: Timestamp) -> Vec<BetterPicture> {
        self.0.values().filter_map(|young| young.due(order, now)).collect()
    }

    fn of(&mut self, request: PictureRequest) -> Option<&mut YoungEvent> {
        self.0.get_mut(&request.event).filter(|young| young.request == request)
    }
}

impl YoungEvent {
    fn due(&self, order: &[PictureKind], now: Timestamp) -> Option<BetterPicture> {
        let (kind, written) = self.found?;
        let PictureRequest { event, at, labels_expected } = self.request;
        let at_once = order.first() == Some(&kind) && !labels_expected;
        if !at_once && now.duration_since(at) < DETECTION {
            return None;
        }
        let wanted = Wanted { event, order: order.to_vec(), alarm_at: None, max_size: 0 };
        let receivers: BTreeMap<_, _> =
            self.shown.iter().map(|(token, shown)| (*token, wanted.prefers(kind, *shown))).collect();
        let others = written.duration_since(at) > LOADED;
        let better = BetterPicture { event, alarm_at: at, receivers, others };
        better.is_for_anyone().then_some(better)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: [PictureKind; 3] = PictureKind::ORDER;
    const EVENT: EventId = EventId(7);

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn request(event: u64, at: i64, labels_expected: bool) -> PictureRequest {
        PictureRequest { event: EventId(event), at: second(at), labels_expected }
    }

    fn picture(kind: PictureKind, written: i64) -> Picture {
        Picture { bytes: Vec::new(), kind, written: second(written), earlier: false }
    }

    fn wanted(order: &[PictureKind]) -> Wanted {
        Wanted { event: EVENT, order: order.to_vec(), alarm_at: None, max_size: 0 }
    }

    /// Watches an alarm at 0 s; returns it with whom a picture found now would be for.
    fn watching(labels_expected: bool, shown: &[(i64, Shown)]) -> YoungEvents {
        let mut events = YoungEvents::default();
        events.add(request(7, 0, labels_expected));
        for (token, shown) in shown {
            events.shown(EVENT, TokenId(*token), *shown, &wanted(&ORDER));
        }
        events
    }

    fn receivers(events: &YoungEvents, order: &[PictureKind], now: i64) -> Option<(Vec<i64>, bool)> {
        let mut due = events.due(order, second(now));
        assert!(due.len() <= 1);
        let due = due.pop()?;
        let wanted = due.receivers.iter().filter(|(_, better)| **better).map(|(token, _)| token.0);
        Some((wanted.collect(), due.others))
    }

    #[test]
    fn the_best_picture_goes_at_once_to_who_was_shown_a_worse_one() {
        let shown = [(1, None), (2, Some(PictureKind::Snapshot)), (3, Some(PictureKind::Objdetect))];
        let mut events = watching(false, &shown);
        assert_eq!(receivers(&events, &ORDER, 1), None, "nothing was found");
        events.found(request(7, 0, false), &picture(PictureKind::Objdetect, 2));
        assert_eq!(receivers(&events, &ORDER, 2), Some((vec![1, 2], false)), "who loads it now gets it");
        events.found(request(7, 0, false), &picture(PictureKind::Objdetect, 5));
        assert_eq!(receivers(&events, &ORDER, 5), Some((vec![1, 2], true)));
        events.forget(EVENT);
        assert!(events.is_empty() && events.due(&ORDER, second(60)).is_empty());
    }

    #[test]
    fn a_picture_that_is_only_better_waits_for_the_best_and_each_for_labels() {
        let mut events = watching(false, &[(1, None), (2, Some(PictureKind::Alarm))]);
        events.found(request(7, 0, false), &picture(PictureKind::Alarm, 2));
        assert_eq!(receivers(&events, &ORDER, 19), None);
        assert_eq!(receivers(&events, &ORDER, 20), Some((vec![1], false)));
        let without_detection = [PictureKind::Alarm, PictureKind::Snapshot];
        assert_eq!(receivers(&events, &without_detection, 2), Some((vec![1], false)), "it is the best");

        let mut events = watching(true, &[(1, None)]);
        events.found(request(7, 0, true), &picture(PictureKind::Objdetect, 2));
        assert_eq!(receivers(&events, &ORDER, 19), None);
        assert_eq!(receivers(&events, &ORDER, 20), Some((vec![1], false)));
    }

    #[test]
    fn nobody_is_updated_who_has_the_same_or_a_better_picture() {
        let mut events = watching(false, &[(1, Some(PictureKind::Alarm)), (2, Some(PictureKind::Frame(9)))]);
        events.found(request(7, 0, false), &picture(PictureKind::Alarm, 1));
        assert_eq!(receivers(&events, &ORDER, 30), None);
        // It has loaded the best since, from this node.
        let mut events = watching(false, &[(1, None)]);
        events.shown(EVENT, TokenId(1), Some(PictureKind::Objdetect), &wanted(&ORDER));
        events.shown(EVENT, TokenId(1), None, &wanted(&ORDER));
        events.found(request(7, 0, false), &picture(PictureKind::Objdetect, 1));
        assert_eq!(receivers(&events, &ORDER, 30), None);
    }

    #[test]
    fn the_last_alarm_of_an_event_counts_and_the_oldest_give_way() {
        let mut events = watching(false, &[(1, None)]);
        events.add(request(7, 10, false));
        events.found(request(7, 0, false), &picture(PictureKind::Objdetect, 9));
        assert_eq!(events.watched(), [(request(7, 10, false), None)], "that was of the alarm before");
        for event in 100..200 {
            events.add(request(event, 20 + i64::try_from(event).unwrap(), false));
        }
        let watched = events.watched();
        assert_eq!((watched.len(), watched[0].0.event), (WATCHED, EventId(136)));
        events.forget_old(second(20 + 199 + 60));
        assert_eq!(events.watched().len(), 1);
        events.forget_old(second(-1000));
        assert!(events.is_empty());
    }

    #[test]
    fn what_many_receivers_were_shown_is_bounded() {
        let mut events = watching(false, &[]);
        for token in 0..20_000 {
            events.shown(EVENT, TokenId(token), None, &wanted(&ORDER));
        }
        events.shown(EVENT, TokenId(5), Some(PictureKind::Objdetect), &wanted(&ORDER));
        let shown = &events.0[&EVENT].shown;
        assert_eq!((shown.len(), shown[&TokenId(5)]), (RECEIVERS, Some(PictureKind::Objdetect)));
        events.shown(EventId(8), TokenId(1), None, &wanted(&ORDER));
        assert_eq!(events.watched().len(), 1, "nobody watches that one");
    }
}
