//! The cursor: what was handled, so that a restarted hook continues where it stopped. Pure; [`super::store`] saves it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zmes_shared::control::Since;
use zmes_shared::machine::{MachineMessage, time_of_id};

/// Version of the file format.
const VERSION: u32 = 1;
/// How far to ask back, before the open and the newest messages: alarms can be recorded slightly out of order.
const SLACK_MS: i64 = 60_000;
/// Number of ids that are remembered: more than there are within the slack, except in a storm. Then a forgotten message
/// may run again, under the same id.
const MOST: usize = 4096;

/// Everything up to `since` was handled. Of what came later, `done` was handled and `open` was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Milliseconds since 1970.
    since: i64,
    done: BTreeSet<(i64, String)>,
    open: BTreeMap<String, i64>,
    /// What time it is, as far as is known.
    now: i64,
}

/// The cursor as stored in its file.
#[derive(Debug, Serialize, Deserialize)]
struct CursorFile {
    v: u32,
    since: Timestamp,
    #[serde(default)]
    done: Vec<String>,
}

impl Cursor {
    /// Returns a cursor for everything after this moment.
    pub(super) fn starting(at: Timestamp) -> Self {
        let since = at.as_millisecond();
        Self { since, done: BTreeSet::new(), open: BTreeMap::new(), now: since }
    }

