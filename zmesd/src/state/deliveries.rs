//! Deliveries in the state file: pushes to be sent, and their results.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{
    AssertSqlSafe, Connection, Encode, QueryBuilder, Row, Sqlite, SqliteConnection, SqlitePool, Type,
};
use zmes_providers::Urgency;
use zmes_shared::control::Since;
use zmes_shared::words::{DeliveryState, Reason, SkipReason};
use zmes_shared::{EventId, MonitorId};

use super::handle::{StateHandle, StateResult};
use super::note::{Attempt, Outcome, TokenDecision};
use super::remembered::{event, time, understood};
use super::{SqlResult, cluster, labels, signed, tokens};
use crate::domain::{
    Alarm, AlarmSpan, DecidedBy, Decision, DeliveryId, LedgerMark, Origin, Phase, StartState, Token, TokenId,
    ToldStart,
};

/// Rows that one statement inserts: a statement costs more than a row.
const ROWS: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    pub id: DeliveryId,
    pub token: TokenId,
    pub at: Timestamp,
    pub event: Option<EventId>,
    pub monitor: MonitorId,
    pub monitor_name: String,
    pub cause: String,
    pub origin: Origin,
    pub decision: DeliveryState,
    /// The reason; for queued deliveries the last failure.
    pub reason: Reason,
    /// Empty while no transport was used.
    pub transport: String,
    pub attempts: u32,
    /// From the alarm's detection to the provider's answer.
    pub latency: Option<Duration>,
    pub provider_id: Option<String>,
    /// The rule or snooze that decided.
    pub by: Option<DecidedBy>,
    pub urgency: Urgency,
    pub phase: Phase,
    /// Of an end: how long the alarm lasted.
    pub lasted: Option<Duration>,
    /// The labels of the event, and how the decision waited for them.
    pub labels: crate::domain::AlarmLabels,
    /// The attempts that failed, oldest first (only where one token's deliveries are asked for).
    pub failures: Vec<FailedAttempt>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempt {
    pub at: Timestamp,
    pub transport: String,
    /// The provider's answer, or why there was none.
    pub answer: String,
    pub took: Duration,
}

/// What the file says of the start to which an end or an update belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartOnDisk {
    pub id: DeliveryId,
    pub state: StartState,
}

#[derive(Debug, Clone)]
pub struct QueuedPush {
    pub id: DeliveryId,
    pub token: Arc<Token>,
    /// Its monotonic time is the time of reading.
    pub alarm: Arc<Alarm>,
    pub badge: u32,
    pub urgency: Urgency,
    pub attempts: u32,
    pub start: Option<StartOnDisk>,
    /// The alarm in the cluster's ledger.
    pub ledger: Option<LedgerMark>,
}

#[derive(Debug, Clone)]
pub struct PushPage {
    /// The pushes, by ascending id.
    pub pushes: Vec<QueuedPush>,
    /// The last row that was read; it may have been skipped as unreadable.
    pub last: Option<DeliveryId>,
    pub full: bool,
}

