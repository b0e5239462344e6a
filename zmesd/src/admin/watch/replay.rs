//! The record since a point, as lines of `watch`; and which of them may come again from the tap, because they happened
//! while the record was being read.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use zmes_shared::control::{Since, WatchEvent, WatchType};
use zmes_shared::views::SnoozedBy;
use zmes_shared::words::{DeliveryOutcome, DeliveryState, Phase};
use zmes_shared::{EventId, MonitorId};

use super::wishes::Wishes;
use crate::admin::lines;
use crate::admin::snoozes::SnoozeNames;
use crate::admin::token_names::TokenNames;
use crate::domain::{Alarm, TokenId};
use crate::route::PushOutcome;
use crate::state::{
    DeliveryRow, RecordedAlarm, RecordedEnd, RecordedUpdate, StateError, StateHandle, TroubleRow,
};
use crate::troubles::Trouble;

const ALARMS: u32 = 10_000;
const DELIVERIES: u32 = 20_000;
const TROUBLES: u32 = 1_000;

/// What has become of a trouble.
pub(super) const RAISED: &str = "raised";
pub(super) const CLEARED: &str = "cleared";

/// What identifies an alarm.
pub(super) type AlarmKey = (MonitorId, Option<EventId>, i64, Phase);

pub(super) fn key(alarm: &Alarm) -> AlarmKey {
    (alarm.monitor, alarm.event, alarm.at.as_millisecond(), alarm.phase)
}

fn key_of_recorded(alarm: &RecordedAlarm) -> AlarmKey {
    (alarm.monitor, alarm.event, alarm.at.as_millisecond(), Phase::Start)
}

fn key_of_end(end: &RecordedEnd) -> AlarmKey {
    (end.alarm.monitor, end.alarm.event, end.ended_at.as_millisecond(), Phase::End)
}

fn key_of_update(update: &RecordedUpdate) -> AlarmKey {
    (update.alarm.monitor, update.alarm.event, update.at.as_millisecond(), Phase::Update)
}

