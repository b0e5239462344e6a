//! `zmesctl rules list` and `rules test`.

use std::io;

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use zmes_shared::Label;
use zmes_shared::control::{ChannelKind, Request, RulesTest};
use zmes_shared::views::{RuleTested, RuleView, Rules, RulesTested};

use crate::commands::named;
use crate::context::{Context, Outcome};
use crate::error::CliError;
use crate::render::{Cell, Column, ColumnOf, Out, Table, Tone, View, clean, time};
use crate::values::{self, MomentArg, MonitorArg};

#[derive(Debug, Subcommand)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  zmesctl rules list\n  zmesctl rules test --monitor Garden --at 23:10 --for amy"
)]
pub enum RulesCommand {
    /// List the rules of zmesd.toml, with what they have done
    #[command(after_help = "\
Examples:
  zmesctl rules list
  zmesctl rules list -q                    only the names
  zmesctl rules list --jsonl | jq 'select(.hits_24h == 0) | .name'

HITS are the alarms of the last 24 hours that a rule decided for at least one
receiver. After a restart, those for connected apps alone are not counted.")]
    List,
    /// Say which rule decides for an alarm, and why no earlier one does
    Test(RulesTestArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl rules test --monitor Garden
  zmesctl rules test --monitor 4 --at 2027-01-05T23:10 --for amy
  zmesctl rules test --monitor 4 --cause Motion --channel websocket
  zmesctl rules test --monitor 4 --label person:95 --label car
  zmesctl rules test --monitor 4 --json | jq -r .action

Only rules are tested: rights, the app's own list and interval, mutes and
snoozes are not. `zmesctl doctor TOKEN` follows an alarm through all of them.")]
pub struct RulesTestArgs {
    /// Monitor of the alarm: its id or name
    #[arg(long, value_name = "MONITOR", value_parser = clap::value_parser!(MonitorArg))]
    monitor: MonitorArg,
    /// Time of the alarm (now): 23:10, '2027-01-05 23:10' or RFC 3339
    #[arg(long, value_name = "TIME")]
    at: Option<MomentArg>,
    /// Cause of the alarm (empty)
    #[arg(long, value_name = "CAUSE", default_value = "", hide_default_value = true)]
    cause: String,
    /// Label of the event, with its confidence in percent if there is one (none are known)
    #[arg(long = "label", value_name = "LABEL[:PERCENT]", value_parser = values::label)]
    labels: Vec<Label>,
    /// User, or handle of a token, that would receive it
    #[arg(long = "for", value_name = "USER|TOKEN", value_parser = values::token, allow_hyphen_values = true)]
    target: Option<String>,
    /// Channel by which it would be received
    #[arg(
        long,
        value_enum,
        value_name = "push|websocket",
        default_value = "push",
        hide_possible_values = true
    )]
    channel: ChannelKind,
}

pub(crate) async fn run(command: RulesCommand, context: &mut Context) -> Outcome {
    match command {
        RulesCommand::List => context.ask::<Rules>(Request::RulesList).await,
        RulesCommand::Test(arguments) => test(arguments, context).await,
    }
}

async fn test(arguments: RulesTestArgs, context: &mut Context) -> Outcome {
    let RulesTestArgs { monitor, at, cause, labels, target, channel } = arguments;
    let monitor = named::one(monitor, context).await?;
    let environment = &context.environment;
    let at = at.map(|at| {
        let far = || CliError::Usage {
            message: "--at is out of range".to_owned(),
            hint: "write a time such as 23:10 or '2027-01-05 23:10'".to_owned(),
        };
        at.today(environment.now, &environment.zone).ok_or_else(far)
    });
    let at = at.transpose()?;
    let request = RulesTest { monitor, at, cause, labels, target, channel: Some(channel) };
    context.ask::<RulesTested>(Request::RulesTest(request)).await
}