/// Writes an alarm and the decision for each token. Returns the alarm's number; `None`: there are no tokens, and nothing is
/// written.
pub(super) async fn decide(
    transaction: &mut SqliteConnection,
    alarm: &Alarm,
    decisions: &[TokenDecision],
) -> SqlResult<Option<i64>> {
    if decisions.is_empty() {
        return Ok(None);
    }
    let (waited, ending) = labels::waited(&alarm.labels);
    let number = sqlx::query(
        "INSERT INTO pushed_alarms (at, event_id, monitor_id, monitor_name, cause, origin, phase, lasted_ms, labels, \
         waited_ms, label_wait) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(alarm.at.as_millisecond())
    .bind(alarm.event.map(signed))
    .bind(alarm.monitor.0)
    .bind(&*alarm.monitor_name)
    .bind(&*alarm.cause)
    .bind(alarm.origin.word())
    .bind(alarm.phase.word())
    .bind(alarm.span.and_then(|span| span.lasted).map(millis))
    .bind(labels::written(&alarm.labels.known))
    .bind(waited)
    .bind(ending)
    .execute(&mut *transaction)
    .await?
    .last_insert_rowid();
    for rows in decisions.chunks(ROWS) {
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
            "INSERT INTO deliveries (id, alarm, token_id, decision, reason, badge, decided_by, urgency, start_id) ",
        );
        query.push_values(rows, |mut row, decided| {
            let (decision, reason) = match decided.decision {
                Decision::Send => (DeliveryState::Queued, Reason::None),
                Decision::Skip(reason) => (DeliveryState::Skipped, Reason::Skip(reason)),
            };
            row.push_bind(decided.id.0).push_bind(number).push_bind(decided.token.0);
            row.push_bind(decision.word()).push_bind(String::from(reason)).push_bind(decided.badge);
            let by = decided.by.as_ref().map(DecidedBy::stored).unwrap_or_default();
            row.push_bind(by).push_bind(decided.urgency.word()).push_bind(decided.start.map(|start| start.0));
        });
        query.build().execute(&mut *transaction).await?;
    }
    if alarm.origin != Origin::Test && !alarm.follows_start() {
        let counted = "UPDATE tokens SET badge_count = d.badge FROM deliveries d \
             WHERE d.alarm = ? AND d.decision = 'queued' AND d.token_id = tokens.id";
        sqlx::query(counted).bind(number).execute(transaction).await?;
    }
    Ok(Some(number))
}

pub(super) async fn attempted(transaction: &mut SqliteConnection, attempt: &Attempt) -> SqlResult {
    let (provider_id, latency) = match &attempt.outcome {
        Outcome::Sent { provider_id, latency, .. } => (provider_id.as_deref(), Some(millis(*latency))),
        Outcome::Shadow { latency } => (None, Some(millis(*latency))),
        Outcome::Retry(_) | Outcome::Failed(_) | Outcome::GaveUp(_) | Outcome::Skipped(_) => (None, None),
    };
    sqlx::query(
        // A push that was withdrawn meanwhile is not queued again.
        "UPDATE deliveries SET decision = ?1, reason = ?2, transport = ?3, attempts = ?4, latency_ms = ?5, \
         provider_id = ?6 WHERE id = ?7 AND (?1 <> 'queued' OR decision = 'queued')",
    )
    .bind(attempt.outcome.state().word())
    .bind(String::from(attempt.outcome.reason()))
    .bind(&*attempt.transport)
    .bind(attempt.attempts)
    .bind(latency)
    .bind(provider_id)
    .bind(attempt.delivery.0)
    .execute(&mut *transaction)
    .await?;
    match &attempt.outcome {
        Outcome::Sent { remember, .. } => succeeded(transaction, attempt, *remember).await,
        // Without a transport nothing was attempted.
        Outcome::Retry(answer) | Outcome::Failed(answer) if !attempt.transport.is_empty() => {
            failed(transaction, attempt, answer).await
        }
        Outcome::Retry(_)
        | Outcome::Failed(_)
        | Outcome::GaveUp(_)
        | Outcome::Skipped(_)
        | Outcome::Shadow { .. } => Ok(()),
    }
}

async fn succeeded(transaction: &mut SqliteConnection, attempt: &Attempt, remember: bool) -> SqlResult {
    sqlx::query(
        "UPDATE tokens SET last_notified_at = ?1, last_error = NULL, last_error_at = NULL, failures = 0, \
         transport = IIF(?2, ?3, transport) WHERE id = ?4",
    )
    .bind(attempt.at.as_millisecond())
    .bind(remember)
    .bind(&*attempt.transport)
    .bind(attempt.token.0)
    .execute(transaction)
    .await
    .map(drop)
}

async fn failed(transaction: &mut SqliteConnection, attempt: &Attempt, answer: &str) -> SqlResult {
    let at = attempt.at.as_millisecond();
    sqlx::query("INSERT INTO attempts (delivery, at, transport, answer, latency_ms) VALUES (?, ?, ?, ?, ?)")
        .bind(attempt.delivery.0)
        .bind(at)
        .bind(&*attempt.transport)
        .bind(answer)
        .bind(millis(attempt.took))
        .execute(&mut *transaction)
        .await?;
    let failed = "UPDATE tokens SET last_error = ?, last_error_at = ?, failures = failures + 1 WHERE id = ?";
    let failed = sqlx::query(failed).bind(answer).bind(at).bind(attempt.token.0);
    failed.execute(transaction).await.map(drop)
}

