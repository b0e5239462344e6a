//! Alarms that the broker missed: read from the record once it is there again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout};
use tracing::{info, warn};
use zmes_shared::machine::MachineMessage;

use super::MqttOwner;
use crate::mqtt::cursor::AckCursor;
use crate::mqtt::message;
use crate::mqtt::starts::DecidedStarts;
use crate::state::{MqttDevice, MqttMemory, MqttMissed, MqttNote, OpenAlarm};

/// Rows that are read at a time.
const ROWS: u32 = 10_000;
/// How long reading may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// When it is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// When it is read once more, while the disk does not take what is noted.
const UNSETTLED: Duration = Duration::from_secs(15);
/// Hex digits of the instance.
const INSTANCE: usize = 8;

impl MqttOwner {
    /// Queues what came after the cursor and is not too old, in order.
    pub(super) async fn read_backlog(&mut self) {
        let now = self.now();
        let keep = SignedDuration::try_from(self.config.keep).unwrap_or(SignedDuration::MAX);
        self.cursor.follow_clock(now, keep);
        // What came while connected is not too old, whatever `keep` says.
        let oldest = now.saturating_sub(keep).unwrap_or(Timestamp::MIN).min(self.backlog.since);
        self.cursor.skip_to(oldest);
        let reading = self.parts.state.mqtt_missed(self.cursor.since(), now, ROWS);
        let MqttMissed { alarms, ends, open, settled } = match timeout(DEADLINE, reading).await {
            Ok(Ok(missed)) => missed,
            Ok(Err(error)) => return self.backlog_failed(&error.to_string()),
            Err(_) => return self.backlog_failed("no answer in time"),
        };
        let own = alarms.iter().filter(|alarm| !alarm.elsewhere);
        let mut missed: Vec<MachineMessage> = own.map(|alarm| message::of_recorded(alarm, now)).collect();
        let own = ends.iter().filter(|end| !end.alarm.elsewhere);
        missed.extend(own.map(|end| message::of_recorded_end(end, now)));
        // After the clock was set back, the record has times that are still to come: these alarms were told.
        missed.retain(|message| oldest < message.at && message.at <= now);
        // A stable sort: an alarm comes before an end of the same moment.
        missed.sort_by_key(|message| message.at);
        (self.backlog.behind, self.backlog.waiting) = (false, 0);
        self.backlog.unsettled = !settled;
        self.cursor.hold(self.backlog.unsettled);
        if self.backlog.unsettled {
            self.backlog.due = Instant::now() + UNSETTLED;
        }
        for told in missed {
            let mut told = self.linked(told);
            let Some(monitor) = told.monitor.as_ref().map(|monitor| monitor.id) else { continue };
            if self.cameras.get(monitor).is_none() {
                continue;
            }
            self.cameras.missed(&told, &self.topics, &mut self.slots);
            self.judge(&mut told, monitor);
            if !self.queue(&told) {
                break;
            }
            self.want_picture(&told);
        }
        self.cameras.compare(open, true, &self.topics, &mut self.slots);
        if !self.events.is_empty() {
            info!(alarms = self.events.len(), "publishing what the MQTT broker has missed");
        }
    }

    fn backlog_failed(&mut self, error: &str) {
        warn!(error, "mqtt cannot read the record of alarms; trying again in {} s", RETRY.as_secs());
        self.backlog.due = Instant::now() + RETRY;
    }

    /// Returns which alarms go on, as the record has them.
    pub(super) async fn read_open(&mut self) -> Vec<OpenAlarm> {
        match self.parts.state.alarms_that_go_on(self.now()).await {
            Ok(open) => open,
            Err(error) => {
                warn!(%error, "mqtt cannot read which alarms go on");
                Vec::new()
            }
        }
    }

    /// Looks whether alarms that are known from the record alone still go on.
    pub(super) async fn look_at_open(&mut self) {
        if self.cameras.remembers_an_alarm()
            && let Ok(open) = self.parts.state.alarms_that_go_on(self.now()).await
        {
            self.cameras.compare(open, false, &self.topics, &mut self.slots);
        }
    }

    /// Reads what a daemon before has left, and notes who we are; `false`: the daemon stops.
    pub(super) async fn remember(&mut self, stop: &tokio_util::sync::CancellationToken) -> bool {
        let memory = loop {
            match self.parts.state.mqtt_memory().await {
                Ok(memory) => break memory,
                Err(error) => warn!(%error, "mqtt waits for the state file"),
            }
            if stop.run_until_cancelled(tokio::time::sleep(RETRY)).await.is_none() {
                return false;
            }
        };
        let MqttMemory { instance, cursor, starts, published, devices } = memory;
        let known =
            instance.filter(|id| id.len() == INSTANCE && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        self.instance = known.unwrap_or_else(|| {
            let made = format!("{:08x}", fastrand::u32(..));
            self.note(MqttNote::Instance(made.clone()));
            made
        });
        let known = cursor.as_deref().and_then(AckCursor::parse);
        self.cursor = known.unwrap_or_else(|| AckCursor::starting(self.now()));
        let keep = self.parts.config.borrow().keep;
        let keep = SignedDuration::try_from(keep).unwrap_or(SignedDuration::MAX);
        // Not only when the record is read: by then the clock may have passed the cursor.
        self.cursor.follow_clock(self.now(), keep);
        self.decided = starts.as_deref().map(DecidedStarts::parse).unwrap_or_default();
        // From here on a kill forgets nothing.
        self.write_cursor();
        self.published = published.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        self.announcing.remembered(devices.into_iter().map(device).collect());
        true
    }
}

fn device(device: MqttDevice) -> crate::mqtt::home_assistant::Remembered {
    let MqttDevice { topic, object, hash, components } = device;
    crate::mqtt::home_assistant::Remembered { object, topic, hash, components }
}
