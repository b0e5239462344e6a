//! What is known of each monitor, as the states that are published. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use zmes_shared::machine::MachineMessage;
use zmes_shared::words::{MachineKind, MonitorCondition};
use zmes_shared::{EventId, Label, MonitorId, MonitorState};

use super::slots::Slots;
use super::topics::{OF_MONITOR, Topics};
use crate::detect::MonitorReport;
use crate::domain::{Snooze, SnoozeScope};
use crate::state::OpenAlarm;

const ON: &str = "ON";
const OFF: &str = "OFF";
/// What Home Assistant reads as "unknown" of a sensor with a time.
const NO_TIME: &str = "None";

/// One monitor that is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Camera {
    pub(super) name: Arc<str>,
    /// An alarm goes on.
    alarmed: bool,
    /// The alarm is known from the record alone: nothing was seen of it by this daemon.
    remembered: bool,
    /// As it was reported last: only a change counts, because an alarm may be told before the report.
    reported: Option<(bool, bool, MonitorCondition)>,
    /// Reports say whether it is in alarm. Of a monitor that is read from the Events table they do not.
    polled: bool,
    /// The last start that was published.
    started: Option<LastStart>,
    snoozed_until: Option<Timestamp>,
}

/// The start of an alarm as it was published; ZoneMinder may have opened no event for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LastStart {
    event: Option<EventId>,
    at: Timestamp,
}

impl Camera {
    fn new(name: Arc<str>) -> Self {
        Self {
            name,
            alarmed: false,
            remembered: false,
            reported: None,
            polled: false,
            started: None,
            snoozed_until: None,
        }
    }

    /// Takes an alarm that goes on as the record has it.
    fn remember(&mut self, open: &OpenAlarm) {
        (self.alarmed, self.remembered) = (true, true);
        self.started = Some(LastStart { event: open.event, at: open.at });
    }
}

/// The last alarm of a monitor, beside the state `alarm`.
#[derive(Serialize)]
struct LastAlarm<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<EventId>,
    cause: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<&'a [Label]>,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

#[derive(Serialize)]
struct WatchingReason {
    reason: &'static str,
}

/// The monitors that are told of.
#[derive(Debug, Default)]
pub(super) struct Cameras {
    known: BTreeMap<MonitorId, Camera>,
    /// Alarms that went on when this began, for monitors that are not known yet.
    open: BTreeMap<MonitorId, OpenAlarm>,
}

impl Cameras {
    /// Begins with the alarms that go on as the record has them: until a monitor is looked at, nothing else tells of them.
    pub(super) fn starting(open: Vec<OpenAlarm>) -> Self {
        Self { known: BTreeMap::new(), open: by_monitor(open) }
    }

