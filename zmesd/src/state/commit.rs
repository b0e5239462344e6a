//! What each note writes.

use jiff::Timestamp;
use sqlx::{Connection, Sqlite, SqliteConnection, Transaction};
use zmes_shared::MonitorId;
use zmes_shared::words::SkipReason;

use super::handle::{Device, DeviceNote};
use super::note::Note;
use super::{deliveries, signed, tokens};
use crate::domain::{Alarm, Origin};

/// Writes a group in one transaction.
pub(super) async fn group(connection: &mut SqliteConnection, group: &[Note]) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for note in group {
        match note {
            Note::Announced(alarm, decisions) => {
                record(&mut transaction, alarm).await?;
                deliveries::decide(&mut transaction, alarm, decisions).await?;
            }
            Note::Tested(alarm, decisions) => {
                deliveries::decide(&mut transaction, alarm, decisions).await?;
            }
            Note::Token(token) => tokens::keep(&mut transaction, token).await?,
            Note::Tokens(many) => {
                for token in many {
                    tokens::keep(&mut transaction, token).await?;
                    if token.revoked.is_some() {
                        deliveries::withdraw(&mut transaction, token.id, SkipReason::Revoked).await?;
                    }
                }
            }
            Note::TokenSent(told, monitor, at) => {
                tokens::keep_sent(&mut transaction, told, *monitor, *at).await?;
            }
            Note::TokenUntold(untold) => tokens::forget_sent(&mut transaction, untold).await?,
            Note::Attempts(attempts) => {
                for attempt in attempts {
                    deliveries::attempted(&mut transaction, attempt).await?;
                }
            }
            Note::Withdrawn(token, reason) => {
                deliveries::withdraw(&mut transaction, *token, *reason).await?;
            }
            Note::Barrier(_) => {}
            Note::Devices(devices) => {
                for device in devices {
                    remember(&mut transaction, device).await?;
                }
            }
            Note::Sent(devices, monitor, at) => {
                for device in devices {
                    keep_sent(&mut transaction, device, *monitor, *at).await?;
                }
            }
        }
    }
    transaction.commit().await
}

/// Writes the alarm and moves its monitor's cursor.
///
/// A late alarm never moves the cursor back; one that was polled sets it even to a lower id, because then
/// ZoneMinder's database was restored from a backup and counts again from there.
async fn record(transaction: &mut Transaction<'_, Sqlite>, alarm: &Alarm) -> Result<(), sqlx::Error> {
    let event = alarm.event.map(signed);
    sqlx::query(
        "INSERT INTO alarms (at, event_id, monitor_id, monitor_name, cause, late) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(alarm.at.as_millisecond())
    .bind(event)
    .bind(alarm.monitor.0)
    .bind(&*alarm.monitor_name)
    .bind(&*alarm.cause)
    .bind(alarm.late())
    .execute(&mut **transaction)
    .await?;
    let Some(event) = event else { return Ok(()) };
    sqlx::query(
        "INSERT INTO cursors (monitor_id, event_id, at) VALUES (?1, ?2, ?3) ON CONFLICT (monitor_id) \
         DO UPDATE SET event_id = ?2, at = ?3 WHERE ?4 OR ?2 > event_id",
    )
    .bind(alarm.monitor.0)
    .bind(event)
    .bind(alarm.at.as_millisecond())
    .bind(alarm.origin == Origin::Poll)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn remember(transaction: &mut Transaction<'_, Sqlite>, note: &DeviceNote) -> Result<(), sqlx::Error> {
    let DeviceNote { device, last, forget_intervals } = note;
    if let Some(last) = last {
        let (monlist, intlist) = last.filter.lists();
        sqlx::query(
            "REPLACE INTO device_filters (user_name, kind, app, monlist, intlist, broken_at) \
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(&device.user)
        .bind(device.kind.as_str())
        .bind(&device.app)
        .bind(monlist)
        .bind(intlist)
        .bind(last.broken_at.map(Timestamp::as_millisecond))
        .execute(&mut **transaction)
        .await?;
    } else {
        forget(
            transaction,
            "DELETE FROM device_filters WHERE user_name = ? AND kind = ? AND app = ?",
            device,
        )
        .await?;
    }
    if *forget_intervals {
        forget(transaction, "DELETE FROM device_sent WHERE user_name = ? AND kind = ? AND app = ?", device)
            .await?;
    }
    Ok(())
}

async fn forget(
    transaction: &mut Transaction<'_, Sqlite>,
    delete: &'static str,
    device: &Device,
) -> Result<(), sqlx::Error> {
    sqlx::query(delete)
        .bind(&device.user)
        .bind(device.kind.as_str())
        .bind(&device.app)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn keep_sent(
    transaction: &mut Transaction<'_, Sqlite>,
    device: &Device,
    monitor: MonitorId,
    at: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query("REPLACE INTO device_sent (user_name, kind, app, monitor_id, at) VALUES (?, ?, ?, ?, ?)")
        .bind(&device.user)
        .bind(device.kind.as_str())
        .bind(&device.app)
        .bind(monitor.0)
        .bind(at.as_millisecond())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
