//! An index of the rules for a receiver: with 256 rules and hundreds of phones, comparing names would take milliseconds
//! for each alarm.

use std::collections::HashMap;

use zmes_providers::Platform;

use super::receiver::{Channel, ReceiverFacts, ReceiverName};
use super::{MAX_RULES, Rule};

const WORD: usize = 64;

/// A set of rules, by their positions in the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RuleBits([u64; MAX_RULES / WORD]);

impl RuleBits {
    /// Adds the rule at this position, which must be less than [`MAX_RULES`].
    pub(super) fn insert(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / WORD) {
            *word |= 1 << (place % WORD);
        }
    }

    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= other);
        self
    }

    fn or(mut self, other: Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
        self
    }

    /// Returns the position of the first rule.
    pub(super) fn first(self) -> Option<usize> {
        let bit = |word: &u64| usize::try_from(word.trailing_zeros()).ok();
        let (number, word) = self.0.iter().enumerate().find(|(_, word)| **word != 0)?;
        Some(number * WORD + bit(word)?)
    }
}

/// The rules by their conditions on receivers.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ReceiverIndex {
    push: RuleBits,
    websocket: RuleBits,
    mqtt: RuleBits,
    /// Those that name no receivers.
    everybody: RuleBits,
    ios: RuleBits,
    android: RuleBits,
    targets: RuleBits,
    /// Keyed by the user's name in lower case.
    users: HashMap<String, RuleBits>,
    /// Keyed by the leading digits of a handle.
    handles: Vec<(String, RuleBits)>,
}

impl ReceiverIndex {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut index = Self::default();
        for (place, rule) in rules.iter().enumerate() {
            for channel in &rule.channels {
                index.channel(*channel).insert(place);
            }
            if rule.receivers.is_empty() {
                index.everybody.insert(place);
            }
            for receiver in &rule.receivers {
                index.receiver(receiver).insert(place);
            }
        }
        index
    }

    fn channel(&mut self, channel: Channel) -> &mut RuleBits {
        match channel {
            Channel::Push => &mut self.push,
            Channel::WebSocket => &mut self.websocket,
            Channel::Mqtt => &mut self.mqtt,
        }
    }

    fn receiver(&mut self, receiver: &ReceiverName) -> &mut RuleBits {
        match receiver {
            ReceiverName::Platform(Platform::Ios) => &mut self.ios,
            ReceiverName::Platform(Platform::Android) => &mut self.android,
            ReceiverName::Platform(Platform::Target) => &mut self.targets,
            ReceiverName::User(user) => self.users.entry(user.to_lowercase()).or_default(),
            ReceiverName::Handle(start) => {
                let known = self.handles.iter().position(|(known, _)| known == start);
                let place = known.unwrap_or_else(|| {
                    self.handles.push((start.clone(), RuleBits::default()));
                    self.handles.len() - 1
                });
                &mut self.handles[place].1
            }
        }
    }

    /// Returns the rules that apply to a receiver: those whose [`Rule::is_for`] succeeds.
    pub(super) fn rules_for(&self, receiver: &ReceiverFacts<'_>) -> RuleBits {
        let mut named = self.everybody;
        match receiver.platform {
            Some(Platform::Ios) => named = named.or(self.ios),
            Some(Platform::Android) => named = named.or(self.android),
            Some(Platform::Target) => named = named.or(self.targets),
            None => {}
        }
        let is_lower = receiver.user.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
        let user = if is_lower {
            self.users.get(receiver.user)
        } else {
            self.users.get(&receiver.user.to_lowercase())
        };
        named = named.or(user.copied().unwrap_or_default());
        if let Some(handle) = receiver.handle {
            let begins = self.handles.iter().filter(|(start, _)| handle.begins_with(start));
            named = begins.fold(named, |named, (_, rules)| named.or(*rules));
        }
        named.and(match receiver.channel {
            Channel::Push => self.push,
            Channel::WebSocket => self.websocket,
            Channel::Mqtt => self.mqtt,
        })
    }
}
