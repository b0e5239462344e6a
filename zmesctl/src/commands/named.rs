//! Finds monitors by their names: ids are for programs.

use zmes_shared::MonitorId;
use zmes_shared::control::Request;
use zmes_shared::views::{MonitorView, Monitors};

use crate::context::Context;
use crate::error::CliError;
use crate::render::clean;
use crate::values::MonitorArg;

/// Minimum similarity for a name to be suggested (1: equal).
const ALIKE: f64 = 0.75;
/// Maximum number of names that an error suggests.
const PROPOSED: usize = 3;

/// Returns the id of the named monitor, if one was given.
pub(super) async fn monitor(
    named: Option<MonitorArg>,
    context: &Context,
) -> Result<Option<MonitorId>, CliError> {
    match named {
        Some(named) => one(named, context).await.map(Some),
        None => Ok(None),
    }
}

pub(super) async fn one(named: MonitorArg, context: &Context) -> Result<MonitorId, CliError> {
    match named {
        MonitorArg::Id(id) => Ok(id),
        MonitorArg::Name(name) => {
            let all: Monitors = context.connect().await?.request(Request::MonitorsList).await?;
            find(&name, &all.monitors)
        }
    }
}

/// Finds the one monitor with this name. Upper and lower case are equal if the result is unambiguous.
fn find(name: &str, monitors: &[MonitorView]) -> Result<MonitorId, CliError> {
    let lower = name.to_lowercase();
    let exact: Vec<_> = monitors.iter().filter(|monitor| monitor.name == name).collect();
    let alike = || monitors.iter().filter(|monitor| monitor.name.to_lowercase() == lower).collect();
    let found: Vec<_> = if exact.is_empty() { alike() } else { exact };
    match found.as_slice() {
        [one] => Ok(one.id),
        [] => Err(unknown(name, hint(&lower, monitors))),
        several => {
            let ids: Vec<_> = several.iter().map(|monitor| monitor.id.to_string()).collect();
            Err(unknown(
                name,
                format!("several monitors have this name: use the id, one of {}", ids.join(", ")),
            ))
        }
    }
}

fn unknown(name: &str, hint: String) -> CliError {
    CliError::NoSuchMonitor { name: clean(name).into_owned(), hint }
}

fn hint(lower: &str, monitors: &[MonitorView]) -> String {
    let mut close: Vec<_> = monitors
        .iter()
        .map(|monitor| (strsim::jaro_winkler(lower, &monitor.name.to_lowercase()), monitor))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    close.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    let names =
        close.iter().take(PROPOSED).map(|(_, monitor)| format!("{} ({})", clean(&monitor.name), monitor.id));
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        return "zmesctl monitors list shows the names".to_owned();
    }
    format!("did you mean {}?", names.join(" or "))
}

#[cfg(test)]
mod tests {
    use zmes_shared::MonitorState;
    use zmes_shared::words::StateSource;

    use super::*;

    fn monitors() -> Vec<MonitorView> {
        let monitor = |id, name: &str| MonitorView {
            id: MonitorId(id),
            name: name.to_owned(),
            source: StateSource::SharedMemory,
            state: MonitorState::Idle,
            last_event_id: None,
            layout: None,
            healthy: true,
            reason: None,
            trouble: None,
            hint: None,
            snoozed_until: None,
            server: None,
        };
        vec![
            monitor(1, "Garage"),
            monitor(2, "Garden"),
            monitor(3, "Gate"),
            monitor(4, "gate"),
            monitor(5, "Yard"),
            monitor(6, "Yard"),
        ]
    }

    #[test]
    fn a_name_is_one_monitor_or_a_hint() {
        let found = |name: &str| find(name, &monitors()).map_err(|error| error.hint().unwrap().into_owned());
        assert_eq!(found("garage"), Ok(MonitorId(1)));
        assert_eq!(found("gate"), Ok(MonitorId(4)));
        assert_eq!(found("Garge"), Err("did you mean Garage (1) or Garden (2) or Gate (3)?".to_owned()));
        assert_eq!(found("Yard"), Err("several monitors have this name: use the id, one of 5, 6".to_owned()));
        assert_eq!(found("Kitchen"), Err("zmesctl monitors list shows the names".to_owned()));
    }
}
