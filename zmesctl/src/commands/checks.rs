//! `zmesctl check`: one line in the format of monitoring systems, `ZMESD OK - … | tls_days=89`, and exit 0 or 1; with
//! `--nagios` the four exit codes of their plugins.

use std::io;
use std::time::Duration;

use clap::Args;
use zmes_shared::control::{CheckKind, Request};
use zmes_shared::views::{Check, Perf, Sentence, Severity};

use crate::context::{Context, Outcome};
use crate::error::CliError;
use crate::exit::Exit;
use crate::options::Format;
use crate::render::{Out, Tone, View, clean, time};
use crate::values;

/// Default time limit, without `--timeout`, of checks that ask providers or check everything.
const SLOW_TIMEOUT: Duration = Duration::from_secs(30);
/// First word of a plugin's output.
const SERVICE: &str = "ZMESD";
const UNKNOWN: &str = "UNKNOWN";

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl check all -q || mail -s 'zmesd check failed' root
  zmesctl check tls --within 14d    fail if the certificate expires in 14 days
  zmesctl check all --nagios        exit codes of a Nagios or Icinga plugin

The first line has the format of Nagios plugins, with performance data after the
bar. Exit codes: 0 passed, 1 failed, 3 zmesd cannot be reached. With --nagios:
0 ok, 1 warning, 2 critical, 3 unknown (no answer from zmesd).")]
pub struct CheckArgs {
    /// Check to run
    #[arg(value_enum, value_name = "CHECK")]
    check: CheckKind,
    /// With tls and all: least remaining validity of the certificate [default: a third of its lifetime, at most 30d]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    within: Option<Duration>,
    /// Exit codes of monitoring plugins: 0 ok, 1 warning, 2 critical, 3 unknown
    #[arg(long)]
    nagios: bool,
}

pub(crate) async fn run(arguments: CheckArgs, context: &mut Context) -> Outcome {
    let CheckArgs { check, within, nagios } = arguments;
    match ask(check, within, context).await {
        Ok(check) => context.show(&Judged { check, nagios }),
        Err(error) => unknown(error, nagios, context),
    }
}

async fn ask(check: CheckKind, within: Option<Duration>, context: &Context) -> Result<Check, CliError> {
    if within.is_some() && !matches!(check, CheckKind::Tls | CheckKind::All) {
        return Err(CliError::Usage {
            message: "--within only works with the checks tls and all".to_owned(),
            hint: "zmesctl check tls --within 14d".to_owned(),
        });
    }
    let request = Request::Check { check, within_ms: within.map(values::milliseconds) };
    if check == CheckKind::Ping {
        return Ok(context.connect().await?.request(request).await?);
    }
    // The other checks may ask providers, the database or a disk. This detects a daemon that hangs early.
    drop(context.connect().await?);
    Ok(context.connect_for(SLOW_TIMEOUT).await?.request(request).await?)
}

/// Prints UNKNOWN for a monitoring system, which reads only standard output.
fn unknown(error: CliError, nagios: bool, context: &mut Context) -> Outcome {
    if !nagios && matches!(error, CliError::Usage { .. }) {
        return Err(error);
    }
    let seen = context.environment.terminals.stdout;
    if context.out.format() == Format::Human && (nagios || !seen) {
        let cause = error.cause().map_or_else(String::new, |cause| format!(": {cause}"));
        let hint = error.hint().map_or_else(String::new, |hint| format!(" ({hint})"));
        let text = unbarred(&format!("{SERVICE} {UNKNOWN} - {error}{cause}{hint}"));
        context.out.line(&text).map_err(CliError::Output)?;
    }
    if !nagios {
        return Err(error);
    }
    if context.out.format() != Format::Human {
        context.out.document(&error.document()).map_err(CliError::Output)?;
    }
    Ok(Exit::PLUGIN_UNKNOWN)
}

#[derive(Debug, serde::Serialize)]
struct Judged {
    #[serde(flatten)]
    check: Check,
    #[serde(skip)]
    nagios: bool,
}

