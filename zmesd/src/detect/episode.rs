//! From a monitor's first announced alarm to its end. Pure: no I/O, no clock, time is passed in.
//!
//! An *episode* is one stay in ALARM or ALERT in which at least one alarm was announced. It has exactly one end, which
//! names the last of its alarms: a motion light must stay on when ZoneMinder begins the next section of a recording, and
//! people want to hear once that it is quiet. Nothing is damped: ALERT is ZoneMinder's own delay after an alarm.
//!
//! Only seeing the monitor without the alarm ends an episode. Where it cannot be seen (its state comes from the Events
//! table, or the daemon has just started), the ends of the announced events do.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use zmes_shared::EventId;
use zmes_zoneminder::Reading;

use crate::domain::{Alarm, AlarmLabels, AlarmSpan, Origin, Phase};
use crate::state::OpenAlarm;

/// Events that ended before their alarm was announced; more are not on their way at a time.
const CLOSED: usize = 64;

/// What was seen of the monitor last. While its memory cannot be read, that stays: the camera may be in alarm still.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Sight {
    /// It was not polled yet.
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
    /// When the first was found; `None`: before this daemon started, or it is not known.
    since: Option<Instant>,
    /// A former daemon announced it.
    remembered: bool,
    /// It is so old that it only goes on if the monitor is seen in the alarm of that event.
    dormant: bool,
    /// Another `zmc` runs since: the next alarm begins another episode.
    superseded: bool,
}

/// The episode of one monitor.
#[derive(Debug, Default)]
pub(super) struct Episode {
    open: Option<OpenEpisode>,
    sight: Sight,
    /// The `zmc` that was seen last.
    zmc: Option<(u64, i64)>,
    /// Its announced events that have not ended, as far as is known. A monitor records one at a time, so the end of one is
    /// that of all before it: a `zmc` that crashes leaves its row open, and no other closes it.
    events: BTreeSet<EventId>,
    /// Events that have ended already when their alarm is announced.
    closed: BTreeSet<EventId>,
    /// A former daemon's episode was given up, and the state has not been told.
    given_up: bool,
}

impl Episode {
    /// Returns the episode that a former daemon left open. One older than `catch_up` is only taken up again if the alarm
    /// still runs.
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

    /// The state of the monitor is not polled: its events tell.
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

    /// Adds the ends to alarms that are being announced, each at its place.
    pub(super) fn follow(&mut self, alarms: Vec<Alarm>, now: Instant, wall: Timestamp) -> Vec<Alarm> {
        let mut told = Vec::with_capacity(alarms.len());
        for alarm in alarms {
            if self.open.as_ref().is_some_and(|open| open.superseded) {
                told.extend(self.end(now, wall));
            }
            self.announced(&alarm);
            told.push(alarm);
            // One that was found after its end: the next one is another episode.
            told.extend(self.over(now, wall));
        }
        told.extend(self.over(now, wall));
        told
    }

    /// Ends the episode because the monitor is not watched any more.
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

    /// Says, once, whether a former daemon's episode was closed without an end.
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
                // After the clock was stepped back an alarm is older than the first one.
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
            // Without an event nothing but the monitor itself can tell.
            Sight::Unseen => self.events.is_empty() && open.last.event.is_some(),
        };
        if over { self.end(now, wall) } else { None }
    }

    /// Closes an episode of which nobody saw the end.
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
