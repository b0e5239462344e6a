//! Finds monitors by their names: ids are for programs.

use zmes_shared::MonitorId;
use zmes_shared::control::Request;
use zmes_shared::views::Monitors;

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
            find(&name, &named_monitors(&all))
        }
    }
}

type Named<'a> = (MonitorId, &'a str);

/// Returns the names of all monitors, also of those that other nodes of the cluster watch.
fn named_monitors(all: &Monitors) -> Vec<Named<'_>> {
    let own = all.monitors.iter().map(|monitor| (monitor.id, monitor.name.as_str()));
    own.chain(all.elsewhere.iter().map(|other| (other.id, other.name.as_str()))).collect()
}

/// Finds the one monitor with this name. Upper and lower case are equal if the result is unambiguous.
fn find(name: &str, monitors: &[Named<'_>]) -> Result<MonitorId, CliError> {
    let lower = name.to_lowercase();
    let exact: Vec<_> = monitors.iter().filter(|(_, known)| *known == name).collect();
    let alike = || monitors.iter().filter(|(_, known)| known.to_lowercase() == lower).collect();
    let found: Vec<_> = if exact.is_empty() { alike() } else { exact };
    match found.as_slice() {
        [(one, _)] => Ok(*one),
        [] => Err(unknown(name, hint(&lower, monitors))),
        several => {
            let ids: Vec<_> = several.iter().map(|(id, _)| id.to_string()).collect();
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

fn hint(lower: &str, monitors: &[Named<'_>]) -> String {
    let mut close: Vec<_> = monitors
        .iter()
        .map(|monitor| (strsim::jaro_winkler(lower, &monitor.1.to_lowercase()), monitor))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    close.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    let names = close.iter().take(PROPOSED).map(|(_, (id, name))| format!("{} ({id})", clean(name)));
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        return "zmesctl monitors list shows the names".to_owned();
    }
    format!("did you mean {}?", names.join(" or "))
}

#[cfg(test)]
mod tests {
    use zmes_shared::MonitorState;
    use zmes_shared::views::{MonitorElsewhere, MonitorView};
    use zmes_shared::words::StateSource;

    use super::*;

    fn monitors() -> Monitors {
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
        let other = |id, name: &str| MonitorElsewhere { id: MonitorId(id), name: name.to_owned() };
        Monitors {
            monitors: vec![
                monitor(1, "Garage"),
                monitor(2, "Garden"),
                monitor(3, "Gate"),
                monitor(4, "gate"),
                monitor(5, "Yard"),
            ],
            elsewhere: vec![other(6, "Yard"), other(7, "Street")],
        }
    }

    #[test]
    fn a_name_is_one_monitor_or_a_hint() {
        let found = |name: &str| {
            let found = find(name, &named_monitors(&monitors()));
            found.map_err(|error| error.hint().unwrap().into_owned())
        };
        assert_eq!(found("street"), Ok(MonitorId(7)), "another node watches it");
        assert_eq!(found("garage"), Ok(MonitorId(1)));
        assert_eq!(found("gate"), Ok(MonitorId(4)));
        assert_eq!(found("Garge"), Err("did you mean Garage (1) or Garden (2) or Gate (3)?".to_owned()));
        assert_eq!(found("Yard"), Err("several monitors have this name: use the id, one of 5, 6".to_owned()));
        assert_eq!(found("Kitchen"), Err("zmesctl monitors list shows the names".to_owned()));
    }
}
