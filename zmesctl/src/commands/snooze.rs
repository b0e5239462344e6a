//! `zmesctl snooze …`: no pushes of a monitor for a while.

use std::io;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand};
use zmes_shared::MonitorId;
use zmes_shared::control::{Request, SnoozeEnd, SnoozeSet};
use zmes_shared::views::{SnoozeView, Snoozes, SnoozesChanged};
use zmes_shared::words::SnoozeScopeKind;

use crate::commands::named;
use crate::context::{Context, Outcome};
use crate::error::CliError;
use crate::render::{Cell, Column, ColumnOf, Out, Table, View, clean, time};
use crate::values::{self, MomentArg, MonitorArg};

/// Stands for all monitors, or for all snoozes.
const ALL: &str = "all";

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  zmesctl snooze Garden --for 2h               no phone gets its pushes for 2 h
  zmesctl snooze all --until 18:00 --user amy  all monitors, only amy's phones
  zmesctl snooze 3 --for 8h --token 1a2b3c4d --hard
  zmesctl snooze list
  zmesctl snooze end 17

Connected apps still get the alarms, and they stay in the record; `zmesctl why`
names the snooze. Alarms that a rule calls urgent are pushed, unless the snooze
is --hard. A second snooze for the same monitor and phones replaces the first.
To name a monitor that is called `list`, `end` or `all`, use its id."
)]
pub struct SnoozeArgs {
    #[command(subcommand)]
    command: Option<SnoozeCommand>,
    /// Monitor whose alarms are not pushed: an id, a name, or all
    #[arg(value_name = "MONITOR|all", required = true)]
    monitor: Option<MonitorChoice>,
    /// Length, at most 30d
    #[arg(
        long = "for",
        value_name = "DURATION",
        value_parser = values::duration,
        required_unless_present = "until",
        conflicts_with = "until"
    )]
    lasting: Option<Duration>,
    /// End: a time of the day such as 18:00, or a date with a time
    #[arg(long, value_name = "TIME")]
    until: Option<MomentArg>,
    /// Only the phones of this ZoneMinder user
    #[arg(long, value_name = "USER", conflicts_with = "token")]
    user: Option<String>,
    /// Only this token: its handle, or its last 10 characters
    #[arg(long, value_name = "TOKEN", value_parser = values::token, allow_hyphen_values = true)]
    token: Option<String>,
    /// Also withhold alarms that a rule calls urgent
    #[arg(long)]
    hard: bool,
    /// Tell phones at the end how many alarms there were [default: only with --user or --token]
    #[arg(long, conflicts_with = "no_tell")]
    tell: bool,
    /// Tell nothing at the end
    #[arg(long)]
    no_tell: bool,
}

#[derive(Debug, Subcommand)]
enum SnoozeCommand {
    /// List the snoozes that are set
    #[command(after_help = "\
Examples:
  zmesctl snooze list
  zmesctl snooze list -q                       only the numbers
  zmesctl snooze list --jsonl | jq 'select(.withheld > 100)'")]
    List,
    /// End snoozes early
    #[command(after_help = "\
Examples:
  zmesctl snooze end 17                        the snooze of that number
  zmesctl snooze end Garden                    every snooze of that monitor
  zmesctl snooze end all                       every snooze

A number is that of a snooze; if there is none, the id of a monitor.")]
    End(EndArgs),
}

#[derive(Debug, Args)]
struct EndArgs {
    /// Number of a snooze, a monitor, or all
    #[arg(value_name = "ID|MONITOR|all")]
    which: String,
}

/// A monitor, or all of them.
#[derive(Debug, Clone)]
enum MonitorChoice {
    All,
    One(MonitorArg),
}

impl FromStr for MonitorChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim() == ALL { Ok(Self::All) } else { text.parse().map(Self::One) }
    }
}

pub(crate) async fn run(arguments: SnoozeArgs, context: &mut Context) -> Outcome {
    match arguments.command {
        Some(SnoozeCommand::List) => context.ask::<Snoozes>(Request::SnoozeList).await,
        Some(SnoozeCommand::End(EndArgs { which })) => {
            let which = chosen(which.trim(), context).await?;
            context.ask::<SnoozesChanged>(Request::SnoozeEnd(which)).await
        }
        None => set(arguments, context).await,
    }
}

