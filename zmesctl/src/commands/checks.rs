//! `zmesctl check`: one line `OK …` or `FAIL …`, exit 0 or 1, as monitoring systems want it.

use std::io;
use std::time::Duration;

use clap::Args;
use zmes_shared::control::{CheckKind, Request};
use zmes_shared::views::Check;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{Out, Tone, View, clean};
use crate::values;

/// How long a check of providers, or of a whole file, may take when `--timeout` does not say.
const SLOW_TIMEOUT: Duration = Duration::from_secs(30);

/// What to check.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl check all -q || mail -s 'zmesd is not well' root
  zmesctl check tls --within 14d    fails when the certificate ends within 14 days

Exit codes: 0 the check holds, 1 it does not, 3 zmesd is not reachable.")]
pub struct CheckArgs {
    /// What to look at
    #[arg(value_enum, value_name = "CHECK")]
    check: CheckKind,
    /// For tls and all: the certificate must be valid for so much longer
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    within: Option<Duration>,
}

pub(super) async fn run(arguments: CheckArgs, context: &mut Context) -> Result<Exit, CliError> {
    let CheckArgs { check, within } = arguments;
    if within.is_some() && !matches!(check, CheckKind::Tls | CheckKind::All) {
        return Err(CliError::Usage {
            message: "--within is about the certificate: it goes with tls and all".to_owned(),
            hint: "zmesctl check tls --within 14d".to_owned(),
        });
    }
    let request = Request::Check { check, within_ms: within.map(values::milliseconds) };
    if matches!(check, CheckKind::Push | CheckKind::Store | CheckKind::All) {
        return context.ask_within::<Check>(request, SLOW_TIMEOUT).await;
    }
    context.ask::<Check>(request).await
}

impl View for Check {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        line(out, "", self.ok, &self.check, &self.detail, self.hint.as_deref())?;
        for part in &self.checks {
            line(out, "  ", part.ok, &part.check, &part.detail, part.hint.as_deref())?;
        }
        Ok(())
    }

    fn exit(&self) -> Exit {
        if self.ok { Exit::Done } else { Exit::Negative }
    }
}

fn line(
    out: &mut Out,
    indent: &str,
    ok: bool,
    check: &str,
    detail: &str,
    hint: Option<&str>,
) -> io::Result<()> {
    let verdict = if ok { out.paint(Tone::Good, "OK") } else { out.paint(Tone::Bad, "FAIL") };
    let hint = hint.map_or_else(String::new, |hint| format!(" ({})", clean(hint)));
    out.line(&format!("{indent}{verdict} {}: {}{hint}", clean(check), clean(detail)))
}