pub(super) async fn withdraw(
    transaction: &mut SqliteConnection,
    token: TokenId,
    reason: SkipReason,
) -> SqlResult {
    let skip = "UPDATE deliveries SET decision = ?, reason = ? WHERE token_id = ? AND decision = 'queued'";
    let skip = sqlx::query(skip).bind(DeliveryState::Skipped.word()).bind(reason.word()).bind(token.0);
    skip.execute(transaction).await.map(drop)
}

/// Deletes the deliveries of alarms before that time (ms).
pub(super) async fn forget(connection: &mut SqliteConnection, before: i64) -> SqlResult<u64> {
    let old = "SELECT number FROM pushed_alarms WHERE at < ?";
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for query in [
        format!("DELETE FROM attempts WHERE delivery IN (SELECT id FROM deliveries WHERE alarm IN ({old}))"),
        format!("DELETE FROM deliveries WHERE alarm IN ({old})"),
        "DELETE FROM pushed_alarms WHERE at < ?".to_owned(),
    ] {
        sqlx::query(AssertSqlSafe(query)).bind(before).execute(&mut *transaction).await?;
    }
    let gone: i64 = sqlx::query_scalar("SELECT changes()").fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(gone.cast_unsigned())
}

/// Returns the number of the last delivery; 0 if there was none.
pub(super) async fn last(pool: &SqlitePool) -> SqlResult<DeliveryId> {
    sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) FROM deliveries").fetch_one(pool).await.map(DeliveryId)
}

const ROW: &str = "SELECT d.id, d.token_id, a.at, a.event_id, a.monitor_id, a.monitor_name, a.cause, a.origin, \
    d.decision, d.reason, d.transport, d.attempts, d.latency_ms, d.provider_id, d.decided_by, d.urgency, a.phase, \
    a.lasted_ms, a.labels, a.waited_ms, a.label_wait FROM deliveries d JOIN pushed_alarms a ON a.number = d.alarm";

impl StateHandle {
    /// Returns the transport that told a token of a start, and the provider's id of the message; `None`: it was not sent,
    /// or has no id. If the last push failed, it is the first.
    pub async fn message_of(&self, told: ToldStart) -> StateResult<Option<(String, String)>> {
        let pool = self.settled().await;
        let query = "SELECT transport, provider_id FROM deliveries WHERE id IN (?, ?) AND decision = 'sent' \
             AND provider_id IS NOT NULL ORDER BY id DESC LIMIT 1";
        let first = told.first.unwrap_or(told.id);
        let read = sqlx::query_as(query).bind(told.id.0).bind(first.0).fetch_optional(&pool).await;
        self.answer(read)
    }

    /// Returns the newest deliveries of one token, newest first, with the attempts of each.
    pub async fn deliveries_of_token(&self, token: TokenId, limit: u32) -> StateResult<Vec<DeliveryRow>> {
        let pool = self.settled().await;
        let deliveries = select(&pool, "d.token_id = ? ORDER BY d.id DESC", token.0, limit).await;
        let mut deliveries = self.answer(deliveries)?;
        for delivery in &mut deliveries {
            let mut failures = self.answer(failures_between(&pool, delivery.id, delivery.id).await)?;
            delivery.failures = failures.remove(&delivery.id).unwrap_or_default();
        }
        Ok(deliveries)
    }

    /// Returns the decisions about one event for every token, oldest first, at most `limit`.
    pub async fn deliveries_of_event(&self, event: EventId, limit: u32) -> StateResult<Vec<DeliveryRow>> {
        let pool = self.settled().await;
        self.answer(select(&pool, "a.event_id = ? ORDER BY d.id", signed(event), limit).await)
    }

