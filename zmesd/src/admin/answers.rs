//! Finds the file that answers a request, and turns the answer into JSON.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use zmes_shared::MonitorId;
use zmes_shared::control::{ControlError, ErrorCode, Request};
use zmes_shared::views::{ConfigReloaded, Latency};
use zmes_zoneminder::MonitorSet;

use super::tokens::change::{self, BulkChange};
use super::{
    Admin, AdminParts, Asker, STOPPING, alarms, check, clients, cluster, doctor, events, log, monitors, mqtt,
    pictures, push, rules, snoozes, status, tokens, troubles, why,
};
use crate::domain::Revoked;
use crate::monitors::Catalog;
use crate::route::Busy;
use crate::state::StateError;

/// Monitors that an error lists at most.
const LISTED: usize = 20;

#[expect(clippy::too_many_lines, reason = "one arm for each request")]
pub(super) async fn answer(admin: &Admin, who: &Asker, request: Request) -> Result<Value, ControlError> {
    let (parts, asker) = (&admin.parts, who.role);
    let bulk = async |change, tokens, dry_run| {
        json(change::bulk(parts, asker, change, tokens, dry_run).await?).await
    };
    match request {
        Request::Status => json(status::show(parts, &admin.board, &admin.troubles).await?).await,
        Request::ClientsList(filter) => json(clients::list(parts, filter).await?).await,
        Request::ClientsRejected { since_ms } => {
            json(clients::rejected(parts, since_ms.map(Duration::from_millis))).await
        }
        Request::ClientsDisconnect { client } => json(clients::disconnect(parts, client).await?).await,
        Request::MonitorsList => json(monitors::list(parts).await).await,
        Request::MonitorsReload => json(monitors::reload(parts).await?).await,
        Request::AlarmTest(test) => json(alarms::test(parts, asker, test).await?).await,
        Request::AlarmForce { monitor, for_ms } => json(alarms::force(admin, monitor, for_ms).await?).await,
        Request::AlarmCancel { monitor } => json(alarms::cancel(admin, monitor).await?).await,
        Request::Check { check, within_ms } => {
            json(check::run(parts, &admin.board, &admin.troubles, check, within_ms).await?).await
        }
        Request::Troubles { history } => json(troubles::list(parts, &admin.troubles, history).await?).await,
        Request::LogLevel { level, for_ms } => json(log::level(admin, &level, for_ms)?).await,
        Request::Reload => json(reload(parts).await?).await,
        Request::ConfigShow => json(parts.configuration.show()).await,
        Request::PushCheck { transport } => json(push::check(parts, transport).await?).await,
        Request::PushQueue => json(push::queue(parts).await?).await,
        Request::PushRetry { transport } => json(push::retry(parts, transport).await?).await,
        Request::PicturesTest { event } => json(pictures::test(parts, event).await).await,
        Request::PicturesRead { event, at, wait_ms } => {
            json(pictures::read(parts, event, at, Duration::from_millis(wait_ms)).await?).await
        }
        Request::PicturesRotate => json(pictures::rotate(parts).await?).await,
        Request::MqttStatus => json(mqtt::status(parts)?).await,
        Request::MqttCheck => json(mqtt::check(parts, asker).await?).await,
        Request::MqttClear => json(mqtt::clear(parts).await?).await,
        Request::ClusterStatus => json(cluster::status(parts)?).await,
        Request::ClusterHandover { node } => json(cluster::handover(parts, node).await?).await,
        Request::ClusterLeave { node } => json(cluster::leave(parts, node).await?).await,
        Request::Events(filter) => json(events::list(parts, filter).await?).await,
        Request::EventsHourly => json(events::hourly(parts).await?).await,
        Request::Why { event, token } => {
            json(why::explain(parts, asker, event, token.as_deref()).await?).await
        }
        Request::Doctor { target, monitor } => {
            json(doctor::examine(parts, &admin.board, asker, target.as_deref(), monitor).await?).await
        }
        Request::RulesList => json(rules::list(parts).await?).await,
        Request::RulesTest(test) => json(rules::test(parts, asker, test).await?).await,
        Request::Latency => json(Latency { stages: parts.push.latencies() }).await,
        Request::TokensList(filter) => json(tokens::list(parts, asker, filter).await?).await,
        Request::TokensShow { token, reveal } => {
            json(tokens::show(parts, asker, &token, reveal).await?).await
        }
        Request::TokensLog { token, limit } => json(tokens::log(parts, asker, &token, limit).await?).await,
        Request::TokensRevoke { tokens, dry_run } => {
            bulk(BulkChange::Revoke(Revoked::ADMIN), tokens, dry_run).await
        }
        Request::TokensBlock { tokens, dry_run } => bulk(BulkChange::Block, tokens, dry_run).await,
        Request::TokensUnblock { tokens, dry_run } => bulk(BulkChange::Unblock, tokens, dry_run).await,
        Request::TokensRestore { token } => json(change::restore(parts, asker, &token).await?).await,
        Request::TokensMute { tokens, dry_run, for_ms } => {
            json(change::mute(parts, asker, tokens, for_ms, dry_run).await?).await
        }
        Request::TokensUnmute { tokens, dry_run } => bulk(BulkChange::Mute(None), tokens, dry_run).await,
        Request::TokensPrune { stale_ms, select, dry_run } => {
            json(change::prune(parts, asker, stale_ms, select, dry_run).await?).await
        }
        Request::TokensImport(import) => json(tokens::transfer::import(parts, import).await?).await,
        Request::TokensExport { after } => json(tokens::transfer::export(parts, after).await?).await,
        Request::BadgesReset { tokens, to, dry_run } => bulk(BulkChange::Badge(to), tokens, dry_run).await,
        Request::SnoozeSet(snooze) => json(snoozes::set(parts, who, snooze).await?).await,
        Request::SnoozeList => json(snoozes::list(parts).await?).await,
        Request::SnoozeEnd(which) => json(snoozes::end(parts, who, which).await?).await,
        // Streams are opened by `Admin::watch`.
        Request::Watch(_) | Request::Unknown => Err(unsupported()),
    }
}

