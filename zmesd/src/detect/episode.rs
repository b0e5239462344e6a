//! Follows a monitor from its first announced alarm to the end. Pure: no I/O, no clock; the time is passed in.
//!
//! An *episode* is one stay in ALARM or ALERT in which at least one alarm was announced. It has exactly one end, which
//! names the last of its alarms: a motion light must stay on when ZoneMinder begins the next section of a recording,
//! and people want to be told once that it is quiet. There is no damping here: ALERT is already ZoneMinder's own delay
//! after an alarm.
//!
//! An episode ends only when the monitor is seen without the alarm. If the monitor cannot be seen (its state comes from
//! the Events table, or the daemon has just started), the episode ends with its announced events.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use zmes_shared::EventId;
use zmes_zoneminder::Reading;

use crate::domain::{Alarm, AlarmLabels, AlarmSpan, Origin, Phase};
use crate::state::OpenAlarm;

/// Number of remembered events that ended before their alarm was announced; more are never pending at once.
const CLOSED: usize = 64;

/// What the last poll showed. While the monitor's memory cannot be read, this stays: the camera may still be in alarm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Sight {
    /// Not polled yet.
    #[default]
    NotLooked,
    /// Its memory could not be read, or is not its source.
    Unseen,
    Calm,
    Alarmed,
}

#[derive(Debug)]
struct OpenEpisode {
    /// The alarm that was announced last.
    last: Alarm,
    began: Timestamp,
    /// When the first alarm was found; `None` if that was before this daemon started, or is unknown.
    since: Option<Instant>,
    /// A previous run announced it.
    remembered: bool,
    /// So old that it continues only if the monitor is seen in the alarm of this event.
    dormant: bool,
    /// Another `zmc` has started since: the next alarm begins a new episode.
    superseded: bool,
}

/// The episode of one monitor.
#[derive(Debug, Default)]
pub(super) struct Episode {
    open: Option<OpenEpisode>,
    sight: Sight,
    /// The `zmc` that was seen last.
    zmc: Option<(u64, i64)>,
    /// Its announced events that have not ended, as far as is known. A monitor records one event at a time, so the end
    /// of one is also the end of all before it: a `zmc` that crashes leaves its row open, and nothing else closes it.
    events: BTreeSet<EventId>,
    /// Events that had already ended when their alarm was announced.
    closed: BTreeSet<EventId>,
    /// An episode of a previous run was closed without an end, and the state does not know yet.
    given_up: bool,
}

impl Episode {
    /// Returns the episode that a previous run left open. One older than `catch_up` is resumed only if the alarm is
    /// still running.
    pub(super) fn remembered(open: OpenAlarm, age: Duration, catch_up: Duration, now: Instant) -> Self {
        let OpenAlarm { monitor, event, monitor_name, cause, began, at, closed } = open;
        let last = Alarm {
            monitor,
            monitor_name,
            event,
            cause,
            labels: AlarmLabels::default(),
            at,
            detected: now,
            origin: Origin::Poll,
            phase: Phase::Start,
            span: None,
            elsewhere: None,
            stands_for_event: false,
        };
        let episode = OpenEpisode {
            last,
            began,
            since: None,
            remembered: true,
            dormant: age > catch_up,
            superseded: false,
        };
        let events = event.filter(|_| !closed).into_iter().collect();
        Self { open: Some(episode), events, ..Self::default() }
    }

    /// The monitor was seen.
    pub(super) fn seen(&mut self, reading: &Reading) {
        let zmc = (reading.generation, reading.startup_time);
        let another = self.zmc.replace(zmc).is_some_and(|before| before != zmc);
        let alarmed = reading.state.alarmed();
        self.sight = if alarmed { Sight::Alarmed } else { Sight::Calm };
        let Some(open) = &mut self.open else { return };
        open.superseded |= another;
        if std::mem::take(&mut open.dormant) {
            let goes_on = alarmed && open.last.event.is_some_and(|event| event.0 == reading.last_event);
            if !goes_on {
                self.give_up();
            }
        }
    }

