//! The record of alarms, read for replays.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};
use zmes_shared::control::Since;
use zmes_shared::{EventId, MonitorId};

use super::handle::{RecordedAlarm, Replay, ReplaySpan, StateHandle, StateResult};
use super::remembered::{began, event, optional_time, time};
use super::{SqlResult, signed};
use crate::domain::{Alarm, AlarmLabels, Origin, Phase};

impl StateHandle {
    /// Returns the alarms after `since`, oldest first, including the latest ones, at most `limit` (the newest win, and
    /// the gap is reported).
    pub async fn alarms_since(&self, since: Since, limit: u32) -> StateResult<Replay> {
        let span = self.replay_span(since, limit).await?;
        let alarms = self.replay_page(span, limit).await?;
        Ok(Replay { alarms: alarms.into_iter().map(|(_, alarm)| alarm).collect(), gap: span.gap })
    }

    /// Returns the positions of the alarms after `since`, at most `limit`, including the latest ones.
    pub async fn replay_span(&self, since: Since, limit: u32) -> StateResult<ReplaySpan> {
        self.answer(span(&self.settled().await, since, limit).await)
    }

    /// Returns the next alarms of a span, oldest first, at most `limit`, each with its number in the record.
    pub async fn replay_page(&self, span: ReplaySpan, limit: u32) -> StateResult<Vec<(i64, RecordedAlarm)>> {
        let query = "SELECT at, event_id, monitor_id, monitor_name, cause, late, ended_at, number, node IS NOT NULL AS elsewhere FROM alarms \
                     WHERE number > ? AND number <= ? ORDER BY number LIMIT ?";
        let query = sqlx::query(query).bind(span.after).bind(span.until).bind(limit);
        let rows = self.answer(query.fetch_all(&self.reader()).await)?;
        self.answer(rows.iter().map(|row| Ok((row.try_get(7)?, alarm(row)?))).collect())
    }

    /// Returns the alarms of one event, oldest first, at most `limit`.
    pub async fn alarms_of_event(&self, event: EventId, limit: u32) -> StateResult<Vec<RecordedAlarm>> {
        let query = "SELECT at, event_id, monitor_id, monitor_name, cause, late, ended_at, node IS NOT NULL AS elsewhere FROM alarms \
                     WHERE event_id = ? ORDER BY number LIMIT ?";
        let query = sqlx::query(query).bind(signed(event)).bind(limit);
        let rows = self.answer(query.fetch_all(&self.settled().await).await)?;
        self.answer(rows.iter().map(alarm).collect())
    }

    /// Says whether the record of alarms reaches back to that time.
    pub async fn reaches_back_to(&self, at: Timestamp) -> StateResult<bool> {
        self.answer(after_time(&self.reader(), at).await.map(|(_, reaches_back)| reaches_back))
    }
}

pub(super) async fn span(pool: &SqlitePool, since: Since, limit: u32) -> SqlResult<ReplaySpan> {
    let (after, reaches_back) = match since {
        Since::Event(event) => after_event(pool, event).await?,
        Since::Time(at) => after_time(pool, at).await?,
    };
    let query = "SELECT (SELECT MAX(number) FROM alarms), \
                 (SELECT number FROM alarms WHERE number > ? ORDER BY number DESC LIMIT 1 OFFSET ?)";
    let (until, left_out): (Option<i64>, Option<i64>) =
        sqlx::query_as(query).bind(after).bind(limit).fetch_one(pool).await?;
    Ok(ReplaySpan {
        after: left_out.unwrap_or(after),
        until: until.unwrap_or(after),
        gap: left_out.is_some() || !reaches_back,
    })
}

/// The number of the last alarm of that event, and whether the record knows the event at all.
///
/// An event that is not in the record may simply have been no alarm: then its neighbours tell where it stood.
pub(super) async fn after_event(pool: &SqlitePool, event: EventId) -> SqlResult<(i64, bool)> {
    let query = "SELECT MAX(number), (SELECT MIN(event_id) FROM alarms) FROM alarms WHERE event_id <= ?";
    let (number, oldest): (Option<i64>, Option<i64>) =
        sqlx::query_as(query).bind(signed(event)).fetch_one(pool).await?;
    Ok((number.unwrap_or(0), number.is_some() || oldest.is_none()))
}

/// The number of the last alarm at or before that time, and whether the record reaches back to it.
pub(super) async fn after_time(pool: &SqlitePool, at: Timestamp) -> SqlResult<(i64, bool)> {
    let query = "SELECT MAX(number), (SELECT MIN(number) FROM alarms) FROM alarms WHERE at <= ?";
    let (number, oldest): (Option<i64>, Option<i64>) =
        sqlx::query_as(query).bind(at.as_millisecond()).fetch_one(pool).await?;
    // Number 1 is still there: nothing was forgotten since the record began.
    let whole = oldest.is_none_or(|oldest| oldest == 1) && began(pool).await? <= at;
    Ok((number.unwrap_or(0), number.is_some() || whole))
}

/// Returns the time (ms) of a point in the record: of an event, that of the last alarm up to it.
pub(super) async fn moment_of(pool: &SqlitePool, since: Since) -> SqlResult<i64> {
    match since {
        Since::Time(at) => Ok(at.as_millisecond()),
        Since::Event(event) => {
            let (number, _) = after_event(pool, event).await?;
            let at = "SELECT COALESCE(MAX(at), 0) FROM alarms WHERE number <= ?";
            sqlx::query_scalar(at).bind(number).fetch_one(pool).await
        }
    }
}

/// Reads a start whose columns begin at the third: monitor, event, time, name, cause.
pub(super) fn start_of(row: &SqliteRow, origin: Origin) -> SqlResult<Alarm> {
    Ok(Alarm {
        monitor: MonitorId(row.try_get(2)?),
        monitor_name: row.try_get::<&str, _>(5)?.into(),
        event: event(row, 3)?,
        cause: row.try_get::<&str, _>(6)?.into(),
        labels: AlarmLabels::default(),
        at: time(row, 4)?,
        detected: tokio::time::Instant::now(),
        origin,
        phase: Phase::Start,
        span: None,
        elsewhere: None,
        stands_for_event: false,
    })
}

pub(super) fn alarm(row: &SqliteRow) -> SqlResult<RecordedAlarm> {
    Ok(RecordedAlarm {
        at: time(row, 0)?,
        event: event(row, 1)?,
        monitor: MonitorId(row.try_get(2)?),
        monitor_name: row.try_get(3)?,
        cause: row.try_get(4)?,
        late: row.try_get(5)?,
        ended_at: optional_time(row, 6)?,
        elsewhere: row.try_get("elsewhere")?,
    })
}
