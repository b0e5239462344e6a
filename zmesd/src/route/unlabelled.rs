//! Alarms recently sent without labels, and their recipients, who get an update once labels are known, or a better picture
//! is there.
//!
//! There is one entry for each event of a monitor, with its last alarm: an update replaces what a receiver got about
//! the event, and is sent once. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use zmes_shared::{EventId, MonitorId};

use crate::domain::{Alarm, DeliveryId, TokenId, ToldStart, UPDATE_WITHIN};
use crate::route::BetterPicture;

/// Maximum number of alarms kept. The oldest is dropped and gets no update.
const MAX_ALARMS: usize = 1024;
/// Maximum number of receivers kept, all alarms together. The oldest alarms are dropped.
const MAX_TOLD: usize = 200_000;

#[derive(Debug)]
pub(super) struct UnlabelledAlarm {
    /// The last alarm of the event.
    pub(super) alarm: Arc<Alarm>,
    /// Each token with what told it.
    pub(super) told: BTreeMap<TokenId, ToldStart>,
    /// When labels were seen, if they were.
    pub(super) seen_at: Option<Timestamp>,
}

#[derive(Debug, Default)]
pub(super) struct UnlabelledAlarms {
    by_event: BTreeMap<(EventId, MonitorId), UnlabelledAlarm>,
    /// The entries in the order of their last alarms.
    by_time: BTreeSet<(Timestamp, EventId, MonitorId)>,
    told: usize,
}

impl UnlabelledAlarms {
    /// Adds an alarm that is sent without labels, or a later one of the same event.
    pub(super) fn add(&mut self, alarm: &Arc<Alarm>) {
        let Some(event) = alarm.event else { return };
        let key = (event, alarm.monitor);
        self.forget_before(alarm.at.saturating_sub(UPDATE_WITHIN).unwrap_or(Timestamp::MIN));
        if let Some(known) = self.by_event.get_mut(&key) {
            self.by_time.remove(&(known.alarm.at, event, alarm.monitor));
            known.alarm = Arc::clone(alarm);
        } else {
            let alarm = Arc::clone(alarm);
            self.by_event.insert(key, UnlabelledAlarm { alarm, told: BTreeMap::new(), seen_at: None });
        }
        self.by_time.insert((alarm.at, event, alarm.monitor));
        self.make_room();
    }

    /// Records that a push sent a token an alarm that was added.
    pub(super) fn told(&mut self, alarm: &Alarm, token: TokenId, delivery: DeliveryId) {
        let Some(event) = alarm.event else { return };
        let Some(known) = self.by_event.get_mut(&(event, alarm.monitor)) else { return };
        let mut is_new = false;
        let told = known.told.entry(token).and_modify(|told| {
            // The last one may still fail.
            *told = ToldStart { id: delivery, first: Some(told.first.unwrap_or(told.id)) };
        });
        told.or_insert_with(|| {
            is_new = true;
            delivery.into()
        });
        self.told += usize::from(is_new);
        self.make_room();
    }

    /// A push told a token of an alarm with its labels: it shows what an update would.
    pub(super) fn labelled(&mut self, alarm: &Alarm, token: TokenId) {
        let Some(event) = alarm.event else { return };
        let Some(known) = self.by_event.get_mut(&(event, alarm.monitor)) else { return };
        self.told -= usize::from(known.told.remove(&token).is_some());
    }

    /// Labels of these events were seen at that time.
    pub(super) fn seen(&mut self, events: &[EventId], at: Timestamp) {
        for event in events {
            let whole = (*event, MonitorId(0))..=(*event, MonitorId(u32::MAX));
            for (_, known) in self.by_event.range_mut(whole) {
                known.seen_at.get_or_insert(at);
            }
        }
    }

