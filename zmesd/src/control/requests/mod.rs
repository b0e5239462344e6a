//! One file per subject of requests; this one finds the right file and turns its answer into JSON.

mod alarms;
mod check;
mod clients;
mod config;
mod lines;
mod log;
mod monitors;
mod reload;
mod status;
mod token_names;
pub(super) mod watch;

use serde::Serialize;
use serde_json::Value;
use zmes_shared::MonitorId;
use zmes_shared::control::{ControlError, ErrorCode, Request};

use super::Context;
use crate::domain::MonitorSet;
use crate::route::Busy;

/// What a request hears that comes too late, and how streams end.
pub(super) const STOPPING: &str = "the daemon is stopping";
/// Monitors that an error lists at most.
const LISTED: usize = 20;

/// Does what is asked and returns the view that answers it. The caller has checked that the peer may ask.
pub(super) async fn answer(context: &Context, request: Request) -> Result<Value, ControlError> {
    let parts = &context.parts;
    match request {
        Request::Status => json(&status::show(parts).await?),
        Request::ClientsList(filter) => json(&clients::list(parts, filter).await?),
        Request::ClientsDisconnect { client } => json(&clients::disconnect(parts, client).await?),
        Request::MonitorsList => json(&monitors::list(parts)),
        Request::MonitorsReload => json(&monitors::reload(parts).await?),
        Request::AlarmTest(test) => json(&alarms::test(parts, test).await?),
        Request::AlarmForce { monitor, for_ms } => json(&alarms::force(context, monitor, for_ms).await?),
        Request::AlarmCancel { monitor } => json(&alarms::cancel(context, monitor).await?),
        Request::Check { check, within_ms } => json(&check::run(parts, check, within_ms).await?),
        Request::LogLevel { level, for_ms } => json(&log::level(context, &level, for_ms)?),
        Request::Reload => json(&reload::reload(parts).await?),
        Request::ConfigShow => json(&config::show(parts)),
        // A stream is the session's own business; whoever asks here has no stream to write to.
        Request::Watch(_) | Request::Unknown => Err(unsupported()),
    }
}

fn json<T: Serialize>(view: &T) -> Result<Value, ControlError> {
    serde_json::to_value(view).map_err(|error| ControlError::new(ErrorCode::Internal, error.to_string()))
}

fn unsupported() -> ControlError {
    let message = format!("zmesd {} does not know this request", env!("CARGO_PKG_VERSION"));
    ControlError::new(ErrorCode::Unsupported, message)
        .with_hint("update zmesd, or use the zmesctl that came with it")
}

fn busy(error: Busy) -> ControlError {
    ControlError::new(ErrorCode::Busy, error.to_string())
        .with_hint("try again; zmesctl check ping tells whether it moves")
}

fn no_token(token: &str) -> ControlError {
    ControlError::new(ErrorCode::NotFound, format!("no such token: {token}"))
        .with_hint("no app has registered a token for pushes")
}

/// Says that a monitor is not known, and which are.
fn no_monitor(monitor: MonitorId, monitors: &MonitorSet) -> ControlError {
    let known: Vec<_> = monitors.iter().map(|monitor| monitor.id.to_string()).collect();
    let error = ControlError::new(ErrorCode::NotFound, format!("no monitor {monitor} on this server"));
    match known.len() {
        0 => error.with_hint("no monitor is known yet: zmesctl check db"),
        1..=LISTED => error.with_hint(format!("there are: {}", known.join(", "))),
        more => {
            let some = known.get(..LISTED).unwrap_or_default().join(", ");
            error.with_hint(format!("there are {more}, among them: {some}; zmesctl monitors list shows all"))
        }
    }
}
