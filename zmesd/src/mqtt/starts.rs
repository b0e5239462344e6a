//! What rules decided of the last start of each monitor: its updates and its end obey that, whatever rules there are when
//! they come, also after a restart. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zmes_shared::{EventId, MonitorId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct DecidedStart {
    monitor: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<EventId>,
    muted: bool,
    /// This start, or one before it since the last end, was published.
    told: bool,
    /// Its end has come.
    ended: bool,
}

/// The last start of each monitor.
#[derive(Debug, Default)]
pub(super) struct DecidedStarts {
    of: BTreeMap<MonitorId, DecidedStart>,
    /// Something is not written down yet.
    changed: bool,
}

impl DecidedStarts {
    /// Reads what [`Self::document`] wrote; nothing, if it is something else.
    pub(super) fn parse(text: &str) -> Self {
        let starts: Vec<DecidedStart> = serde_json::from_str(text).unwrap_or_default();
        Self {
            of: starts.into_iter().map(|start| (MonitorId(start.monitor), start)).collect(),
            changed: false,
        }
    }

    /// Returns what to write down; `None`: nothing has changed since it was asked for last.
    pub(super) fn document(&mut self) -> Option<String> {
        let starts: Vec<_> = self.of.values().collect();
        // Numbers can always be written.
        std::mem::take(&mut self.changed).then(|| serde_json::to_string(&starts).unwrap_or_default())
    }

    /// A start was published, or a rule has muted it.
    pub(super) fn start(&mut self, monitor: MonitorId, event: Option<EventId>, muted: bool) {
        let before = self.of.get(&monitor).is_some_and(|start| start.told && !start.ended);
        let start = DecidedStart { monitor: monitor.0, event, muted, told: before || !muted, ended: false };
        self.changed |= self.of.insert(monitor, start) != Some(start);
    }

    /// Says whether an end is muted, because no start since the last end was told; `None`: no start is known. It may come
    /// again, if its connection is lost.
    pub(super) fn end(&mut self, monitor: MonitorId) -> Option<bool> {
        let start = self.of.get_mut(&monitor)?;
        self.changed |= !std::mem::replace(&mut start.ended, true);
        Some(!start.told)
    }

    /// Says whether an update of this event is muted; `None`: its start is not known.
    pub(super) fn update(&self, monitor: MonitorId, event: Option<EventId>) -> Option<bool> {
        self.of.get(&monitor).filter(|start| start.event == event).map(|start| start.muted)
    }

    /// Forgets monitors that are gone.
    pub(super) fn retain(&mut self, there: impl Fn(MonitorId) -> bool) {
        let before = self.of.len();
        self.of.retain(|monitor, _| there(*monitor));
        self.changed |= self.of.len() != before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YARD: MonitorId = MonitorId(2);

    #[test]
    fn an_end_is_told_if_one_of_its_starts_was_also_after_a_restart() {
        let mut starts = DecidedStarts::default();
        assert_eq!((starts.document(), starts.end(YARD)), (None, None));
        starts.start(YARD, Some(EventId(7)), false);
        starts.start(YARD, Some(EventId(8)), true);
        let written = starts.document().unwrap();
        assert_eq!(written, r#"[{"monitor":2,"event":8,"muted":true,"told":true,"ended":false}]"#);
        assert_eq!(starts.document(), None, "nothing has changed");
        let mut again = DecidedStarts::parse(&written);
        assert_eq!(again.update(YARD, Some(EventId(8))), Some(true));
        assert_eq!(again.update(YARD, Some(EventId(7))), None);
        assert_eq!((again.end(YARD), again.end(YARD)), (Some(false), Some(false)), "it may come again");
        again.start(YARD, None, true);
        assert_eq!(again.end(YARD), Some(true), "the one before has ended");
        again.retain(|monitor| monitor != YARD);
        assert_eq!((again.document().as_deref(), again.end(YARD)), (Some("[]"), None));
        assert_eq!(DecidedStarts::parse("{}").end(YARD), None);
    }
}