    /// Removes and returns the alarms whose labels were found within a minute; forgets those whose labels came later.
    pub(super) fn take_seen(&mut self) -> Vec<UnlabelledAlarm> {
        let seen: Vec<_> = self.by_event.extract_if(.., |_, known| known.seen_at.is_some()).collect();
        let mut ready = Vec::with_capacity(seen.len());
        for ((event, monitor), known) in seen {
            self.by_time.remove(&(known.alarm.at, event, monitor));
            self.told -= known.told.len();
            let passed = known.seen_at.map(|at| at.duration_since(known.alarm.at));
            if passed.is_some_and(|passed| !passed.is_negative() && passed <= UPDATE_WITHIN) {
                ready.push(known);
            }
        }
        ready
    }

    /// Returns the tokens that were told of an event.
    pub(super) fn told_of(&self, event: EventId) -> impl Iterator<Item = TokenId> {
        let whole = (event, MonitorId(0))..=(event, MonitorId(u32::MAX));
        self.by_event.range(whole).flat_map(|(_, known)| known.told.keys().copied())
    }

    /// Removes and returns the tokens that get an update for a better picture of that alarm: who was shown a worse one, and
    /// wants it. Labels that come later are no update for them any more.
    pub(super) fn take_worse(
        &mut self,
        better: &BetterPicture,
        wants: impl Fn(TokenId) -> bool,
    ) -> Vec<(Arc<Alarm>, BTreeMap<TokenId, ToldStart>)> {
        let whole = (better.event, MonitorId(0))..=(better.event, MonitorId(u32::MAX));
        let mut taken = Vec::new();
        for (_, known) in self.by_event.range_mut(whole) {
            if known.alarm.at != better.alarm_at || known.seen_at.is_some() {
                continue;
            }
            let told: BTreeMap<_, _> =
                known.told.extract_if(.., |token, _| better.is_for(*token) && wants(*token)).collect();
            if !told.is_empty() {
                self.told -= told.len();
                taken.push((Arc::clone(&known.alarm), told));
            }
        }
        taken
    }

    /// The token has a new owner, who was sent nothing.
    pub(super) fn forget_token(&mut self, token: TokenId) {
        for known in self.by_event.values_mut() {
            self.told -= usize::from(known.told.remove(&token).is_some());
        }
    }

    fn forget_before(&mut self, before: Timestamp) {
        while self.by_time.first().is_some_and(|(at, ..)| *at < before) {
            self.forget_oldest();
        }
    }

