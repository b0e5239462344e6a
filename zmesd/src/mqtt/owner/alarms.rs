//! Alarms and troubles from the tap: what becomes a message, and what waits in the record.

use jiff::{SignedDuration, Timestamp};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tracing::{debug, warn};
use zmes_shared::MonitorId;
use zmes_shared::machine::MachineMessage;
use zmes_shared::words::MachineKind;

use super::connection::CURSOR;
use super::{EVENTS, MqttOwner, QueuedEvent};
use crate::domain::Alarm;
use crate::mqtt::cameras::json;
use crate::mqtt::{es, message};
use crate::ports::BrokerMessage;
use crate::route::TapEvent;
use crate::rules::{AlarmFacts, AlarmTime, Channel, ReceiverFacts, RuleAction};

/// How old what the tap drops can be: longer than the task is ever busy with one thing.
const TAP: SignedDuration = SignedDuration::from_secs(30);

impl MqttOwner {
    pub(super) async fn on_tap(&mut self, event: Result<TapEvent, RecvError>) {
        match event {
            // Each node publishes what its own cameras see.
            Ok(TapEvent::Alarm(announced)) if announced.alarm.elsewhere.is_some() => {}
            Ok(TapEvent::Alarm(announced)) => self.on_alarm(&announced.alarm),
            Ok(TapEvent::Trouble(told)) => self.on_trouble(&told),
            Ok(TapEvent::Decided(_) | TapEvent::Session(_) | TapEvent::Token(_) | TapEvent::Delivery(_)) => {}
            Err(RecvError::Lagged(missed)) => {
                warn!(missed, "mqtt was too slow for what happened: reading it from the record");
                self.fall_behind();
                self.read_troubles().await;
                self.show_troubles();
            }
            // The router has ended, and the daemon is about to.
            Err(RecvError::Closed) => self.tap = None,
        }
    }

    fn on_alarm(&mut self, alarm: &Alarm) {
        let Some(told) = message::of_alarm(alarm) else { return };
        let mut told = self.linked(told);
        if self.cameras.get(alarm.monitor).is_none() {
            // The catalog may know it since a moment.
            self.take_catalog();
        }
        if self.cameras.get(alarm.monitor).is_none() || self.cleared {
            return;
        }
        let wanted = self.cameras.alarm(&told, &self.topics, &mut self.slots);
        // What is recorded waits for the connection in the record, behind what is there already.
        let recorded = message::is_recorded(told.event_type);
        let behind = self.backlog.behind && told.event_type != MachineKind::Test;
        if !self.line.is_up() || behind {
            if recorded {
                self.fall_behind();
                self.backlog.waiting += 1;
            }
            return;
        }
        if !wanted {
            if recorded && self.cursor.take(&told.id, told.at) {
                self.finish(&told.id);
            }
            return;
        }
        self.judge(&mut told, alarm.monitor);
        if self.queue(&told) {
            self.want_picture(&told);
        }
    }

    /// Says whether a rule for this channel mutes it. Ends and updates obey what was decided of their start: what a start
    /// has switched on, its end switches off.
    fn is_muted(&mut self, told: &MachineMessage, monitor: MonitorId) -> bool {
        let known = match told.event_type {
            MachineKind::AlarmStart => None,
            MachineKind::AlarmUpdate => self.decided.update(monitor, told.event),
            MachineKind::AlarmEnd => self.decided.end(monitor),
            MachineKind::Trouble
            | MachineKind::Resolved
            | MachineKind::Test
            | MachineKind::SnoozeEnd
            | MachineKind::Unknown => return false,
        };
        let muted = known.unwrap_or_else(|| self.rules_mute(told, monitor));
        if told.event_type == MachineKind::AlarmStart {
            self.decided.start(monitor, told.event, muted);
        }
        muted
    }

    /// Says whether a rule mutes it by its own facts: an end or an update, of whose start nothing is known, by the time at
    /// which its alarm began.
    fn rules_mute(&self, told: &MachineMessage, monitor: MonitorId) -> bool {
        let lasted =
            SignedDuration::from_secs(told.duration.and_then(|lasted| lasted.try_into().ok()).unwrap_or(0));
        let began = told.at.saturating_sub(lasted).unwrap_or(told.at);
        let alarm = AlarmFacts {
            monitor,
            monitor_name: told.monitor.as_ref().map_or("", |monitor| &monitor.name),
            cause: &told.cause,
            labels: told.labels.as_deref(),
            time: AlarmTime { at: began, machine: &self.parts.zone },
        };
        let user = &self.config.user;
        let receiver = ReceiverFacts { channel: Channel::Mqtt, user, handle: None, platform: None };
        let rules = self.parts.rules.borrow();
        let rule = rules.candidates(&alarm).decide(&receiver);
        let muted = rule.is_some_and(|rule| rule.action == RuleAction::Mute);
        if let Some(rule) = rule.filter(|_| muted) {
            debug!(%monitor, rule = &*rule.name, "an event is not published: a rule mutes it");
        }
        muted
    }

    /// Notes that nothing publishes it later, whatever is read from the record, and whatever rules there are then.
    pub(super) fn finish(&mut self, id: &str) {
        self.cursor.finish(id, self.parts.clock.now());
        self.cursor_due.get_or_insert_with(|| Instant::now() + CURSOR);
    }

    /// Adds the page of the event.
    pub(super) fn linked(&self, told: MachineMessage) -> MachineMessage {
        let url = self.parts.links.borrow().link_url.link(&told, &self.parts.zone);
        MachineMessage { url, ..told }
    }

    /// From now on the record is read before live alarms are published.
    pub(super) fn fall_behind(&mut self) {
        if !std::mem::replace(&mut self.backlog.behind, true) {
            // What the tap has dropped is a little older.
            self.backlog.since = self.now().saturating_sub(TAP).unwrap_or(Timestamp::MIN);
            self.backlog.due = Instant::now();
        }
    }

    /// Adds what depends on this moment.
    pub(super) fn judge(&self, told: &mut MachineMessage, monitor: MonitorId) {
        if self.cameras.snoozed(monitor, self.parts.clock.now()) {
            told.snoozed = Some(true);
        }
    }

    /// Queues an alarm, unless the broker has it; `false`: there is no room.
    pub(super) fn queue(&mut self, told: &MachineMessage) -> bool {
        let Some(monitor) = &told.monitor else { return true };
        if self.events.len() >= EVENTS {
            self.fall_behind();
            return false;
        }
        let recorded = message::is_recorded(told.event_type);
        if recorded && !self.cursor.take(&told.id, told.at) {
            return true;
        }
        if self.is_muted(told, monitor.id) {
            self.finish(&told.id);
            return true;
        }
        // The old server told of nothing afterwards: its readers would take an alarm of long ago for one of now.
        let of_now = !told.late || told.event_type != MachineKind::AlarmStart;
        if let Some(base) = self.config.es_topic.as_ref().filter(|_| of_now)
            && let (Some(topic), Some(payload)) =
                (es::topic(base, told), es::payload(told, self.config.es_ends))
        {
            let message = BrokerMessage { topic, payload: payload.into(), retain: self.config.es_retain };
            self.events.push_back(QueuedEvent { message, id: None });
        }
        let topic = self.topics.monitor(monitor.id, "event");
        let message = BrokerMessage { topic, payload: json(told), retain: false };
        self.events.push_back(QueuedEvent { message, id: recorded.then(|| told.id.clone()) });
        true
    }
}