async fn reload(parts: &AdminParts) -> Result<ConfigReloaded, ControlError> {
    // A shutdown must not start new work meanwhile.
    if parts.draining.is_cancelled() {
        return Err(ControlError::new(ErrorCode::Conflict, STOPPING));
    }
    parts.configuration.reload().await
}

/// Runs work on its own thread: work that grows with the number of tokens or clients must not delay alarms.
pub(crate) async fn off_loop<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ControlError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ControlError::new(ErrorCode::Internal, error.to_string()))
}

async fn json<T: Serialize + Send + 'static>(view: T) -> Result<Value, ControlError> {
    let value = off_loop(move || serde_json::to_value(view)).await?;
    value.map_err(|error| ControlError::new(ErrorCode::Internal, error.to_string()))
}

pub(super) fn unsupported() -> ControlError {
    ControlError::unsupported(env!("CARGO_PKG_VERSION"))
}

impl From<Busy> for ControlError {
    fn from(error: Busy) -> Self {
        Self::new(ErrorCode::Busy, error.to_string())
            .with_hint("try again; zmesctl check ping shows whether the router responds")
    }
}

impl From<StateError> for ControlError {
    fn from(error: StateError) -> Self {
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        Self::new(ErrorCode::Unavailable, format!("cannot read the {error}: {cause}"))
            .with_hint("see zmesctl check store")
    }
}

/// This server has no such monitor.
pub(super) fn no_monitor(monitor: MonitorId, monitors: &MonitorSet) -> ControlError {
    let message = format!("no monitor {monitor} on this server");
    not_among(message, monitors.iter().map(|monitor| monitor.id))
}

/// Neither this server nor another node has such a monitor.
pub(super) fn unknown_monitor(monitor: MonitorId, catalog: &Catalog) -> ControlError {
    if catalog.others.is_empty() {
        return no_monitor(monitor, &catalog.monitors);
    }
    not_among(format!("ZoneMinder has no monitor {monitor}"), catalog.names().map(|(id, _)| id))
}

fn not_among(message: String, known: impl Iterator<Item = MonitorId>) -> ControlError {
    let known: Vec<_> = known.map(|id| id.to_string()).collect();
    let error = ControlError::new(ErrorCode::NotFound, message);
    match known.len() {
        0 => error.with_hint("no monitor is known yet: zmesctl check db"),
        1..=LISTED => error.with_hint(format!("there are: {}", known.join(", "))),
        more => {
            let some = known.get(..LISTED).unwrap_or_default().join(", ");
            error.with_hint(format!("there are {more}, among them: {some}; zmesctl monitors list shows all"))
        }
    }
}
