//! `zmesctl monitors list` and `reload`.

use std::io;

use clap::Subcommand;
use serde_json::Value;
use zmes_shared::MonitorState;
use zmes_shared::control::Request;
use zmes_shared::views::{MonitorView, Monitors, Reloaded};

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{Cell, Column, Out, Table, Tone, View};

/// `monitors …`
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

pub(crate) async fn run(command: MonitorsCommand, context: &mut Context) -> Result<Exit, CliError> {
    match command {
        MonitorsCommand::List => context.ask::<Monitors>(Request::MonitorsList).await,
        MonitorsCommand::Reload => context.ask::<Reloaded>(Request::MonitorsReload).await,
    }
}

impl View for Monitors {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.monitors.is_empty() {
            return out.line("ZoneMinder has no monitors on this server.");
        }
        let mut table = Table::new(&[
            Column::new("ID").right(),
            Column::new("NAME").cuts(),
            Column::new("STATE"),
            Column::new("HEALTHY"),
            Column::new("SOURCE").spare(2),
            Column::new("LAST EVENT").right().spare(1),
            Column::new("REASON").wraps(),
        ]);
        for monitor in &self.monitors {
            table.row([
                Cell::new(&monitor.id),
                Cell::new(&monitor.name),
                Cell::new(doing(monitor.state)).tone(tone(monitor.state)),
                healthy(monitor),
                Cell::new(&monitor.source),
                Cell::maybe(monitor.last_event_id.as_ref()),
                Cell::maybe(monitor.reason.as_ref()),
            ]);
        }
        out.table(&table)
    }

    fn elements(&self) -> serde_json::Result<Vec<Value>> {
        self.monitors.iter().map(serde_json::to_value).collect()
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.monitors.iter().map(|monitor| monitor.id.to_string()).collect())
    }
}

fn healthy(monitor: &MonitorView) -> Cell {
    if monitor.healthy { Cell::new("yes").tone(Tone::Good) } else { Cell::new("no").tone(Tone::Bad) }
}

/// Returns what people call a state: ZoneMinder's own word for recording is "tape".
fn doing(state: MonitorState) -> &'static str {
    if state == MonitorState::Tape { "recording" } else { state.as_str() }
}

/// Returns the tone of a monitor's state.
fn tone(state: MonitorState) -> Tone {
    if state.alarmed() { Tone::Warning } else { Tone::Plain }
}

impl View for Reloaded {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        let Self { monitors, added, removed, users } = self;
        out.line(&format!("{monitors} monitors ({added} added, {removed} removed), rights of {users} users"))
    }
}