    /// Its memory could not be read.
    pub(super) fn missed(&mut self) {
        if self.sight == Sight::NotLooked {
            self.sight = Sight::Unseen;
        }
    }

    /// The state of the monitor is not polled: the episode depends on its events.
    pub(super) fn unpolled(&mut self) {
        self.sight = Sight::Unseen;
    }

    /// An event of the monitor has ended.
    pub(super) fn event_ended(&mut self, event: EventId) {
        if self.events.contains(&event) {
            self.events.retain(|open| *open > event);
            return;
        }
        if self.closed.len() == CLOSED {
            self.closed.pop_first();
        }
        self.closed.insert(event);
    }

    /// Inserts the ends, each at the right position, into alarms that are being announced.
    pub(super) fn follow(&mut self, alarms: Vec<Alarm>, now: Instant, wall: Timestamp) -> Vec<Alarm> {
        let mut told = Vec::with_capacity(alarms.len());
        for alarm in alarms {
            if self.open.as_ref().is_some_and(|open| open.superseded) {
                told.extend(self.end(now, wall));
            }
            self.announced(&alarm);
            told.push(alarm);
            // If the alarm was found after its end, the next one begins a new episode.
            told.extend(self.over(now, wall));
        }
        told.extend(self.over(now, wall));
        told
    }

    /// Ends the episode because the monitor is no longer watched.
    pub(super) fn end(&mut self, now: Instant, wall: Timestamp) -> Option<Alarm> {
        if self.open.as_ref()?.dormant {
            self.give_up();
        }
        let open = self.close()?;
        let lasted = open.since.map(|since| now.saturating_duration_since(since));
        let at_once = open.last.late() && open.last.detected == now;
        Some(Alarm {
            at: wall,
            detected: now,
            origin: if open.remembered || at_once { Origin::Reconciled } else { Origin::Poll },
            phase: Phase::End,
            span: Some(AlarmSpan { began: open.began, lasted }),
            ..open.last
        })
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Returns, once, whether an episode of a previous run was closed without an end.
    pub(super) fn take_given_up(&mut self) -> bool {
        std::mem::take(&mut self.given_up)
    }

    fn announced(&mut self, alarm: &Alarm) {
        if self.open.as_ref().is_some_and(|open| open.dormant && open.last.event != alarm.event) {
            self.give_up();
        }
        if let Some(event) = alarm.event {
            self.events.insert(event);
            if self.closed.remove(&event) {
                self.events.retain(|open| *open > event);
            }
        }
        match &mut self.open {
            Some(open) => {
                // After the clock was set back, an alarm can be older than the first one.
                open.began = open.began.min(alarm.at);
                (open.last, open.dormant) = (alarm.clone(), false);
            }
            None => {
                self.open = Some(OpenEpisode {
                    last: alarm.clone(),
                    began: alarm.at,
                    since: (!alarm.late()).then_some(alarm.detected),
                    remembered: false,
                    dormant: false,
                    superseded: false,
                });
            }
        }
    }

    fn over(&mut self, now: Instant, wall: Timestamp) -> Option<Alarm> {
        let open = self.open.as_ref()?;
        let over = match self.sight {
            Sight::Calm => true,
            Sight::Alarmed | Sight::NotLooked => false,
            // Without an event, only the monitor itself can show the end.
            Sight::Unseen => self.events.is_empty() && open.last.event.is_some(),
        };
        if over { self.end(now, wall) } else { None }
    }

    /// Closes an episode whose end was not seen.
    fn give_up(&mut self) {
        self.given_up |= self.close().is_some();
    }

    fn close(&mut self) -> Option<OpenEpisode> {
        self.events.clear();
        self.open.take()
    }
}

#[cfg(test)]
mod tests;