fn key_of_row(row: &DeliveryRow) -> AlarmKey {
    (row.monitor, row.event, row.at.as_millisecond(), row.phase)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Line {
    Alarm(AlarmKey),
    Decision(AlarmKey, TokenId),
    /// The time tells failed attempts apart; of other outcomes there is one.
    Outcome(AlarmKey, TokenId, DeliveryOutcome, Option<i64>),
    Trouble(String, &'static str, i64),
}

/// Lines from the record that may come again, each with its count.
#[derive(Debug, Default)]
pub(super) struct Told(HashMap<Line, u32>);

impl Told {
    fn add(&mut self, line: Line) {
        *self.0.entry(line).or_default() += 1;
    }

    fn take(&mut self, line: &Line) -> bool {
        let Some(times) = self.0.get_mut(line) else { return false };
        *times -= 1;
        if *times == 0 {
            self.0.remove(line);
        }
        true
    }

    pub(super) fn alarm(&mut self, alarm: &Alarm) -> bool {
        self.take(&Line::Alarm(key(alarm)))
    }

    pub(super) fn decision(&mut self, alarm: &Alarm, token: TokenId) -> bool {
        self.take(&Line::Decision(key(alarm), token))
    }

    pub(super) fn trouble(&mut self, trouble: &Trouble, change: &'static str, at: Timestamp) -> bool {
        self.take(&Line::Trouble(trouble.id.to_string(), change, at.as_millisecond()))
    }

    pub(super) fn outcome(&mut self, outcome: &PushOutcome) -> bool {
        let at = (outcome.outcome == DeliveryOutcome::Retry).then(|| outcome.at.as_millisecond());
        self.take(&Line::Outcome(key(&outcome.alarm), outcome.token.id, outcome.outcome, at))
    }
}

#[derive(Debug, Default)]
pub(super) struct Replay {
    pub(super) events: Vec<WatchEvent>,
    /// There was more that is not on record.
    pub(super) gap: bool,
    pub(super) told: Told,
}

/// Rows after which the task yields: an observer's request must not block a thread of the runtime.
const TURN: usize = 256;

pub(super) async fn read(
    state: &StateHandle,
    known: &TokenNames,
    since: Since,
    wishes: &Wishes,
) -> Result<Replay, StateError> {
    let recorded = state.alarms_since(since, ALARMS).await?;
    let (ends, ends_left_out) = state.ends_since(since, ALARMS).await?;
    let (updates, updates_left_out) = state.updates_since(since, ALARMS).await?;
    let (rows, truncated) = state.deliveries_since(since, DELIVERIES).await?;
    let snoozes = SnoozeNames::of_deliveries(state, &rows).await?;
    // Who asks for alarms alone misses nothing by decisions that are too many.
    let truncated =
        truncated && (wishes.includes(WatchType::Decision) || wishes.includes(WatchType::Delivery));
    let mut replay =
        Replay { gap: recorded.gap || ends_left_out || updates_left_out || truncated, ..Replay::default() };
    if wishes.includes(WatchType::Trouble) {
        replay.troubles(state.troubles_since(since, TROUBLES).await?, wishes, since);
    }
    let mut seen = HashSet::new();
    for alarm in recorded.alarms.into_iter().filter(|alarm| wishes.alarms_of(alarm.monitor)) {
        seen.insert(key_of_recorded(&alarm));
        replay.told.add(Line::Alarm(key_of_recorded(&alarm)));
        replay.events.push(lines::recorded(alarm));
    }
    for end in ends.into_iter().filter(|end| wishes.alarms_of(end.alarm.monitor)) {
        seen.insert(key_of_end(&end));
        replay.told.add(Line::Alarm(key_of_end(&end)));
        replay.events.push(lines::ended(end));
    }
    for update in updates.into_iter().filter(|update| wishes.alarms_of(update.alarm.monitor)) {
        seen.insert(key_of_update(&update));
        replay.told.add(Line::Alarm(key_of_update(&update)));
        replay.events.push(lines::updated(update));
    }
    let wanted = |row: &&DeliveryRow| {
        let token = known.row(row.token).map(|known| &known.token);
        // A deleted token has no user.
        let token = token.map_or(!wishes.names_owner(), |token| wishes.token(token));
        token && wishes.alarms_of(row.monitor)
    };
    let rows: Vec<_> = rows.iter().filter(wanted).collect();
    for (index, row) in rows.iter().enumerate() {
        if index.is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
        // The record of alarms lacks test alarms, dropped ones, and the latest.
        if seen.insert(key_of_row(row)) {
            replay.told.add(Line::Alarm(key_of_row(row)));
            replay.events.push(lines::recorded_with(row));
        }
    }
    for (index, row) in rows.iter().enumerate() {
        if index.is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
        let handle = known.row(row.token).map(|known_as| known.handle(&known_as.token));
        replay.decision(row, &handle.unwrap_or_else(|| "forgotten".to_owned()), snoozes.get(row.by.as_ref()));
    }
    replay.events.retain(|event| wishes.shows(event));
    // A stable sort: at the same time alarm, decision, outcome.
    replay.events.sort_by_key(|event| event.at);
    Ok(replay)
}

impl Replay {
    /// Adds what became of troubles after that point. What was before it in the same row is not told.
    fn troubles(&mut self, rows: Vec<TroubleRow>, wishes: &Wishes, since: Since) {
        let after = |at: Timestamp| match since {
            Since::Time(since) => at > since,
            Since::Event(_) => true,
        };
        for row in rows.into_iter().filter(|row| wishes.trouble(row.record.trouble.id.monitor())) {
            let trouble = &row.record.trouble;
            let cleared = row.cleared_at.map(|at| (CLEARED, at, Some(at)));
            for (change, at, over) in
                [Some((RAISED, row.record.raised_at, None)), cleared].into_iter().flatten()
            {
                if after(at) {
                    self.told.add(Line::Trouble(trouble.id.to_string(), change, at.as_millisecond()));
                    self.events.push(lines::trouble(at, change, trouble, over));
                }
            }
        }
    }

    fn decision(&mut self, row: &DeliveryRow, token: &str, snoozed: Option<SnoozedBy>) {
        self.told.add(Line::Decision(key_of_row(row), row.token));
        self.events.push(lines::decided(row, token, snoozed));
        // The last failure is not a retry if the push was given up for it.
        let given_up = row.decision == DeliveryState::Failed
            && row.failures.last().is_some_and(|last| last.answer == row.reason.as_str());
        let retried = row.failures.len() - usize::from(given_up);
        for attempt in row.failures.iter().take(retried) {
            self.outcome(row, token, DeliveryOutcome::Retry, attempt.at, Some(attempt.answer.clone()));
        }
        let last_at = row.failures.last().map_or(row.at, |last| last.at);
        let reason = || Some(row.reason.to_string());
        match row.decision {
            DeliveryState::Sent => {
                let after = SignedDuration::try_from(row.latency.unwrap_or_default()).unwrap_or_default();
                let at = row.at.saturating_add(after).unwrap_or(row.at);
                self.outcome(row, token, DeliveryOutcome::Sent, at, row.provider_id.clone());
            }
            DeliveryState::Failed => self.outcome(row, token, DeliveryOutcome::Failed, last_at, reason()),
            // A push that was tried was withdrawn; one that was never tried may have been skipped at once.
            DeliveryState::Skipped if row.attempts > 0 => {
                self.outcome(row, token, DeliveryOutcome::Skipped, last_at, reason());
            }
            DeliveryState::Skipped => {
                self.told.add(Line::Outcome(key_of_row(row), row.token, DeliveryOutcome::Skipped, None));
            }
            DeliveryState::Queued | DeliveryState::Unknown => {}
        }
    }

    fn outcome(
        &mut self,
        row: &DeliveryRow,
        token: &str,
        outcome: DeliveryOutcome,
        at: Timestamp,
        detail: Option<String>,
    ) {
        let when = (outcome == DeliveryOutcome::Retry).then(|| at.as_millisecond());
        self.told.add(Line::Outcome(key_of_row(row), row.token, outcome, when));
        self.events.push(lines::outcome(row, token, outcome, at, detail));
    }
}