    /// Returns the decisions after `since` for every token, oldest first, with the attempts of each, at most `limit`
    /// (the newest win); and whether there were more.
    pub async fn deliveries_since(&self, since: Since, limit: u32) -> StateResult<(Vec<DeliveryRow>, bool)> {
        // Test alarms have event ids far above those of ZoneMinder.
        let (condition, value) = match since {
            Since::Time(at) => ("a.at > ?", at.as_millisecond()),
            Since::Event(event) => (
                "a.number > (SELECT COALESCE(MAX(number), 0) FROM pushed_alarms WHERE event_id <= ? AND origin <> 'test')",
                signed(event),
            ),
        };
        let (pool, condition) = (self.settled().await, format!("{condition} ORDER BY d.id DESC"));
        let mut deliveries = self.answer(select(&pool, &condition, value, limit.saturating_add(1)).await)?;
        let more = deliveries.len() > limit as usize;
        deliveries.truncate(limit as usize);
        deliveries.reverse();
        if let (Some(first), Some(last)) = (deliveries.first(), deliveries.last()) {
            let mut attempts = self.answer(failures_between(&pool, first.id, last.id).await)?;
            for delivery in &mut deliveries {
                delivery.failures = attempts.remove(&delivery.id).unwrap_or_default();
            }
        }
        Ok((deliveries, more))
    }

    /// Returns the deliveries still to be sent, oldest first, at most `limit`.
    pub async fn deliveries_queued(&self, limit: u32) -> StateResult<Vec<DeliveryRow>> {
        let pool = self.settled().await;
        self.answer(select(&pool, "d.decision = ? ORDER BY d.id", DeliveryState::Queued.word(), limit).await)
    }

    /// Returns the deliveries still to be sent after that one, oldest first: for the dispatcher, after a restart or
    /// when its memory was full.
    pub async fn pushes_after(&self, after: DeliveryId, limit: u32) -> StateResult<PushPage> {
        let query = format!(
            "SELECT {}, d.id, d.badge, d.attempts, a.at, a.event_id, a.monitor_id, a.monitor_name, a.cause, a.origin, \
             d.urgency, a.phase, a.lasted_ms, d.start_id, s.decision, s.reason, a.labels, a.waited_ms, a.label_wait, \
             a.ledger, a.ledger_turn, a.ledger_node, a.ledger_seq FROM deliveries d JOIN pushed_alarms a ON a.number = d.alarm JOIN tokens t ON t.id = d.token_id \
             LEFT JOIN deliveries s ON s.id = d.start_id \
             WHERE d.decision = 'queued' AND d.id > ? ORDER BY d.id LIMIT ?",
            tokens::COLUMNS
        );
        let query = sqlx::query(AssertSqlSafe(query)).bind(after.0).bind(limit);
        let rows = self.answer(query.fetch_all(&self.reader()).await)?;
        // An unreadable row must not stop all pushes.
        let pushes: Vec<_> = understood("deliveries", &rows, push);
        let pushes = pushes.into_iter().flatten().collect();
        let last = rows.last().map(|row| row.try_get(tokens::WIDTH).map(DeliveryId)).transpose();
        Ok(PushPage { pushes, last: self.answer(last)?, full: rows.len() == limit as usize })
    }
}

/// Returns the deliveries that match a condition with one value, without their attempts.
async fn select<'q>(
    pool: &SqlitePool,
    condition: &str,
    value: impl Encode<'q, Sqlite> + Type<Sqlite> + 'q,
    limit: u32,
) -> SqlResult<Vec<DeliveryRow>> {
    let query = format!("{ROW} WHERE {condition} LIMIT ?");
    let query = sqlx::query(AssertSqlSafe(query)).bind(value).bind(limit);
    query.fetch_all(pool).await?.iter().map(delivery).collect()
}

/// Returns the failed attempts of these deliveries, oldest first.
async fn failures_between(
    pool: &SqlitePool,
    first: DeliveryId,
    last: DeliveryId,
) -> SqlResult<HashMap<DeliveryId, Vec<FailedAttempt>>> {
    let query = "SELECT at, transport, answer, latency_ms, delivery FROM attempts \
         WHERE delivery BETWEEN ? AND ? ORDER BY rowid";
    let rows = sqlx::query(query).bind(first.0).bind(last.0).fetch_all(pool).await?;
    let mut failures = HashMap::<_, Vec<_>>::new();
    for row in &rows {
        let attempt = FailedAttempt {
            at: time(row, 0)?,
            transport: row.try_get(1)?,
            answer: row.try_get(2)?,
            took: duration(row.try_get(3)?),
        };
        failures.entry(DeliveryId(row.try_get(4)?)).or_default().push(attempt);
    }
    Ok(failures)
}

