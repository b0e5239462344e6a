//! The events whose labels are looked for. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zmes_shared::{EventId, Label};

use crate::route::LabelRequest;

/// How long an announced event is read.
const YOUNG: Duration = Duration::from_mins(1);
/// Maximum number of events to read, in turns.
const MAX_EVENTS: usize = 1024;
/// Maximum number of events per read.
pub(super) const BATCH: usize = 64;

#[derive(Debug)]
struct WatchedEvent {
    until: Instant,
    /// Until when decisions wait for labels, if some do.
    waits_until: Option<Instant>,
    /// When it was last read.
    read_at: Option<Instant>,
    /// The labels that the router knows.
    told: Vec<Label>,
}

impl WatchedEvent {
    fn waits(&self, now: Instant) -> bool {
        self.told.is_empty() && self.waits_until.is_some_and(|until| now < until)
    }
}

#[derive(Debug, Default)]
pub(super) struct WatchedEvents(BTreeMap<EventId, WatchedEvent>);

impl WatchedEvents {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an event that has just been announced, possibly again. If there is no room, the oldest one is no longer
    /// read.
    pub(super) fn add(&mut self, request: LabelRequest, now: Instant) {
        let LabelRequest { event, waits_until } = request;
        let until = (now + YOUNG).max(waits_until.unwrap_or(now));
        let watched = self.0.entry(event).or_insert(WatchedEvent {
            until,
            waits_until,
            read_at: None,
            told: Vec::new(),
        });
        watched.until = until;
        if waits_until.is_some() {
            watched.waits_until = watched.waits_until.max(waits_until);
            // The router waits, so it does not know the labels: they are reported again.
            watched.told.clear();
        }
        if self.0.len() > MAX_EVENTS {
            let idle = self.0.iter().find(|(_, watched)| !watched.waits(now)).map(|(event, _)| *event);
            let oldest = idle.or_else(|| self.0.keys().next().copied());
            oldest.and_then(|oldest| self.0.remove(&oldest));
        }
    }

    pub(super) fn any_waits(&self, now: Instant) -> bool {
        self.0.values().any(|watched| watched.waits(now))
    }

    /// Returns whether there is an event without labels.
    pub(super) fn any_without(&self) -> bool {
        self.0.values().any(|watched| watched.told.is_empty())
    }

    /// Returns the events to read now: first those that decisions wait for, then those not read for the longest time.
    pub(super) fn batch(&mut self, now: Instant) -> Vec<EventId> {
        let mut order: Vec<_> =
            self.0.iter().map(|(event, watched)| (!watched.waits(now), watched.read_at, *event)).collect();
        order.sort_unstable();
        let batch: Vec<_> = order.into_iter().take(BATCH).map(|(_, _, event)| event).collect();
        for event in &batch {
            if let Some(watched) = self.0.get_mut(event) {
                watched.read_at = Some(now);
            }
        }
        batch
    }

    /// Returns the events with labels that the router does not know, each with all labels ever found.
    pub(super) fn news(&self, found: BTreeMap<EventId, Vec<Label>>) -> Vec<(EventId, Arc<[Label]>)> {
        let news = found.into_iter().filter_map(|(event, labels)| {
            let mut all = self.0.get(&event)?.told.clone();
            let mut changed = false;
            for label in labels {
                changed |= label.merge_into(&mut all);
            }
            changed.then(|| (event, all.into()))
        });
        news.collect()
    }

    /// The router now knows these labels.
    pub(super) fn told(&mut self, found: Vec<(EventId, Arc<[Label]>)>) {
        for (event, labels) in found {
            if let Some(watched) = self.0.get_mut(&event) {
                watched.told = labels.to_vec();
            }
        }
    }

    pub(super) fn forget_old(&mut self, now: Instant) {
        self.0.retain(|_, watched| now < watched.until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: u64, waits: Option<Instant>) -> LabelRequest {
        LabelRequest { event: EventId(id), waits_until: waits }
    }

    fn found(id: u64, labels: &[(&str, Option<u32>)]) -> BTreeMap<EventId, Vec<Label>> {
        let labels = labels.iter().map(|(name, percent)| Label::new(name, *percent).unwrap()).collect();
        BTreeMap::from([(EventId(id), labels)])
    }

    fn listed(news: &[(EventId, Arc<[Label]>)]) -> Vec<String> {
        news.iter().map(|(event, labels)| format!("{event}: {}", Label::listed(labels))).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_once_seen_stays_and_is_told_once() {
        let (mut events, now) = (WatchedEvents::default(), Instant::now());
        events.add(event(7, None), now);
        let news = events.news(found(7, &[("person", Some(60))]));
        assert_eq!(listed(&news), ["7: person 60 %"]);
        // The router was busy.
        assert_eq!(events.news(found(7, &[("person", Some(60))])), news);
        events.told(news);
        assert_eq!(events.news(found(7, &[("person", Some(60))])), []);
        assert_eq!(events.news(found(7, &[("person", Some(40))])), []);
        // ZoneMinder has overwritten its notes, then detection ran once more.
        assert_eq!(events.news(BTreeMap::new()), []);
        assert_eq!(listed(&events.news(found(7, &[("car", None)]))), ["7: person 60 %, car"]);
        assert_eq!(events.news(found(8, &[("car", None)])), [], "nobody asked for it");
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_are_waited_for_come_first_then_those_not_read_for_longest() {
        let (mut events, now) = (WatchedEvents::default(), Instant::now());
        for id in 1..=100 {
            events.add(event(id, None), now);
        }
        events.add(event(500, Some(now + Duration::from_secs(5))), now);
        assert!(events.any_waits(now));
        let first = events.batch(now);
        assert_eq!((first.len(), first[0], first[1]), (BATCH, EventId(500), EventId(1)));
        let second = events.batch(now + Duration::from_secs(1));
        assert_eq!((second[0], second[1]), (EventId(500), EventId(64)));
        events.told(vec![(EventId(500), vec![Label::new("person", None).unwrap()].into())]);
        assert!(!events.any_waits(now), "labels are known");
        events.add(event(500, Some(now + Duration::from_secs(9))), now);
        assert!(events.any_waits(now), "another alarm waits for them");
    }

    #[tokio::test(start_paused = true)]
    async fn events_are_read_for_a_minute_and_their_number_is_bounded() {
        let (mut events, now) = (WatchedEvents::default(), Instant::now());
        events.add(event(1, Some(now + Duration::from_secs(30))), now);
        for id in 2..2000 {
            events.add(event(id, None), now);
        }
        assert_eq!(events.0.len(), MAX_EVENTS);
        assert!(events.0.contains_key(&EventId(1)), "it is waited for");
        events.forget_old(now + YOUNG);
        assert!(events.is_empty());
    }
}
