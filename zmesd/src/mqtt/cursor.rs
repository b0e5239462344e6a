//! The cursor: which alarms the broker has acknowledged, so that neither side's restart loses one. Pure.
//!
//! It is a time with the ids that were acknowledged after it, because alarms can be recorded a little out of the order of
//! their times.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use zmes_shared::machine::time_of_id;

/// How far back is asked, beyond what is open, in milliseconds.
const SLACK: i64 = 10_000;
/// Ids that are remembered. What is forgotten in a storm may be published again, under the same id.
const MOST: usize = 1024;

/// Everything up to `since` was acknowledged; of what came later, `done` was, and `open` is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AckCursor {
    /// Milliseconds since 1970.
    since: i64,
    done: BTreeSet<(i64, String)>,
    open: BTreeMap<String, i64>,
    /// The record has alarms that cannot be read yet: `since` does not move.
    held: bool,
}

#[derive(Serialize, Deserialize)]
struct Document {
    since: i64,
    done: Vec<String>,
}

impl AckCursor {
    /// Begins with what happens after that moment.
    pub(super) fn starting(at: Timestamp) -> Self {
        Self { since: at.as_millisecond(), done: BTreeSet::new(), open: BTreeMap::new(), held: false }
    }

    /// Reads what [`Self::document`] wrote; `None`: it is something else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let Document { since, done } = serde_json::from_str(text).ok()?;
        let done = done.into_iter().filter_map(|id| Some((time_of_id(&id)?.as_millisecond(), id)));
        Some(Self { since, done: done.collect(), open: BTreeMap::new(), held: false })
    }

    /// Returns what to remember: what is open is in it by not being done.
    pub(super) fn document(&self) -> String {
        let done = self.done.iter().map(|(_, id)| id.clone()).collect();
        // Numbers and texts can always be written.
        serde_json::to_string(&Document { since: self.since, done }).unwrap_or_default()
    }

    /// Returns from where the record is to be read.
    pub(super) fn since(&self) -> Timestamp {
        Timestamp::from_millisecond(self.since).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Takes one that is to be published; `false`: it was, or is about to be.
    pub(super) fn take(&mut self, id: &str, at: Timestamp) -> bool {
        let at = at.as_millisecond();
        if self.open.contains_key(id) || self.done.contains(&(at, id.to_owned())) {
            return false;
        }
        self.open.insert(id.to_owned(), at);
        // One that was recorded very late must be read again if it is not acknowledged.
        self.since = self.since.min(at - 1);
        true
    }

    /// The broker has it.
    pub(super) fn finish(&mut self, id: &str, now: Timestamp) {
        let Some(at) = self.open.remove(id) else { return };
        self.done.insert((at, id.to_owned()));
        // What has a time from before the clock was set back would put the cursor into the future.
        let until_now = ..=(now.as_millisecond().max(at), char::MAX.to_string());
        let newest = self.done.range(until_now).next_back().map_or(at, |(newest, _)| *newest);
        self.pass(newest - SLACK);
        while self.done.len() > MOST {
            let Some((at, _)) = self.done.pop_first() else { break };
            self.since = self.since.max(at.min(self.oldest_open()));
        }
    }

    /// The connection is over: what was on its way may not have arrived.
    pub(super) fn reopen(&mut self) {
        self.open.clear();
    }

    /// What is older is not published any more.
    pub(super) fn skip_to(&mut self, at: Timestamp) {
        self.pass(at.as_millisecond());
    }

    /// After the clock was set back: the cursor would be blind until the time that it names.
    pub(super) fn follow_clock(&mut self, now: Timestamp, keep: SignedDuration) {
        if self.since > now.as_millisecond() {
            let kept = now.saturating_sub(keep).unwrap_or(Timestamp::MIN);
            self.since = kept.as_millisecond();
        }
    }

    /// Keeps the cursor where it is, while what comes after it cannot be read.
    pub(super) fn hold(&mut self, held: bool) {
        self.held = held;
    }

    fn pass(&mut self, at: i64) {
        self.since = self.since.max(at.min(self.oldest_open()));
        self.done = self.done.split_off(&(self.since + 1, String::new()));
    }

    /// Returns the last moment before what is open.
    fn oldest_open(&self) -> i64 {
        if self.held {
            return self.since;
        }
        self.open.values().min().map_or(i64::MAX, |at| at - 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zmes_shared::machine::id_of_alarm;
    use zmes_shared::words::MachineKind;
    use zmes_shared::{EventId, MonitorId};

    use super::*;

    const START: i64 = 1_793_613_600_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(START + ms).unwrap()
    }

    fn id(event: u64, ms: i64) -> String {
        id_of_alarm(MachineKind::AlarmStart, at(ms), MonitorId(1), Some(EventId(event)))
    }

    #[test]
    fn what_was_acknowledged_is_not_taken_again_after_a_restart() {
        let mut cursor = AckCursor::starting(at(0));
        assert!(cursor.take(&id(1, 10), at(10)) && cursor.take(&id(2, 20), at(20)));
        assert!(!cursor.take(&id(1, 10), at(10)), "it is on its way");
        cursor.finish(&id(2, 20), at(20));
        let mut again = AckCursor::parse(&cursor.document()).unwrap();
        assert!(again.since() < at(10));
        assert!(again.take(&id(1, 10), at(10)) && !again.take(&id(2, 20), at(20)));
        assert_eq!(AckCursor::parse("{}"), None);
    }

    #[test]
    fn after_the_clock_was_set_back_the_cursor_is_not_blind() {
        const HOUR: i64 = 3_600_000;
        let keep = SignedDuration::from_mins(10);
        let mut cursor = AckCursor::starting(at(HOUR));
        cursor.take(&id(1, HOUR + 5), at(HOUR + 5));
        cursor.finish(&id(1, HOUR + 5), at(HOUR + 5));
        cursor.follow_clock(at(HOUR + 10), keep);
        assert!(cursor.since() > at(HOUR - 60_000), "a clock that goes on moves nothing");
        // One hour back: an alarm is acknowledged, and the next one happens while the broker is away.
        cursor.follow_clock(at(0), keep);
        assert_eq!(cursor.since(), at(-600_000));
        assert!(cursor.take(&id(2, 10), at(10)));
        cursor.finish(&id(2, 10), at(20));
        assert!(cursor.since() <= at(10) && cursor.since() >= at(-SLACK));
        let again = AckCursor::parse(&cursor.document()).unwrap();
        assert!(again.since() < at(30), "it is read from the record");
        assert!(!again.clone().take(&id(1, HOUR + 5), at(HOUR + 5)), "it was acknowledged");
    }

    #[test]
    fn while_the_record_cannot_be_read_the_cursor_stays() {
        let mut cursor = AckCursor::starting(at(0));
        cursor.hold(true);
        cursor.take(&id(2, 60_000), at(60_000));
        cursor.finish(&id(2, 60_000), at(60_000));
        cursor.skip_to(at(30_000));
        assert_eq!(cursor.since(), at(0));
        cursor.hold(false);
        assert!(cursor.take(&id(1, 20_000), at(20_000)));
        assert!(!cursor.take(&id(2, 60_000), at(60_000)));
    }

    proptest! {
        /// Alarms come in any order, are acknowledged in any order, and the daemon is killed in between: in the end each one
        /// was published, and whatever was acknowledged and is not old was published once.
        #[test]
        fn none_is_lost(times in proptest::collection::vec(1..60_000_i64, 1..40), kills in proptest::collection::vec(any::<(bool, u8)>(), 40)) {
            let all: Vec<(String, i64)> = times.iter().zip(1..).map(|(time, event)| (id(event, *time), *time)).collect();
            let (mut cursor, mut acknowledged) = (AckCursor::starting(at(0)), BTreeSet::new());
            for (seen, ((key, time), (killed, choice))) in all.iter().zip(&kills).enumerate() {
                if cursor.take(key, at(*time)) && choice % 3 > 0 {
                    cursor.finish(key, at(*time));
                    acknowledged.insert(key.clone());
                }
                if *killed {
                    cursor = AckCursor::parse(&cursor.document()).unwrap();
                    // What the record has since then is read again.
                    for (key, time) in &all[..=seen] {
                        if at(*time) > cursor.since() {
                            cursor.take(key, at(*time));
                        }
                    }
                }
            }
            cursor.reopen();
            for (key, time) in &all {
                let asked_for = at(*time) > cursor.since();
                prop_assert!(asked_for || acknowledged.contains(key), "{key} is lost");
                if asked_for && !cursor.take(key, at(*time)) {
                    prop_assert!(acknowledged.contains(key));
                }
            }
        }
    }
}
