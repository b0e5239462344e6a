//! `zmesctl monitors list` and `reload`.

use std::io;

use clap::Subcommand;
use jiff::tz::TimeZone;
use zmes_shared::MonitorState;
use zmes_shared::control::Request;
use zmes_shared::views::{MonitorView, Monitors, Reloaded, ServerView};

use crate::context::{Context, Outcome};
use crate::render::{Cell, Column, ColumnOf, Out, Table, Tone, View, clean, time};

#[derive(Debug, Clone, Copy, Subcommand)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  zmesctl monitors list\n  zmesctl monitors reload"
)]
pub enum MonitorsCommand {
    /// List monitors with their states and problems
    #[command(after_help = "\
Examples:
  zmesctl monitors list
  zmesctl monitors list --jsonl | jq 'select(.healthy | not) | .name'")]
    List,
    /// Reload monitors, users and rights from ZoneMinder
    #[command(after_help = "\
Examples:
  zmesctl monitors reload
  zmesctl monitors reload && zmesctl monitors list

zmesd also does this by itself every zoneminder.monitor-reload-interval.")]
    Reload,
}

pub(crate) async fn run(command: MonitorsCommand, context: &mut Context) -> Outcome {
    match command {
        MonitorsCommand::List => context.ask::<Monitors>(Request::MonitorsList).await,
        MonitorsCommand::Reload => context.ask::<Reloaded>(Request::MonitorsReload).await,
    }
}

impl View for Monitors {
    const LIST: Option<&'static str> = Some("monitors");

    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.monitors.is_empty() {
            out.line("ZoneMinder has no monitors on this server.")?;
            return others(self, out);
        }
        let zone = out.look().zone.clone();
        let columns: &[ColumnOf<'_, MonitorView>] = &[
            (Column::new("ID").right(), &|monitor| Cell::new(&monitor.id)),
            (Column::new("NAME").cuts(), &|monitor| Cell::new(&monitor.name)),
            (Column::new("STATE"), &|monitor| doing(monitor.state)),
            (Column::new("HEALTHY"), &|monitor| healthy(monitor.healthy)),
            (Column::new("SOURCE").spare(2), &|monitor| Cell::new(&source(monitor))),
            (Column::new("LAST EVENT").right().spare(1), &|monitor| Cell::maybe(monitor.last_event_id)),
            (Column::new("REASON").wraps(), &|monitor| Cell::maybe(remark(monitor, &zone))),
        ];
        out.table(&Table::of(&self.monitors, columns))?;
        others(self, out)
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.monitors.iter().map(|monitor| monitor.id.to_string()).collect())
    }
}

/// Says which monitors other nodes of the cluster watch.
fn others(all: &Monitors, out: &mut Out) -> io::Result<()> {
    if all.elsewhere.is_empty() {
        return Ok(());
    }
    let names = all.elsewhere.iter().map(|other| format!("{} ({})", clean(&other.name), other.id));
    out.line(&format!("Monitors of other nodes: {}", names.collect::<Vec<_>>().join(", ")))
}

/// Returns the source of its state, with the name of the server if another one captures it.
fn source(monitor: &MonitorView) -> String {
    match &monitor.server {
        None => monitor.source.to_string(),
        Some(ServerView { name: Some(name), .. }) => format!("{} ({name})", monitor.source),
        Some(ServerView { id, name: None, .. }) => format!("{} (server {id})", monitor.source),
    }
}

/// Returns the monitor's problem, whether it is watched for another node, and until when it is snoozed.
fn remark(monitor: &MonitorView, zone: &TimeZone) -> Option<String> {
    let snoozed = monitor.snoozed_until.map(|until| format!("snoozed until {}", time::date(until, zone)));
    let is_orphan = monitor.server.as_ref().is_some_and(|server| server.orphan);
    let orphan = is_orphan.then(|| "watched from here, because no zmesd is at work on its server".to_owned());
    let remarks: Vec<String> = [monitor.reason.clone(), orphan, snoozed].into_iter().flatten().collect();
    (!remarks.is_empty()).then(|| remarks.join("; "))
}

fn healthy(healthy: bool) -> Cell {
    if healthy { Cell::new("yes").tone(Tone::Good) } else { Cell::new("no").tone(Tone::Bad) }
}

/// Returns the everyday word for a state: ZoneMinder's own word for recording is "tape".
fn doing(state: MonitorState) -> Cell {
    let word = if state == MonitorState::Tape { "recording" } else { state.as_str() };
    Cell::new(word).tone(if state.alarmed() { Tone::Warning } else { Tone::Plain })
}

impl View for Reloaded {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        let Self { monitors, added, removed, users } = self;
        out.line(&format!("{monitors} monitors ({added} added, {removed} removed), rights of {users} users"))
    }
}