async fn set(arguments: SnoozeArgs, context: &mut Context) -> Outcome {
    let SnoozeArgs { command: _, monitor, lasting, until, user, token, hard, tell, no_tell } = arguments;
    let monitor = match monitor {
        Some(MonitorChoice::One(named)) => Some(named::one(named, context).await?),
        Some(MonitorChoice::All) | None => None,
    };
    let environment = &context.environment;
    let next = |until: MomentArg| {
        until.next(environment.now, &environment.zone).ok_or_else(|| CliError::Usage {
            message: "the time of --until does not come".to_owned(),
            hint: "for example --until 18:00, or --until '2026-12-01 08:00'".to_owned(),
        })
    };
    let until = until.map(next).transpose()?;
    let for_ms = lasting.map(values::milliseconds);
    let tell = (tell || no_tell).then_some(tell);
    let snooze = SnoozeSet { monitor, for_ms, until, user, token, hard, tell };
    context.ask::<SnoozesChanged>(Request::SnoozeSet(snooze)).await
}

/// Returns which snoozes to end. A number means that snooze, or if there is none, that monitor.
async fn chosen(which: &str, context: &Context) -> Result<SnoozeEnd, CliError> {
    if which == ALL {
        return Ok(SnoozeEnd { all: true, ..SnoozeEnd::default() });
    }
    let Ok(number) = which.parse::<u64>() else {
        let named = which.parse().map_err(|message| CliError::Usage {
            message,
            hint: "zmesctl snooze list shows what can be ended".to_owned(),
        })?;
        let monitor = Some(named::one(named, context).await?);
        return Ok(SnoozeEnd { monitor, ..SnoozeEnd::default() });
    };
    let Snoozes { snoozes } = context.connect().await?.request(Request::SnoozeList).await?;
    Ok(numbered(number, &snoozes))
}

fn numbered(number: u64, snoozes: &[SnoozeView]) -> SnoozeEnd {
    let monitor = u32::try_from(number).ok().map(MonitorId);
    let of_monitor = |snooze: &SnoozeView| monitor.is_some() && snooze.monitor_id == monitor;
    if snoozes.iter().all(|snooze| snooze.id != number) && snoozes.iter().any(of_monitor) {
        return SnoozeEnd { monitor, ..SnoozeEnd::default() };
    }
    SnoozeEnd { id: Some(number), ..SnoozeEnd::default() }
}

impl View for Snoozes {
    const LIST: Option<&'static str> = Some("snoozes");

    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.snoozes.is_empty() {
            return out.line("No snooze is set.");
        }
        let zone = out.look().zone.clone();
        let columns: &[ColumnOf<'_, SnoozeView>] = &[
            (Column::new("ID").right(), &|snooze| Cell::new(&snooze.id)),
            (Column::new("MONITOR").cuts(), &|snooze| Cell::new(&monitor_cell(snooze))),
            (Column::new("FOR").cuts(), &|snooze| Cell::new(&whom(snooze))),
            (Column::new("UNTIL"), &|snooze| Cell::new(&time::date(snooze.until, &zone))),
            (Column::new("BY").cuts().spare(1), &|snooze| {
                Cell::new(&format!("{} ({})", snooze.by, snooze.origin))
            }),
            (Column::new("WITHHELD").right(), &|snooze| Cell::new(&snooze.withheld)),
            (Column::new("HARD").spare(2), &|snooze| Cell::new(if snooze.hard { "yes" } else { "no" })),
            (Column::new("TELL").spare(3), &|snooze| Cell::new(if snooze.tell { "yes" } else { "no" })),
        ];
        out.table(&Table::of(&self.snoozes, columns))
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.snoozes.iter().map(|snooze| snooze.id.to_string()).collect())
    }
}

impl View for SnoozesChanged {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.snoozes.is_empty() {
            return out.line("No snooze is set.");
        }
        self.snoozes.iter().try_for_each(|snooze| {
            let line = if self.change == "ended" { ended(snooze) } else { holds(snooze, out) };
            out.line(&clean(&line))
        })
    }
}

