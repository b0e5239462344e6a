//! `status`

use zmes_shared::control::ControlError;
use zmes_shared::views::{DatabaseState, EventCounts, Sentence, Status};
use zmes_zoneminder::DbHealth;

use super::doctor::{Board, glance};
use super::troubles::{self, TroubleBoard};
use super::{monitors, mqtt};
use crate::admin::AdminParts;
use crate::state;

async fn damage(parts: &AdminParts) -> Option<Sentence> {
    let (directory, now) = (parts.configuration.running().state.directory.clone(), parts.clock.now());
    let found = tokio::task::spawn_blocking(move || state::set_aside_lately(&directory, now));
    Some(found.await.ok()?.first()?.sentence())
}

pub(super) async fn show(
    parts: &AdminParts,
    board: &Board,
    troubles: &TroubleBoard,
) -> Result<Status, ControlError> {
    let clients = parts.router.count().await?;
    let tokens = parts.router.token_counts().await?;
    let snoozes = parts.router.snoozes().await?.len() as u64;
    let (state_damage, state_damage_parts) = damage(parts).await.map(Sentence::into_parts).unzip();
    glance(parts, board).await;
    let (database, database_error) = match &*parts.database.borrow() {
        DbHealth::Up => (DatabaseState::Ok, None),
        DbHealth::Down(reason) => (DatabaseState::Down, Some(reason.to_string())),
        DbHealth::Untried => (DatabaseState::Down, Some("not asked yet".to_owned())),
    };
    let uptime_ms = u64::try_from(parts.started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        started_at: parts.started_at,
        uptime_ms,
        monitors: monitors::counts(parts),
        clients,
        tokens,
        push: parts.push.counts(),
        mqtt: parts.mqtt.health().map(mqtt::view),
        events: EventCounts {
            seen: parts.counters.alarms.value(),
            reconciled: parts.counters.reconciled.value(),
        },
        database,
        database_error,
        zoneminder: parts.catalog.now().version.map(|version| version.to_string()),
        listening: parts.listening.borrow().clone(),
        handed_over: parts.handed.clone(),
        stopping: parts.draining.is_cancelled(),
        state_error: parts.state_trouble.borrow().clone(),
        worst: board.worst(),
        troubles: Some(troubles::summary(troubles)),
        findings: Some(board.counts()),
        snoozes: Some(snoozes),
        state_damage,
        state_damage_parts: state_damage_parts.unwrap_or_default(),
    })
}
