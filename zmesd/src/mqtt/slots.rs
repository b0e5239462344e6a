//! States on their way to the broker: one slot for each topic, in which the latest value wins. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use crate::ports::BrokerMessage;

/// The retained states.
///
/// However often a state changes while the broker is away or slow, it takes one slot and is published once.
#[derive(Debug, Default)]
pub(super) struct Slots {
    values: BTreeMap<String, Bytes>,
    /// Topics whose value the broker does not have, in the order in which they changed first.
    waiting: VecDeque<String>,
    queued: BTreeSet<String>,
}

impl Slots {
    /// Sets a state.
    pub(super) fn set(&mut self, topic: &str, value: impl Into<Bytes>) {
        let value = value.into();
        if self.values.get(topic) != Some(&value) {
            self.values.insert(topic.to_owned(), value);
            self.enqueue(topic);
        }
    }

    /// Removes a state: an empty message takes away what the broker retains. It is repeated until the broker has it
    /// ([`Self::emptied`]), and not after that: the topic may be somebody else's then.
    pub(super) fn remove(&mut self, topic: &str) {
        self.set(topic, Bytes::new());
    }

    /// The broker has taken the empty message of a topic.
    pub(super) fn emptied(&mut self, topic: &str) {
        if !self.queued.contains(topic) && self.values.get(topic).is_some_and(Bytes::is_empty) {
            self.values.remove(topic);
        }
    }

    /// Says whether the broker has not yet confirmed that a topic is empty.
    pub(super) fn is_emptying(&self) -> bool {
        self.values.values().any(Bytes::is_empty)
    }

    /// A new connection: the broker may have lost everything.
    pub(super) fn all_again(&mut self) {
        let topics: Vec<_> = self.values.keys().cloned().collect();
        for topic in &topics {
            self.enqueue(topic);
        }
    }

    /// Returns the next state to publish.
    pub(super) fn next(&mut self) -> Option<BrokerMessage> {
        let topic = self.waiting.pop_front()?;
        self.queued.remove(&topic);
        let value = self.values.get(&topic).cloned().unwrap_or_default();
        Some(BrokerMessage::retained(topic, value))
    }

    /// Returns the topics that have a value.
    pub(super) fn topics(&self) -> impl Iterator<Item = &String> {
        self.values.iter().filter(|(_, value)| !value.is_empty()).map(|(topic, _)| topic)
    }

    /// Forgets everything, without a word to the broker.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    fn enqueue(&mut self, topic: &str) {
        if self.queued.insert(topic.to_owned()) {
            self.waiting.push_back(topic.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drain(slots: &mut Slots) -> Vec<(String, String)> {
        std::iter::from_fn(|| slots.next())
            .map(|message| (message.topic, String::from_utf8_lossy(&message.payload).into_owned()))
            .collect()
    }

    #[test]
    fn only_the_latest_value_is_published_and_only_once() {
        let mut slots = Slots::default();
        for value in ["ON", "OFF", "ON"] {
            slots.set("zmesd/1/alarm", value);
        }
        slots.set("zmesd/2/alarm", "OFF");
        let told = |topic: &str, value: &str| (topic.to_owned(), value.to_owned());
        assert_eq!(drain(&mut slots), [told("zmesd/1/alarm", "ON"), told("zmesd/2/alarm", "OFF")]);
        slots.set("zmesd/1/alarm", "ON");
        assert_eq!(drain(&mut slots), [], "it has not changed");
        slots.remove("zmesd/2/alarm");
        assert_eq!(drain(&mut slots), [told("zmesd/2/alarm", "")]);
        assert_eq!(slots.topics().collect::<Vec<_>>(), ["zmesd/1/alarm"]);
        slots.all_again();
        assert_eq!(drain(&mut slots), [told("zmesd/1/alarm", "ON"), told("zmesd/2/alarm", "")]);
    }

    #[test]
    fn a_topic_that_the_broker_has_emptied_is_left_alone_from_then_on() {
        let mut slots = Slots::default();
        slots.set("zmesd/status", "x");
        slots.remove("zmesd/status");
        slots.emptied("zmesd/status");
        assert!(slots.is_emptying(), "the empty message was not sent yet");
        assert_eq!(drain(&mut slots).len(), 1);
        slots.all_again();
        assert_eq!(drain(&mut slots).len(), 1, "the connection broke before the acknowledgement");
        slots.emptied("zmesd/status");
        slots.all_again();
        assert_eq!((drain(&mut slots).len(), slots.is_emptying()), (0, false));
        slots.remove("zmesd/1/alarm");
        drain(&mut slots);
        slots.set("zmesd/1/alarm", "ON");
        slots.emptied("zmesd/1/alarm");
        assert_eq!(drain(&mut slots).len(), 1, "it has a value again");
    }

    proptest! {
        /// Whatever comes in between, in the end the broker has the last value of each topic.
        #[test]
        fn the_broker_ends_up_with_the_last_values(steps in proptest::collection::vec((0..4_u8, 0..3_u8, any::<bool>()), 0..60)) {
            let (mut slots, mut broker, mut last) = (Slots::default(), BTreeMap::new(), BTreeMap::new());
            for (topic, value, published) in steps {
                let (topic, value) = (format!("t{topic}"), value.to_string());
                slots.set(&topic, value.clone());
                last.insert(topic, value);
                if published && let Some(message) = slots.next() {
                    broker.insert(message.topic, String::from_utf8_lossy(&message.payload).into_owned());
                }
            }
            broker.extend(drain(&mut slots));
            prop_assert_eq!(broker, last);
        }
    }
}