    /// Parses the output of [`Self::document`]; an error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let file: CursorFile = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if file.v != VERSION {
            return Err(format!("it is of version {}, and this zmesctl knows version {VERSION}", file.v));
        }
        let done = file.done.into_iter().map(|id| match time_of_id(&id) {
            Some(at) => Ok((at.as_millisecond(), id)),
            None => Err("it names something that is no id".to_owned()),
        });
        let done = done.collect::<Result<_, _>>()?;
        let done: BTreeSet<(i64, String)> = done;
        let since = file.since.as_millisecond();
        let now = done.last().map_or(since, |(newest, _)| since.max(*newest));
        Ok(Self { since, done, open: BTreeMap::new(), now })
    }

    /// Returns the content of the file. Open messages are not in it, because they are not done.
    pub(super) fn document(&self) -> String {
        let since = Timestamp::from_millisecond(self.since).unwrap_or(Timestamp::UNIX_EPOCH);
        let done = self.done.iter().map(|(_, id)| id.clone()).collect();
        let file = CursorFile { v: VERSION, since, done };
        // Numbers and strings always serialize.
        serde_json::to_string(&file).unwrap_or_default() + "\n"
    }

    /// Returns the position from which to request the record.
    pub(super) fn since(&self) -> Since {
        Since::Time(Timestamp::from_millisecond(self.since).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// Marks a message as open. Returns `false` if it was already handled, or is open.
    pub(super) fn take(&mut self, message: &MachineMessage) -> bool {
        let at = message.at.as_millisecond();
        if self.open.contains_key(&message.id) || self.done.contains(&(at, message.id.clone())) {
            return false;
        }
        self.open.insert(message.id.clone(), at);
        self.now = self.now.max(at);
        // One that was recorded very late: it must be asked for again if it is not handled.
        self.since = self.since.min(at - 1);
        true
    }

    /// Marks a message as done: it was handled, or dropped.
    pub(super) fn finish(&mut self, id: &str) {
        if let Some(at) = self.open.remove(id) {
            self.done.insert((at, id.to_owned()));
            self.advance(at);
        }
    }

    /// The clock shows this time. Once it was set back, the cursor would be blind until the time that it names.
    pub(super) fn follow_clock(&mut self, now: Timestamp) {
        let now = now.as_millisecond();
        if self.since > now {
            self.since = now - SLACK_MS;
        }
        self.now = now;
    }

    /// Everything was seen up to `at`, and some of it may be open.
    pub(super) fn advance(&mut self, at: i64) {
        // What has a time from before the clock was set back would put the cursor into the future.
        let until_now = ..=(self.now.max(at), char::MAX.to_string());
        let newest = self.done.range(until_now).next_back().map_or(at, |(newest, _)| at.max(*newest));
        let oldest_open = self.open.values().min().copied();
        self.since = self.since.max(oldest_open.map_or(newest, |open| newest.min(open)) - SLACK_MS);
        // Requests only return what comes after `since`.
        self.done = self.done.split_off(&(self.since + 1, String::new()));
        while self.done.len() > MOST {
            if let Some((at, _)) = self.done.pop_first() {
                self.since = self.since.max(oldest_open.map_or(at, |open| at.min(open - 1)));
            }
        }
    }

    /// Returns how many messages are not handled yet.
    #[cfg(test)]
    fn open(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zmes_shared::machine::MachineAlarm;
    use zmes_shared::words::MachineKind;
    use zmes_shared::{EventId, MonitorId};

    use super::*;

    const START: i64 = 1_793_613_600_000;

    fn message(event: u64, at: i64) -> MachineMessage {
        MachineMessage::of_alarm(MachineAlarm {
            kind: MachineKind::AlarmStart,
            at: Timestamp::from_millisecond(at).unwrap(),
            late: false,
            monitor: MonitorId(1),
            name: "Garage",
            event: Some(EventId(event)),
            cause: "Motion",
            lasted: None,
        })
    }

    fn cursor() -> Cursor {
        Cursor::starting(Timestamp::from_millisecond(START).unwrap())
    }

    /// Returns the cursor of a hook that starts again after it was killed.
    fn again(cursor: &Cursor) -> Cursor {
        Cursor::parse(&cursor.document()).unwrap()
    }

    #[test]
    fn what_was_handled_is_not_taken_again_and_what_was_open_is() {
        let mut cursor = cursor();
        let [first, second] = [message(1, START + 5), message(2, START + 6)];
        assert!(cursor.take(&first) && cursor.take(&second));
        assert!(!cursor.take(&first), "it is about to be handled");
        cursor.finish(&second.id);
        let mut again = again(&cursor);
        assert!(again.take(&first), "the hook was killed while it ran");
        assert!(!again.take(&second));
        assert_eq!(again.since(), Since::Time(Timestamp::from_millisecond(START).unwrap()));
    }

    #[test]
    fn a_run_that_hangs_holds_the_cursor_back_and_what_is_recorded_late_beside_it_is_not_lost() {
        let mut cursor = cursor();
        let begun = START + 2 * SLACK_MS;
        let hangs = message(1, begun);
        cursor.take(&hangs);
        for event in 2..100 {
            let next = message(event, begun + 10_000 * i64::try_from(event).unwrap());
            cursor.take(&next);
            cursor.finish(&next.id);
        }
        assert_eq!(cursor.since, begun - SLACK_MS);
        assert_eq!(cursor.done.len(), 98);
        cursor.finish(&hangs.id);
        assert_eq!(cursor.since, begun + 990_000 - SLACK_MS);
        assert!(cursor.done.len() < 10);
    }

    #[test]
    fn its_file_is_read_again_and_others_are_refused() {
        let mut cursor = cursor();
        let first = message(32_910, START + 7_512);
        cursor.take(&first);
        cursor.finish(&first.id);
        assert_eq!(
            cursor.document(),
            format!("{{\"v\":1,\"since\":\"2026-11-02T10:00:00Z\",\"done\":[\"{}\"]}}\n", first.id)
        );
        assert_eq!(again(&cursor), cursor);
        for wrong in [
            "",
            "{}",
            "[]",
            r#"{"v":2,"since":"2026-11-02T10:00:00Z"}"#,
            "\0",
            r#"{"v":1,"since":"2026-11-02T10:00:00Z","done":["x"]}"#,
        ] {
            assert!(Cursor::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_storm_does_not_grow_it_without_end() {
        let mut cursor = cursor();
        for event in 0..10_000 {
            let next = message(event, START + i64::try_from(event).unwrap());
            cursor.take(&next);
            cursor.finish(&next.id);
        }
        assert_eq!(cursor.done.len(), MOST);
        assert!(again(&cursor).document().len() < 200_000);
    }

    #[test]
    fn after_the_clock_was_set_back_the_cursor_is_not_blind() {
        const HOUR: i64 = 3_600_000;
        let at = |ms: i64| Timestamp::from_millisecond(START + ms).unwrap();
        let mut cursor = Cursor::starting(at(HOUR));
        let before = message(1, START + HOUR + 5);
        cursor.take(&before);
        cursor.finish(&before.id);
        cursor.follow_clock(at(10));
        assert_eq!(cursor.since(), Since::Time(at(10 - SLACK_MS)));
        let after = message(2, START + 20);
        assert!(cursor.take(&after));
        cursor.finish(&after.id);
        assert_eq!(cursor.since(), Since::Time(at(20 - SLACK_MS)), "not back into the future");
        assert!(!again(&cursor).take(&before), "it was handled");
    }

    proptest! {
        /// In any order of starting and finishing, a hook that is killed and asks again gets each message that was not
        /// finished, and none of the latest that were.
        #[test]
        fn nothing_is_lost_and_nothing_recent_repeated(
            steps in proptest::collection::vec((0_u64..40, 0_i64..90_000, any::<bool>()), 1..60)
        ) {
            let mut cursor = cursor();
            let mut taken = BTreeMap::new();
            let mut set_back = false;
            for (event, at, finishes) in steps {
                let message = message(event, START + 1 + at);
                set_back |= message.at.as_millisecond() <= cursor.since;
                if cursor.take(&message) {
                    taken.insert(message.id.clone(), (message.clone(), false));
                }
                if finishes {
                    cursor.finish(&message.id);
                    taken.get_mut(&message.id).unwrap().1 = true;
                }
            }
            prop_assert_eq!(cursor.open(), taken.values().filter(|(_, finished)| !finished).count());
            let mut again = again(&cursor);
            for (message, finished) in taken.values() {
                let asked = message.at.as_millisecond() > cursor.since;
                prop_assert!(*finished || asked, "an open message is asked for");
                // If a message was recorded late by more than the slack, others may run again under their id.
                if asked && !(set_back && *finished) {
                    prop_assert_eq!(again.take(message), !finished);
                }
            }
        }
    }
}