fn push(row: &SqliteRow) -> SqlResult<Option<QueuedPush>> {
    const D: usize = tokens::WIDTH;
    let Some(token) = tokens::token(row, 0)? else { return Ok(None) };
    let alarm = Alarm {
        monitor: MonitorId(row.try_get(D + 5)?),
        monitor_name: row.try_get::<&str, _>(D + 6)?.into(),
        event: event(row, D + 4)?,
        cause: row.try_get::<&str, _>(D + 7)?.into(),
        labels: labels::of_alarm(row)?,
        at: time(row, D + 3)?,
        detected: tokio::time::Instant::now(),
        origin: Origin::parse(row.try_get(D + 8)?),
        phase: Phase::parse(row.try_get(D + 10)?),
        span: row
            .try_get::<Option<i64>, _>(D + 11)?
            .map(|lasted| time(row, D + 3).map(|at| span(at, lasted)))
            .transpose()?,
        elsewhere: None,
        stands_for_event: false,
    };
    Ok(Some(QueuedPush {
        id: DeliveryId(row.try_get(D)?),
        token: Arc::new(token),
        alarm: Arc::new(alarm),
        badge: row.try_get(D + 1)?,
        urgency: Urgency::parse(row.try_get(D + 9)?),
        attempts: row.try_get(D + 2)?,
        start: start(row, D + 12)?,
        ledger: cluster::mark(row, D + 18)?,
    }))
}

fn span(ended_at: Timestamp, lasted: i64) -> AlarmSpan {
    let lasted = duration(lasted);
    let began = ended_at.checked_sub(lasted).unwrap_or(ended_at);
    AlarmSpan { began, lasted: Some(lasted) }
}

/// Reads three columns: the delivery of the start, what was decided, and why. One that is not there any more counts as
/// not sent.
fn start(row: &SqliteRow, column: usize) -> SqlResult<Option<StartOnDisk>> {
    let Some(id) = row.try_get::<Option<i64>, _>(column)?.map(DeliveryId) else { return Ok(None) };
    let decision = row.try_get::<Option<&str>, _>(column + 1)?.map(DeliveryState::parse);
    let reason = Reason::parse(row.try_get::<Option<&str>, _>(column + 2)?.unwrap_or_default());
    let state = match (decision, reason) {
        (Some(DeliveryState::Queued), _) | (Some(DeliveryState::Sent), Reason::None) => StartState::Sent,
        (Some(DeliveryState::Skipped), Reason::Skip(SkipReason::Shadow)) => StartState::Shadow,
        (_, _) => StartState::NotSent,
    };
    Ok(Some(StartOnDisk { id, state }))
}

fn delivery(row: &SqliteRow) -> SqlResult<DeliveryRow> {
    let phase = Phase::parse(row.try_get(16)?);
    Ok(DeliveryRow {
        id: DeliveryId(row.try_get(0)?),
        token: TokenId(row.try_get(1)?),
        at: time(row, 2)?,
        event: event(row, 3)?,
        monitor: MonitorId(row.try_get(4)?),
        monitor_name: row.try_get(5)?,
        cause: row.try_get(6)?,
        origin: Origin::parse(row.try_get(7)?),
        decision: DeliveryState::parse(row.try_get(8)?),
        reason: Reason::parse(row.try_get(9)?),
        transport: row.try_get(10)?,
        attempts: row.try_get(11)?,
        latency: row.try_get::<Option<i64>, _>(12)?.map(duration),
        provider_id: row.try_get(13)?,
        by: DecidedBy::parse(row.try_get(14)?),
        urgency: Urgency::parse(row.try_get(15)?),
        phase,
        // Of an update it is the time since the start.
        lasted: row.try_get::<Option<i64>, _>(17)?.filter(|_| phase == Phase::End).map(duration),
        labels: labels::of_alarm(row)?,
        failures: Vec::new(),
    })
}

fn duration(millis: i64) -> Duration {
    Duration::from_millis(millis.max(0).cast_unsigned())
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
