//! `zmesctl doctor [TOKEN|USER]`: why did the phone not ring, and which command fixes it?
//!
//! The daemon does the checks. If none answers, [`away`] finds out what it can without it.

mod away;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use zmes_shared::control::Request;
use zmes_shared::views::{Doctor, Finding, Severity};

use crate::commands::named;
use crate::context::{Context, Outcome};
use crate::environment::Environment;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{Out, Tone, View, clean, time};
use crate::values::MonitorArg;

/// Default time limit, without `--timeout`: each part has its own deadline, and the longest is 20 s, for the providers.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Steps with longer names are not aligned.
const STEP_WIDTH: usize = 16;
/// Maximum length of a text that names a token or a user.
const LONGEST: usize = 4096;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl doctor                     check the whole installation
  zmesctl doctor 1a2b3c4d            follow one alarm to this phone
  zmesctl doctor amy --monitor 3     follow an alarm of monitor 3 to this user
  zmesctl doctor --json | jq '.findings[] | select(.ok | not)'

Changes nothing. If zmesd does not run, shows what keeps it from starting.

Exit codes: 0 no error found, 1 errors found, 3 zmesd cannot be reached, 4 no
such token, user or monitor, 5 not permitted to open the socket.")]
pub struct DoctorArgs {
    /// Token (handle, or last 10 characters) or ZoneMinder user [default: the installation]
    #[arg(value_name = "TOKEN|USER", value_parser = name, allow_hyphen_values = true)]
    target: Option<String>,
    /// Monitor whose alarm to follow
    #[arg(short, long, value_name = "ID|NAME", requires = "target")]
    monitor: Option<MonitorArg>,
    /// Configuration to check if zmesd does not run [default: the one that zmesd would read]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    let option = text.starts_with("--") || text.starts_with('-') && text.len() < 3;
    if text.is_empty() || option || text.len() > LONGEST || text.contains(char::is_control) {
        return Err("expected a user name, or a handle as shown by `tokens list`".to_owned());
    }
    Ok(text.to_owned())
}

pub(crate) async fn run(arguments: DoctorArgs, context: &mut Context) -> Outcome {
    let DoctorArgs { target, monitor, config } = arguments;
    let unicode = context.environment.unicode;
    let error = match ask(target, monitor, context).await {
        Ok(doctor) => return context.show(&Examined { doctor, unicode }),
        Err(error) => error,
    };
    if !away::explains(&error) {
        return Err(error);
    }
    let doctor = away::look(&error, config.as_deref(), &context.environment).await;
    context.show(&away::Away { examined: Examined { doctor, unicode }, error })
}

/// Examines the system if no daemon answers. Returns `None` if the error already says everything.
pub(super) async fn outside(error: &CliError, environment: &Environment) -> Option<Doctor> {
    if !away::explains(error) {
        return None;
    }
    Some(away::look(error, None, environment).await)
}

async fn ask(
    target: Option<String>,
    monitor: Option<MonitorArg>,
    context: &Context,
) -> Result<Doctor, CliError> {
    // Detects a daemon that hangs early: only one that has sent its greeting gets the full time limit.
    drop(context.connect().await?);
    let monitor = named::monitor(monitor, context).await?;
    Ok(context.connect_for(TIMEOUT).await?.request(Request::Doctor { target, monitor }).await?)
}

#[derive(Debug, serde::Serialize)]
#[serde(transparent)]
struct Examined {
    doctor: Doctor,
    #[serde(skip)]
    unicode: bool,
}

impl View for Examined {
    const LIST: Option<&'static str> = Some("findings");

    fn human(&self, out: &mut Out) -> io::Result<()> {
        let findings = &self.doctor.findings;
        let quiet = out.look().quiet;
        let width = findings.iter().map(|finding| clean(&finding.step).chars().count()).max().unwrap_or(0);
        let width = width.min(STEP_WIDTH);
        let mut about = None;
        for finding in findings.iter().filter(|finding| !quiet || finding.severity != Severity::Ok) {
            if finding.about != about {
                about.clone_from(&finding.about);
                let title = about.as_deref().unwrap_or("all");
                let title = out.paint(Tone::Strong, &format!("{}:", clean(title)));
                out.line(&title)?;
            }
            show(finding, width, self.unicode, out)?;
        }
        out.line(&verdict(findings, out))
    }

    fn exit(&self) -> Exit {
        if self.doctor.ok { Exit::Done } else { Exit::Negative }
    }
}

/// Writes one finding: mark, step and sentence, and below them what to do.
fn show(finding: &Finding, width: usize, unicode: bool, out: &mut Out) -> io::Result<()> {
    let Finding { step, severity, hint, .. } = finding;
    let detail = time::told(&finding.sentence(), &out.look().zone);
    let (mark, tone) = mark(*severity, unicode);
    let mark_width = if unicode { 1 } else { 4 };
    let indent = mark_width + 1 + width + 2;
    let head = out.paint(tone, &format!("{mark:mark_width$} {:width$}", clean(step)));
    out.hanging(&format!("{head}  {}", clean(&detail)), indent)?;
    match hint {
        // One line, whatever its length, so that it can be copied.
        Some(hint) if *severity != Severity::Ok => {
            let arrow = if unicode { "→" } else { "hint:" };
            out.raw(&format!("{:indent$}{arrow} {}", "", clean(hint)))
        }
        Some(_) | None => Ok(()),
    }
}

fn mark(severity: Severity, unicode: bool) -> (&'static str, Tone) {
    match (severity, unicode) {
        (Severity::Ok, true) => ("✓", Tone::Good),
        (Severity::Ok, false) => ("OK", Tone::Good),
        (Severity::Warning, true) => ("!", Tone::Warning),
        (Severity::Warning, false) => ("WARN", Tone::Warning),
        (Severity::Error, true) => ("✗", Tone::Bad),
        (Severity::Error, false) => ("FAIL", Tone::Bad),
    }
}

/// Sums up in one line: names the first error, which may have caused the others.
fn verdict(findings: &[Finding], out: &Out) -> String {
    let red: Vec<_> = findings.iter().filter(|finding| !finding.ok).collect();
    let warnings = findings.iter().filter(|finding| finding.severity == Severity::Warning).count();
    let Some(first) = red.first() else {
        let warnings = match warnings {
            0 => String::new(),
            1 => ", 1 warning".to_owned(),
            many => format!(", {many} warnings"),
        };
        return out.paint(Tone::Good, &format!("No errors found{warnings}."));
    };
    let about = first.about.as_deref().map_or_else(String::new, |about| format!("{}: ", clean(about)));
    let others = match red.len() {
        1 => String::new(),
        2 => "; 1 more error may follow from it".to_owned(),
        more => format!("; {} more errors may follow from it", more - 1),
    };
    let detail = time::told(&first.sentence(), &out.look().zone);
    out.paint(Tone::Bad, &format!("First error: {about}{}: {}{others}", clean(&first.step), clean(&detail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_name_or_a_token() {
        for right in ["amy", "1a2b3c4d", " amy o'hara ", "-LJu6sg_xy", "käthe"] {
            assert_eq!(name(right).as_deref(), Ok(right.trim()));
        }
        for wrong in ["", " ", "--jsno", "-x", "a\nb"] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
    }
}
