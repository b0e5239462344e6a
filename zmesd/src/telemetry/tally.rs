//! Counts by labels whose values are all known beforehand: every series exists from the start, none is ever added.
//!
//! No label carries a token, a user, an address or a monitor: however many of these there are, there are as many
//! series as before.

use std::fmt;

use super::counters::{Counter, Level};

pub type LabelPairs = Vec<(&'static str, &'static str)>;

/// Labels with a closed set of values.
pub trait Labels: Copy + PartialEq + Send + Sync + fmt::Debug + 'static {
    /// Returns every value, in the order in which they are shown.
    fn all() -> Vec<Self>;

    /// Returns the labels of this value; the same names for each.
    fn labels(self) -> LabelPairs;
}

impl<A: Labels, B: Labels> Labels for (A, B) {
    fn all() -> Vec<Self> {
        A::all()
            .into_iter()
            .flat_map(|first| B::all().into_iter().map(move |second| (first, second)))
            .collect()
    }

    fn labels(self) -> LabelPairs {
        let mut pairs = self.0.labels();
        pairs.extend(self.1.labels());
        pairs
    }
}

/// A counter for each value of its labels.
#[derive(Debug)]
pub struct Tally<L> {
    series: Vec<(L, Counter)>,
}

impl<L: Labels> Default for Tally<L> {
    fn default() -> Self {
        Self { series: L::all().into_iter().map(|labels| (labels, Counter::default())).collect() }
    }
}

impl<L: Labels> Tally<L> {
    pub fn count(&self, labels: L) {
        self.add(labels, 1);
    }

    pub fn add(&self, labels: L, number: u64) {
        // A dozen at most: faster than hashing.
        if let Some((_, counter)) = self.series.iter().find(|(known, _)| *known == labels) {
            counter.add(number);
        }
    }

    /// Adds one for each; the shared numbers are touched once for each value that occurs, not once for each of
    /// ten thousand clients.
    pub fn count_all(&self, many: impl Iterator<Item = L>) {
        let mut found: Vec<(L, u64)> = Vec::new();
        for labels in many {
            match found.iter_mut().find(|(known, _)| *known == labels) {
                Some((_, number)) => *number += 1,
                None => found.push((labels, 1)),
            }
        }
        for (labels, number) in found {
            self.add(labels, number);
        }
    }

    pub fn value(&self, labels: L) -> u64 {
        self.series.iter().find(|(known, _)| *known == labels).map_or(0, |(_, counter)| counter.value())
    }

    pub fn values(&self) -> Vec<(LabelPairs, u64)> {
        self.series.iter().map(|(labels, counter)| (labels.labels(), counter.value())).collect()
    }
}

/// A number that goes up and down for each value of its labels.
#[derive(Debug)]
pub struct Levels<L> {
    series: Vec<(L, Level)>,
}

impl<L: Labels> Default for Levels<L> {
    fn default() -> Self {
        Self { series: L::all().into_iter().map(|labels| (labels, Level::default())).collect() }
    }
}

impl<L: Labels> Levels<L> {
    /// Sets each to how often it occurs.
    pub fn set(&self, present: &(impl Iterator<Item = L> + Clone)) {
        for (labels, level) in &self.series {
            level.set(present.clone().filter(|found| found == labels).count() as u64);
        }
    }

    pub fn values(&self) -> Vec<(L, u64)> {
        self.series.iter().map(|(labels, level)| (*labels, level.value())).collect()
    }
}

/// Declares an enum that is one label with a closed set of words.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident = $label:literal { $($(#[$about:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$about])* $variant,)+
        }

        impl $name {
            pub(crate) fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        labels! { $name: $label = [$(Self::$variant,)+], word; }
    };
}

/// Makes types one label each: its name, all values that are shown, and the method that returns the word of a value.
macro_rules! labels {
    ($($name:ty: $label:literal = $all:expr, $word:ident;)+) => {$(
        impl $crate::telemetry::Labels for $name {
            fn all() -> Vec<Self> {
                $all.to_vec()
            }

            fn labels(self) -> $crate::telemetry::LabelPairs {
                vec![($label, self.$word())]
            }
        }
    )+};
}

pub(super) use {label, labels};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Login, Phase};

    #[test]
    fn every_series_is_there_from_the_start_and_none_comes_later() {
        let tally = Tally::<(Phase, Login)>::default();
        assert_eq!(tally.values().len(), 15);
        tally.count((Phase::Start, Login::Rejected));
        tally.count_all(
            [Login::Accepted, Login::Rejected, Login::Accepted]
                .map(|login| (Phase::Start, login))
                .into_iter(),
        );
        assert_eq!(tally.values().len(), 15);
        assert_eq!(tally.values()[0], (vec![("phase", "start"), ("result", "accepted")], 2));
        assert_eq!(tally.value((Phase::Start, Login::Rejected)), 2);
        assert_eq!(tally.value((Phase::Start, Login::Throttled)), 0);
    }
}
