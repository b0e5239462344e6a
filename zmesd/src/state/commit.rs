//! What each note writes.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Connection, Sqlite, SqliteConnection};
use zmes_shared::MonitorId;
use zmes_shared::words::SkipReason;

use super::handle::{Device, DeviceNote};
use super::note::{Note, TokenDecision};
use super::{
    SqlResult, cluster, deliveries, ends, keys, labels, mqtt, rule_hits, signed, snoozes, tokens, troubles,
};
use crate::domain::{Alarm, Origin};

/// Writes a group in one transaction.
pub(super) async fn group(connection: &mut SqliteConnection, group: &[Note]) -> SqlResult {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for note in group {
        write(&mut transaction, note).await?;
    }
    transaction.commit().await
}

async fn write(transaction: &mut SqliteConnection, note: &Note) -> SqlResult {
    match note {
        Note::Announced(alarm, decisions) => {
            if alarm.origin != Origin::Test {
                record(transaction, alarm).await?;
            }
            deliveries::decide(transaction, alarm, decisions).await?;
        }
        Note::Ended(note) => {
            ends::end(transaction, &note.end).await?;
            decide_all(transaction, &note.pushes).await?;
        }
        Note::GivenUp(monitor) => ends::give_up(transaction, *monitor).await?,
        Note::Held(alarm, until) => {
            record(transaction, alarm).await?;
            labels::hold(transaction, alarm, *until).await?;
        }
        Note::Released(alarm, messages) => {
            labels::release(transaction, alarm).await?;
            decide_all(transaction, messages).await?;
        }
        Note::Updated(messages) => decide_all(transaction, messages).await?,
        Note::Labels(seen, at) => {
            for (event, found) in seen {
                labels::keep(transaction, *event, found, *at).await?;
            }
        }
        Note::Snooze(snooze) => snoozes::keep(transaction, snooze).await?,
        Note::SnoozeEnded(id, at, digests) => {
            snoozes::end(transaction, *id, *at).await?;
            decide_all(transaction, digests).await?;
        }
        Note::Trouble(note) => {
            troubles::keep(transaction, note).await?;
            if let Some((alarm, decisions)) = &note.push {
                deliveries::decide(transaction, alarm, decisions).await?;
            }
        }
        Note::RuleHits(rules, at) => rule_hits::count(transaction, rules, *at).await?,
        Note::LinkKeys(links, at) => keys::keep_link_keys(transaction, links, *at).await?,
        Note::Token(token) => tokens::keep(transaction, token).await?,
        Note::Tokens(many) => {
            for token in many {
                tokens::keep(transaction, token).await?;
                if token.revoked.is_some() {
                    deliveries::withdraw(transaction, token.id, SkipReason::Revoked).await?;
                }
            }
        }
        Note::TokenSent(told, monitor, at) => tokens::keep_sent(transaction, told, *monitor, *at).await?,
        Note::TokenUntold(untold) => tokens::forget_sent(transaction, untold).await?,
        Note::Attempts(attempts) => {
            for attempt in attempts {
                deliveries::attempted(transaction, attempt).await?;
            }
        }
        Note::Withdrawn(token, reason) => deliveries::withdraw(transaction, *token, *reason).await?,
        Note::Mqtt(note) => mqtt::keep(transaction, note).await?,
        Note::Cluster(note) => cluster::keep(transaction, note).await?,
        Note::Decided(mark, messages) => cluster::decide(transaction, *mark, messages).await?,
        Note::Barrier(_) => {}
        Note::Devices(devices) => {
            for device in devices {
                remember(transaction, device).await?;
            }
        }
        Note::Sent(devices, monitor, at) => sent(transaction, devices, *monitor, *at).await?,
    }
    Ok(())
}

async fn decide_all(
    transaction: &mut SqliteConnection,
    messages: &[(Arc<Alarm>, Arc<[TokenDecision]>)],
) -> SqlResult {
    for (alarm, decisions) in messages {
        deliveries::decide(transaction, alarm, decisions).await?;
    }
    Ok(())
}

async fn sent(
    transaction: &mut SqliteConnection,
    devices: &BTreeSet<Device>,
    monitor: MonitorId,
    at: Timestamp,
) -> SqlResult {
    let sent = "REPLACE INTO device_sent (user_name, kind, app, monitor_id, at) VALUES (?, ?, ?, ?, ?)";
    for device in devices {
        let sent = of_device(sent, device).bind(monitor.0).bind(at.as_millisecond());
        sent.execute(&mut *transaction).await?;
    }
    Ok(())
}

/// Writes the alarm and moves its monitor's cursor.
///
/// A late alarm never moves the cursor back; one that was polled sets it even to a lower id, because then
/// ZoneMinder's database was restored from a backup and counts again from there.
async fn record(transaction: &mut SqliteConnection, alarm: &Alarm) -> SqlResult {
    let event = alarm.event.map(signed);
    sqlx::query(
        "INSERT INTO alarms (at, event_id, monitor_id, monitor_name, cause, late, node, open) VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
    )
    .bind(alarm.at.as_millisecond())
    .bind(event)
    .bind(alarm.monitor.0)
    .bind(&*alarm.monitor_name)
    .bind(&*alarm.cause)
    .bind(alarm.late())
    .bind(alarm.elsewhere.as_ref().map(|elsewhere| &*elsewhere.name))
    .execute(&mut *transaction)
    .await?;
    if let Some(elsewhere) = &alarm.elsewhere {
        // Its own node has the cursor of its monitor.
        return cluster::read_up_to(transaction, elsewhere).await;
    }
    let Some(event) = event else { return Ok(()) };
    sqlx::query(
        "INSERT INTO cursors (monitor_id, event_id, at) VALUES (?1, ?2, ?3) ON CONFLICT (monitor_id) \
         DO UPDATE SET event_id = ?2, at = ?3 WHERE ?4 OR ?2 > event_id",
    )
    .bind(alarm.monitor.0)
    .bind(event)
    .bind(alarm.at.as_millisecond())
    .bind(alarm.origin == Origin::Poll)
    .execute(transaction)
    .await
    .map(drop)
}

async fn remember(transaction: &mut SqliteConnection, note: &DeviceNote) -> SqlResult {
    let DeviceNote { device, last, forget_intervals } = note;
    if let Some(last) = last {
        let (monlist, intlist) = last.filter.lists();
        let keep = "REPLACE INTO device_filters (user_name, kind, app, monlist, intlist, broken_at) \
                    VALUES (?, ?, ?, ?, ?, ?)";
        let keep = of_device(keep, device).bind(monlist).bind(intlist);
        keep.bind(last.broken_at.map(Timestamp::as_millisecond)).execute(&mut *transaction).await?;
    } else {
        let forget = "DELETE FROM device_filters WHERE user_name = ? AND kind = ? AND app = ?";
        of_device(forget, device).execute(&mut *transaction).await?;
    }
    if *forget_intervals {
        let forget = "DELETE FROM device_sent WHERE user_name = ? AND kind = ? AND app = ?";
        of_device(forget, device).execute(transaction).await?;
    }
    Ok(())
}

/// Binds the three columns of a device, which come first in each statement about it.
fn of_device<'q>(statement: &'static str, device: &'q Device) -> Query<'q, Sqlite, SqliteArguments> {
    sqlx::query(statement).bind(&device.user).bind(device.kind.as_str()).bind(&device.app)
}