    pub(super) fn get(&self, id: MonitorId) -> Option<&Camera> {
        self.known.get(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (MonitorId, &Camera)> {
        self.known.iter().map(|(id, camera)| (*id, camera))
    }

    /// Takes the monitors that there are now; returns whether a monitor or a name has changed.
    pub(super) fn set(
        &mut self,
        now: BTreeMap<MonitorId, Arc<str>>,
        topics: &Topics,
        slots: &mut Slots,
    ) -> bool {
        let gone: Vec<_> = self.known.keys().filter(|id| !now.contains_key(id)).copied().collect();
        let mut changed = !gone.is_empty();
        for id in gone {
            self.known.remove(&id);
            remove(id, topics, slots);
        }
        for (id, name) in now {
            let open = self.open.remove(&id);
            let camera = self.known.entry(id).or_insert_with(|| {
                changed = true;
                let mut camera = Camera::new(Arc::clone(&name));
                if let Some(open) = &open {
                    camera.remember(open);
                }
                camera
            });
            if camera.name != name {
                camera.name = name;
                changed = true;
            }
            show(id, camera, topics, slots);
        }
        changed
    }

    /// Takes what the poller reports of a monitor.
    pub(super) fn report(&mut self, report: &MonitorReport, topics: &Topics, slots: &mut Slots) {
        let Some(camera) = self.known.get_mut(&report.id) else { return };
        let now = (report.state.alarmed(), report.healthy(), report.condition.word());
        // Of a monitor that is read from the Events table only its alarms and their ends say whether it is in alarm.
        let polled = report.state != MonitorState::Unknown;
        let first = polled && !std::mem::replace(&mut camera.polled, polled);
        if camera.reported.replace(now) != Some(now) || first {
            if polled {
                (camera.alarmed, camera.remembered) = (now.0, false);
            }
            show(report.id, camera, topics, slots);
        }
    }

    /// Takes an alarm, its update or its end; `false`: it is the end of an earlier alarm of the same stay, and not told.
    pub(super) fn alarm(&mut self, message: &MachineMessage, topics: &Topics, slots: &mut Slots) -> bool {
        let Some(id) = message.monitor.as_ref().map(|monitor| monitor.id) else { return true };
        self.open.remove(&id);
        let Some(camera) = self.known.get_mut(&id) else { return true };
        if message.event_type == MachineKind::AlarmEnd {
            (camera.alarmed, camera.remembered) = (false, false);
            slots.set(&topics.monitor(id, "alarm"), OFF);
            return camera.started.is_none_or(|started| started.event == message.event);
        }
        if message.event_type == MachineKind::AlarmStart {
            camera.started = Some(LastStart { event: message.event, at: message.at });
            // What was found after the fact may be over.
            if !message.late {
                (camera.alarmed, camera.remembered) = (true, false);
                slots.set(&topics.monitor(id, "alarm"), ON);
            }
        } else if message.event_type != MachineKind::AlarmUpdate {
            return true;
        }
        // An update of an earlier event says nothing about the last alarm.
        if let Some(start) = camera.started.filter(|started| started.event == message.event) {
            let last = LastAlarm {
                event: message.event,
                cause: &message.cause,
                labels: message.labels.as_deref(),
                at: format!("{:.3}", start.at),
                url: message.url.as_deref(),
            };
            slots.set(&topics.monitor(id, "attributes"), json(&last));
        }
        true
    }

    /// Takes an alarm or an end that was missed when it happened, and is read from the record.
    pub(super) fn missed(&mut self, message: &MachineMessage, topics: &Topics, slots: &mut Slots) {
        let Some(camera) = message.monitor.as_ref().and_then(|monitor| self.known.get(&monitor.id)) else {
            return;
        };
        let reported = camera.polled && camera.reported.is_some_and(|(alarmed, ..)| alarmed);
        // What came later is known already.
        let newest = camera.started.is_none_or(|started| started.at <= message.at);
        let its_end = camera.started.is_some_and(|started| started.event == message.event) && !reported;
        let tells = match message.event_type {
            MachineKind::AlarmStart => newest,
            MachineKind::AlarmEnd => newest && its_end && camera.alarmed,
            MachineKind::AlarmUpdate
            | MachineKind::Trouble
            | MachineKind::Resolved
            | MachineKind::Test
            | MachineKind::SnoozeEnd
            | MachineKind::Unknown => false,
        };
        if tells {
            // Whether it goes on, reports or `compare` say.
            self.alarm(&MachineMessage { late: true, ..message.clone() }, topics, slots);
        }
    }

    /// Compares monitors whose state no report tells with the alarms that go on as the record has them. `missed`: starts
    /// may have been missed.
    pub(super) fn compare(&mut self, open: Vec<OpenAlarm>, missed: bool, topics: &Topics, slots: &mut Slots) {
        let open = by_monitor(open);
        for (id, camera) in self.known.iter_mut().filter(|(_, camera)| !camera.polled) {
            match open.get(id) {
                Some(alarm) if missed && !camera.alarmed => camera.remember(alarm),
                // Its end was seen by nobody: it was given up.
                None if camera.remembered => (camera.alarmed, camera.remembered) = (false, false),
                Some(_) | None => continue,
            }
            show(*id, camera, topics, slots);
        }
    }

    /// Says whether an alarm is shown that is known from the record alone.
    pub(super) fn remembers_an_alarm(&self) -> bool {
        self.known.values().any(|camera| camera.remembered && !camera.polled)
    }

    /// Says whether the last alarm of a monitor is of that event.
    pub(super) fn is_last(&self, id: MonitorId, event: EventId) -> bool {
        let last = self.get(id).and_then(|camera| camera.started);
        last.is_some_and(|started| started.event == Some(event))
    }

    /// Takes the snoozes that hold for all phones.
    pub(super) fn snoozes(&mut self, snoozes: &[&Snooze], topics: &Topics, slots: &mut Slots) {
        for (id, camera) in &mut self.known {
            let ours = snoozes.iter().filter(|snooze| {
                snooze.scope == SnoozeScope::Everybody && snooze.monitor.is_none_or(|monitor| monitor == *id)
            });
            camera.snoozed_until = ours.map(|snooze| snooze.until).max();
            show(*id, camera, topics, slots);
        }
    }

    /// Says whether pushes of a monitor are snoozed for all phones.
    pub(super) fn snoozed(&self, id: MonitorId, now: Timestamp) -> bool {
        self.get(id).and_then(|camera| camera.snoozed_until).is_some_and(|until| now < until)
    }
}

fn by_monitor(open: Vec<OpenAlarm>) -> BTreeMap<MonitorId, OpenAlarm> {
    open.into_iter().map(|alarm| (alarm.monitor, alarm)).collect()
}

/// Removes the states of a monitor.
pub(super) fn remove(id: MonitorId, topics: &Topics, slots: &mut Slots) {
    for name in OF_MONITOR {
        slots.remove(&topics.monitor(id, name));
    }
}

fn show(id: MonitorId, camera: &Camera, topics: &Topics, slots: &mut Slots) {
    let word = |on: bool| if on { ON } else { OFF };
    let (_, watching, condition) = camera.reported.unwrap_or((false, false, MonitorCondition::NotLookedAt));
    slots.set(&topics.monitor(id, "alarm"), word(camera.alarmed));
    slots.set(&topics.monitor(id, "watching"), word(watching));
    let reason = WatchingReason { reason: condition.word() };
    slots.set(&topics.monitor(id, "watching/attributes"), json(&reason));
    slots.set(&topics.monitor(id, "notifications"), word(camera.snoozed_until.is_none()));
    let until = camera.snoozed_until.map_or_else(|| NO_TIME.to_owned(), |until| format!("{until:.0}"));
    slots.set(&topics.monitor(id, "snoozed-until"), until);
}

pub(super) fn json(value: &impl Serialize) -> Bytes {
    // Structs with text keys can always be written.
    serde_json::to_vec(value).unwrap_or_default().into()
}

#[cfg(test)]
mod tests;