    fn make_room(&mut self) {
        while self.by_event.len() > MAX_ALARMS || (self.told > MAX_TOLD && self.by_event.len() > 1) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((_, event, monitor)) = self.by_time.pop_first() else { return };
        let gone = self.by_event.remove(&(event, monitor));
        self.told -= gone.map_or(0, |gone| gone.told.len());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::route::fakes::alarm_at;

    fn start(event: u64, seconds: i64) -> Arc<Alarm> {
        Arc::new(alarm_at(1, event, 1_800_000_000 + seconds))
    }

    fn after(alarm: &Alarm, wait: Duration) -> Timestamp {
        alarm.at.saturating_add(wait).unwrap()
    }

    #[test]
    fn each_event_has_one_update_for_all_who_were_told_of_it() {
        let mut alarms = UnlabelledAlarms::default();
        let (first, second) = (start(7, 0), start(7, 5));
        alarms.add(&first);
        alarms.told(&first, TokenId(1), DeliveryId(10));
        alarms.told(&first, TokenId(2), DeliveryId(11));
        alarms.add(&second);
        alarms.told(&second, TokenId(2), DeliveryId(12));
        assert!(alarms.take_seen().is_empty(), "no labels yet");
        alarms.seen(&[EventId(8)], after(&second, Duration::from_secs(1)));
        assert!(alarms.take_seen().is_empty(), "another event");
        alarms.seen(&[EventId(7)], after(&second, Duration::from_secs(1)));
        alarms.seen(&[EventId(7)], after(&second, Duration::from_secs(9)));
        let taken = alarms.take_seen();
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].alarm.at, second.at);
        assert_eq!(
            taken[0].seen_at,
            Some(after(&second, Duration::from_secs(1))),
            "when they were first seen"
        );
        let twice = ToldStart { id: DeliveryId(12), first: Some(DeliveryId(11)) };
        let told = [(TokenId(1), DeliveryId(10).into()), (TokenId(2), twice)];
        assert_eq!(taken[0].told, told.into());
        alarms.seen(&[EventId(7)], after(&second, Duration::from_secs(9)));
        assert!(alarms.take_seen().is_empty(), "once");
        assert_eq!((alarms.told, alarms.by_time.len()), (0, 0));
    }

    #[test]
    fn what_comes_later_than_a_minute_is_no_update() {
        let mut alarms = UnlabelledAlarms::default();
        for (event, wait, wanted) in [(1, 60, true), (2, 61, false)] {
            let alarm = start(event, 0);
            alarms.add(&alarm);
            alarms.seen(&[EventId(event)], after(&alarm, Duration::from_secs(wait)));
            assert_eq!(alarms.take_seen().len(), usize::from(wanted), "{wait} s");
        }
        // A clock that was set back.
        let alarm = start(3, 0);
        alarms.add(&alarm);
        alarms.seen(&[EventId(3)], Timestamp::from_second(1_700_000_000).unwrap());
        assert!(alarms.take_seen().is_empty());
    }

    #[test]
    fn the_oldest_give_way() {
        let mut alarms = UnlabelledAlarms::default();
        // Events come in any order of their ids.
        for event in (1..=2000).rev() {
            let alarm = start(event, 0);
            alarms.add(&alarm);
            for token in 0..300 {
                alarms.told(&alarm, TokenId(token), DeliveryId(1));
            }
        }
        assert!(alarms.by_event.len() <= MAX_ALARMS && alarms.told <= MAX_TOLD, "{}", alarms.told);
        assert_eq!(alarms.by_event.values().map(|known| known.told.len()).sum::<usize>(), alarms.told);
        alarms.forget_token(TokenId(7));
        assert_eq!(alarms.by_event.values().map(|known| known.told.len()).sum::<usize>(), alarms.told);
        alarms.add(&start(5000, 61));
        assert_eq!((alarms.by_event.len(), alarms.told), (1, 0), "older than a minute");
    }

    #[test]
    fn a_better_picture_is_for_those_who_were_shown_a_worse_one_and_once() {
        let mut alarms = UnlabelledAlarms::default();
        let (first, alarm) = (start(7, 0), start(7, 5));
        alarms.add(&first);
        alarms.told(&first, TokenId(1), DeliveryId(9));
        alarms.add(&alarm);
        for token in 1..=4 {
            alarms.told(&alarm, TokenId(token), DeliveryId(10 + token));
        }
        let receivers = BTreeMap::from([(TokenId(1), true), (TokenId(2), false), (TokenId(9), true)]);
        let better = BetterPicture { event: EventId(7), alarm_at: alarm.at, receivers, others: true };
        let of_the_first = BetterPicture { alarm_at: first.at, ..better.clone() };
        assert!(alarms.take_worse(&of_the_first, |_| true).is_empty(), "a later alarm has its place");
        let taken = alarms.take_worse(&better, |token| token != TokenId(4));
        let told = [
            (TokenId(1), ToldStart { id: DeliveryId(11), first: Some(DeliveryId(9)) }),
            (TokenId(3), DeliveryId(13).into()),
        ];
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].1, told.into());
        assert!(alarms.take_worse(&better, |token| token != TokenId(4)).is_empty(), "once");
        alarms.seen(&[EventId(7)], alarm.at);
        assert!(alarms.take_worse(&better, |_| true).is_empty(), "it comes with the labels");
        let labelled = alarms.take_seen();
        assert_eq!(labelled[0].told.keys().collect::<Vec<_>>(), [&TokenId(2), &TokenId(4)]);
        assert_eq!(alarms.told, 0);
    }

    #[test]
    fn a_token_of_another_owner_hears_of_nothing() {
        let mut alarms = UnlabelledAlarms::default();
        let alarm = start(7, 0);
        alarms.add(&alarm);
        alarms.told(&alarm, TokenId(1), DeliveryId(10));
        alarms.forget_token(TokenId(1));
        alarms.seen(&[EventId(7)], alarm.at);
        assert!(alarms.take_seen()[0].told.is_empty());
    }
}