/// Says what a snooze does, and how to end it.
fn holds(snooze: &SnoozeView, out: &Out) -> String {
    let verb = if snooze.monitor_id.is_some() { "is" } else { "are" };
    let hard = if snooze.hard { ", urgent alarms too" } else { "" };
    let until = time::date(snooze.until, &out.look().zone);
    let (what, whom, id) = (monitor(snooze), whom(snooze), snooze.id);
    format!("{what} {verb} snoozed for {whom}{hard} until {until}. To end it: zmesctl snooze end {id}")
}

fn ended(snooze: &SnoozeView) -> String {
    let (id, whom) = (snooze.id, whom(snooze));
    let what = match snooze.monitor_id {
        Some(_) => monitor(snooze).replacen("Monitor", "monitor", 1),
        None => "all monitors".to_owned(),
    };
    let pushes = if snooze.withheld == 1 { "push was" } else { "pushes were" };
    format!("Snooze {id} of {what} for {whom} has ended; {} {pushes} withheld.", snooze.withheld)
}

fn monitor(snooze: &SnoozeView) -> String {
    match (snooze.monitor_id, &snooze.monitor) {
        (None, _) => "All monitors".to_owned(),
        (Some(id), Some(name)) => format!("Monitor {id} ({name})"),
        (Some(id), None) => format!("Monitor {id}"),
    }
}

fn monitor_cell(snooze: &SnoozeView) -> String {
    let name = snooze.monitor.as_deref().unwrap_or_default();
    snooze.monitor_id.map_or_else(|| ALL.to_owned(), |id| format!("{id} {name}").trim_end().to_owned())
}

fn whom(snooze: &SnoozeView) -> String {
    match snooze.scope {
        SnoozeScopeKind::Everybody => "everybody".to_owned(),
        SnoozeScopeKind::User => format!("user {}", snooze.user.as_deref().unwrap_or_default()),
        SnoozeScopeKind::Token => format!("token {}", snooze.token.as_deref().unwrap_or_default()),
        SnoozeScopeKind::Unknown => "some phones".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use zmes_shared::words::SnoozeOrigin;

    use super::*;

    fn snooze(id: u64, monitor: Option<u32>) -> SnoozeView {
        SnoozeView {
            id,
            monitor_id: monitor.map(MonitorId),
            monitor: monitor.map(|_| "Garage".to_owned()),
            scope: SnoozeScopeKind::User,
            user: Some("amy".to_owned()),
            token: None,
            until: jiff::Timestamp::UNIX_EPOCH,
            since: jiff::Timestamp::UNIX_EPOCH,
            by: "root".to_owned(),
            origin: SnoozeOrigin::Cli,
            withheld: 1,
            hard: false,
            tell: false,
        }
    }

    #[test]
    fn a_number_is_a_snooze_before_it_is_a_monitor() {
        let set = [snooze(3, Some(5)), snooze(9, Some(4)), snooze(10, None)];
        let end = SnoozeEnd::default();
        for (number, expected) in [
            (3, SnoozeEnd { id: Some(3), ..end }),
            (5, SnoozeEnd { monitor: Some(MonitorId(5)), ..end }),
            (4, SnoozeEnd { monitor: Some(MonitorId(4)), ..end }),
            (10, SnoozeEnd { id: Some(10), ..end }),
            (7, SnoozeEnd { id: Some(7), ..end }),
            (u64::MAX, SnoozeEnd { id: Some(u64::MAX), ..end }),
        ] {
            assert_eq!(numbered(number, &set), expected, "{number}");
        }
    }

    #[test]
    fn what_has_ended_is_told_in_a_sentence() {
        assert_eq!(
            ended(&snooze(3, Some(5))),
            "Snooze 3 of monitor 5 (Garage) for user amy has ended; 1 push was withheld."
        );
        assert_eq!(
            ended(&SnoozeView { withheld: 0, scope: SnoozeScopeKind::Everybody, ..snooze(4, None) }),
            "Snooze 4 of all monitors for everybody has ended; 0 pushes were withheld."
        );
    }
}