impl View for Judged {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        self.check.human(out)
    }

    fn exit(&self) -> Exit {
        if !self.nagios {
            return self.check.exit();
        }
        match severity(self.check.ok, self.check.severity) {
            Severity::Ok => Exit::Done,
            Severity::Warning => Exit::PLUGIN_WARNING,
            Severity::Error => Exit::PLUGIN_CRITICAL,
        }
    }
}

impl View for Check {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        let verdict = verdict(severity(self.ok, self.severity), out);
        let detail = told(&Sentence::of(&self.detail, &self.parts), self.hint.as_deref(), out);
        let perf =
            if self.perf.is_empty() { String::new() } else { format!(" | {}", performance(&self.perf)) };
        let perf = out.paint(Tone::Faint, &perf);
        out.line(&format!("{SERVICE} {verdict} - {}: {detail}{perf}", clean(&self.check)))?;
        for part in &self.checks {
            let verdict = self::verdict(severity(part.ok, part.severity), out);
            let detail = told(&Sentence::of(&part.detail, &part.parts), part.hint.as_deref(), out);
            out.line(&format!("  {verdict} {}: {detail}", clean(&part.check)))?;
        }
        Ok(())
    }

    fn exit(&self) -> Exit {
        if self.ok { Exit::Done } else { Exit::Negative }
    }
}

/// A failed check without a severity counts as an error.
fn severity(ok: bool, told: Option<Severity>) -> Severity {
    match (ok, told) {
        (true, _) => Severity::Ok,
        (false, Some(Severity::Warning)) => Severity::Warning,
        (false, Some(Severity::Ok | Severity::Error) | None) => Severity::Error,
    }
}

fn verdict(severity: Severity, out: &Out) -> String {
    match severity {
        Severity::Ok => out.paint(Tone::Good, "OK"),
        Severity::Warning => out.paint(Tone::Warning, "WARNING"),
        Severity::Error => out.paint(Tone::Bad, "CRITICAL"),
    }
}

fn told(detail: &Sentence, hint: Option<&str>, out: &Out) -> String {
    let detail = time::told(detail, &out.look().zone);
    let hint = hint.map_or_else(String::new, |hint| format!(" ({hint})"));
    unbarred(&format!("{detail}{hint}"))
}

/// Returns a clean text without `|`, after which the numbers would begin.
fn unbarred(text: &str) -> String {
    clean(text).replace('|', "/")
}

/// Returns the numbers in the format of plugins: `'label'=value[unit];[warning];[critical]`.
fn performance(perf: &[Perf]) -> String {
    let one = |perf: &Perf| {
        let Perf { label, value, unit, warning, critical } = perf;
        let limits = match (warning.as_deref(), critical.as_deref()) {
            (None, None) => String::new(),
            (warning, None) => format!(";{}", warning.unwrap_or_default()),
            (warning, Some(critical)) => format!(";{};{critical}", warning.unwrap_or_default()),
        };
        clean(&format!("{label}={value}{unit}{limits}")).into_owned()
    };
    perf.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_plugins_do() {
        let perf = |label: &str, unit: &str, warning: Option<&str>, critical: Option<&str>| Perf {
            label: label.to_owned(),
            value: 12,
            unit: unit.to_owned(),
            warning: warning.map(str::to_owned),
            critical: critical.map(str::to_owned),
        };
        let all = [
            perf("db", "ms", None, None),
            perf("tls_days", "", Some("14:"), Some("0:")),
            perf("a", "", None, Some("3")),
            perf("b", "", Some("0"), None),
        ];
        assert_eq!(performance(&all), "db=12ms tls_days=12;14:;0: a=12;;3 b=12;0");
    }

    #[test]
    fn a_text_never_holds_the_bar() {
        assert_eq!(unbarred("Front|Yard\u{1b}"), "Front/Yard\\u{1b}");
    }

    #[test]
    fn an_older_daemon_means_the_worst() {
        assert_eq!(severity(false, None), Severity::Error);
        assert_eq!(severity(true, None), Severity::Ok);
        assert_eq!(severity(false, Some(Severity::Warning)), Severity::Warning);
    }
}