impl View for Rules {
    const LIST: Option<&'static str> = Some("rules");

    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.rules.is_empty() {
            return out.line("zmesd.toml has no rules: every alarm is sent as usual.");
        }
        let now = out.look().now;
        let columns: &[ColumnOf<'_, RuleView>] = &[
            (Column::new("#").right(), &|rule| Cell::new(&rule.order)),
            (Column::new("NAME"), &|rule| Cell::new(&rule.name)),
            (Column::new("MONITORS").cuts().spare(3), &|rule| Cell::new(&entries(&rule.monitors, "all"))),
            (Column::new("RECEIVERS").cuts().spare(4), &|rule| Cell::new(&receivers(rule))),
            (Column::new("WHEN").cuts().spare(5), &|rule| Cell::new(&rule.when)),
            (Column::new("LABELS").cuts().spare(7), &|rule| Cell::new(&labels(rule))),
            (Column::new("ACTION"), &|rule| action(&rule.action)),
            (Column::new("ACTIVE").spare(6), &|rule| Cell::new(if rule.active { "yes" } else { "no" })),
            (Column::new("HITS").right(), &|rule| Cell::new(&rule.hits_24h)),
            (Column::new("LAST HIT").spare(2), &|rule| {
                Cell::maybe(rule.last_hit.map(|at| time::ago(now, at)).as_ref())
            }),
        ];
        out.table(&Table::of(&self.rules, columns))
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.rules.iter().map(|rule| rule.name.clone()).collect())
    }
}

fn entries(entries: &[String], none: &str) -> String {
    if entries.is_empty() { none.to_owned() } else { entries.join(", ") }
}

/// Returns which labels a rule requires: `person, car; not cat (from 80 %)`.
fn labels(rule: &RuleView) -> String {
    let mut labels = rule.labels.join(", ");
    if !rule.labels_lack.is_empty() {
        let separator = if labels.is_empty() { "" } else { "; " };
        labels = format!("{labels}{separator}not {}", rule.labels_lack.join(", "));
    }
    match rule.min_confidence {
        Some(percent) if !labels.is_empty() => format!("{labels} (from {percent} %)"),
        Some(_) | None => labels,
    }
}

/// Returns the receivers of a rule. That it applies to pushes is the normal case, and not mentioned.
fn receivers(rule: &RuleView) -> String {
    let receivers = entries(&rule.receivers, "all");
    match rule.channels.as_slice() {
        [only] if only == "push" => receivers,
        channels => format!("{receivers} ({})", channels.join(", ")),
    }
}

fn action(action: &str) -> Cell {
    let cell = Cell::new(action);
    match action {
        "mute" => cell.tone(Tone::Warning),
        "urgent" => cell.tone(Tone::Strong),
        _ => cell,
    }
}

impl View for RulesTested {
    const LIST: Option<&'static str> = Some("rules");

    fn human(&self, out: &mut Out) -> io::Result<()> {
        let zone = out.look().zone.clone();
        let receiver = match (&self.token, &self.user) {
            (Some(token), Some(user)) => format!("{} of {}", clean(token), clean(user)),
            (Some(name), None) | (None, Some(name)) => clean(name).into_owned(),
            (None, None) => "any receiver".to_owned(),
        };
        let about = format!(
            "Alarm of monitor {} ({}) at {}, to {receiver} by {}:",
            self.monitor_id,
            clean(&self.monitor),
            time::date(self.at, &zone),
            self.channel
        );
        out.line(&about)?;
        if !self.labels.is_empty() {
            out.line(&format!("  labels: {}", clean(&Label::listed(&self.labels))))?;
        }
        let told = out.paint(Tone::Strong, &clean(&self.explanation));
        out.line(&format!("  {told}"))?;
        if self.rules.is_empty() {
            return Ok(());
        }
        let columns: &[ColumnOf<'_, RuleTested>] = &[
            (Column::new("#").right(), &|rule| Cell::new(&rule.order)),
            (Column::new("NAME"), &|rule| Cell::new(&rule.name)),
            (Column::new("ACTION"), &|rule| action(&rule.action)),
            (Column::new("DECIDES"), &|rule| Cell::new(if rule.decides { "yes" } else { "no" })),
            (Column::new("WHY").wraps(), &|rule| Cell::new(&why(rule, &zone))),
        ];
        out.table(&Table::of(&self.rules, columns))
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.rule.iter().cloned().collect())
    }
}

/// `is not active then: 22:00-06:00 (active from … to …)`
fn why(rule: &RuleTested, zone: &TimeZone) -> String {
    let date = |at| time::date(at, zone);
    let when = match (rule.active_from, rule.active_until) {
        (Some(from), Some(until)) => format!(" (active from {} to {})", date(from), date(until)),
        (Some(from), None) => format!(" (active from {})", date(from)),
        (None, Some(until)) => format!(" (until {})", date(until)),
        (None, None) => String::new(),
    };
    format!("{}{when}", rule.explanation)
}
