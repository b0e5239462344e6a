//! The hook's log: one line for each run, and one for whatever prevents runs.

use std::{fmt, io};

use nix::errno::Errno;
use serde::Serialize;
use zmes_shared::machine::MachineMessage;
use zmes_shared::words::MachineKind;

use super::child::{RunEnd, RunReport};
use super::queue::WAITING;
use crate::commands::follow::{GAP, away};
use crate::error::CliError;
use crate::render::{Out, View, clean, time};

/// One line, for people and programs.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum HookLine {
    /// The hook follows alarms from now on.
    Following { command: String },
    /// A run has ended.
    Run(Box<RunLine>),
    /// A message was dropped because too many were waiting. `total` counts since the hook started.
    Dropped {
        #[serde(flatten)]
        subject: Subject,
        total: u64,
    },
    /// The daemon is away.
    Lost { reason: String },
    /// The daemon is back.
    Back,
    /// The record does not reach back to the hook's position.
    Gap,
    /// The cursor cannot be written; runs may be repeated after a restart.
    Unwritten { reason: String },
    /// No more runs are started. `cursor`: waiting messages run after the next start instead of being lost.
    Stopping { running: usize, waiting: usize, cursor: bool },
}

/// The message that a line is about.
#[derive(Debug, Serialize)]
pub(super) struct Subject {
    id: String,
    event_type: MachineKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    monitor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<u64>,
}

/// A finished run.
#[derive(Debug, Serialize)]
pub(super) struct RunLine {
    #[serde(flatten)]
    subject: Subject,
    /// `exited`, `signal`, `timeout`, `stopped` or `no_start`.
    ended: &'static str,
    /// The exit code or the signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i32>,
    took_ms: u64,
    /// The end of the error output; if the command did not start, why.
    #[serde(skip_serializing_if = "String::is_empty")]
    stderr: String,
    /// Why its picture could not be given to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_picture: Option<String>,
}

impl HookLine {
    pub(super) fn run(report: RunReport) -> Self {
        let RunReport { message, end, took, stderr, no_picture } = report;
        let (ended, code, stderr) = match end {
            RunEnd::Exited(code) => ("exited", Some(code), stderr),
            RunEnd::Signalled(signal) => ("signal", Some(signal), stderr),
            RunEnd::TimedOut => ("timeout", None, stderr),
            RunEnd::Stopped => ("stopped", None, stderr),
            RunEnd::NotStarted(error) => ("no_start", None, not_started(&error)),
        };
        Self::Run(Box::new(RunLine {
            subject: Subject::of(message),
            ended,
            code,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            stderr,
            no_picture,
        }))
    }

    pub(super) fn dropped(message: MachineMessage, total: u64) -> Self {
        Self::Dropped { subject: Subject::of(message), total }
    }

    pub(super) fn lost(error: &CliError) -> Self {
        Self::Lost { reason: error.document().error.message }
    }

    /// Returns whether the line is printed with `--quiet`, too.
    pub(super) fn is_problem(&self) -> bool {
        match self {
            Self::Following { .. } | Self::Back | Self::Stopping { .. } => false,
            Self::Run(run) => run.failed(),
            Self::Dropped { .. } | Self::Lost { .. } | Self::Gap | Self::Unwritten { .. } => true,
        }
    }

    /// Returns the line for people. Text from outside is not cleaned yet.
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Following { command } => format!("waiting for alarms; each runs {command}"),
            Self::Run(run) => run.sentence(),
            Self::Dropped { subject, total } => format!(
                "{subject}: dropped, because more than {WAITING} wait; {total} dropped so far. Use more --jobs, or a faster command"
            ),
            Self::Lost { reason } => away(reason),
            Self::Back => "zmesd is back; what happened meanwhile comes first".to_owned(),
            Self::Gap => GAP.to_owned(),
            Self::Unwritten { reason } => {
                format!(
                    "cannot write the cursor: {reason}. After a restart some runs may be repeated, with the same ZMES_ID"
                )
            }
            Self::Stopping { running, waiting: 0, .. } => format!("stopping: {running} still running"),
            Self::Stopping { running, waiting, cursor: true } => {
                format!("stopping: {running} still running, {waiting} left for the next start")
            }
            Self::Stopping { running, waiting, cursor: false } => {
                format!("stopping: {running} still running, {waiting} dropped, because there is no --cursor")
            }
        }
    }
}

impl RunLine {
    fn failed(&self) -> bool {
        self.ended != "exited" || self.code != Some(0) || self.no_picture.is_some()
    }

    fn sentence(&self) -> String {
        let took = time::milliseconds(self.took_ms);
        let code = self.code.unwrap_or_default();
        let ended = match self.ended {
            "exited" if code == 0 => format!("done in {took}"),
            "exited" => format!("failed with exit code {code} after {took}"),
            "signal" => format!("killed by signal {code} after {took}"),
            "timeout" => format!("ended after {took}: it took longer than --timeout"),
            "stopped" => format!("ended after {took}: the hook was told twice to stop"),
            _ => "could not start".to_owned(),
        };
        let stderr = if self.stderr.is_empty() { String::new() } else { format!(": {}", self.stderr) };
        let picture = self.no_picture.as_ref().map(|why| format!(", without its picture: {why}"));
        format!("{}: {ended}{}{stderr}", self.subject, picture.unwrap_or_default())
    }
}

impl Subject {
    fn of(message: MachineMessage) -> Self {
        let MachineMessage { id, event_type, monitor, event, .. } = message;
        let (monitor, event) = (monitor.map(|monitor| monitor.name), event.map(|event| event.0));
        Self { id, event_type, monitor, event }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.event_type, self.monitor.as_deref().unwrap_or("zmesd"))?;
        self.event.map_or(Ok(()), |event| write!(formatter, ", event {event}"))
    }
}

/// Explains why a command could not be started. The usual cause is a script without an interpreter in its first line.
fn not_started(error: &io::Error) -> String {
    if error.raw_os_error() == Some(Errno::ENOEXEC as i32) {
        return "it is no program: a script begins with a line such as #!/bin/sh".to_owned();
    }
    error.to_string()
}

impl View for HookLine {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        let sentence = self.sentence();
        out.line(&clean(&sentence))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use serde_json::json;
    use zmes_shared::machine::MachineAlarm;
    use zmes_shared::{EventId, MonitorId};

    use super::*;

    fn message() -> MachineMessage {
        MachineMessage::of_alarm(MachineAlarm {
            kind: MachineKind::AlarmStart,
            at: Timestamp::UNIX_EPOCH,
            late: false,
            monitor: MonitorId(1),
            name: "Garage",
            event: Some(EventId(7)),
            cause: "Motion",
            lasted: None,
        })
    }

    fn report(end: RunEnd, stderr: &str) -> RunReport {
        let (took, stderr) = (Duration::from_millis(120), stderr.to_owned());
        RunReport { message: message(), end, took, stderr, no_picture: None }
    }

    #[test]
    fn a_run_is_told_in_one_line() {
        for (end, stderr, expected, problem) in [
            (RunEnd::Exited(0), "", "alarm_start Garage, event 7: done in 120 ms", false),
            (
                RunEnd::Exited(3),
                "no such siren",
                "alarm_start Garage, event 7: failed with exit code 3 after 120 ms: no such siren",
                true,
            ),
            (RunEnd::Signalled(9), "", "alarm_start Garage, event 7: killed by signal 9 after 120 ms", true),
            (
                RunEnd::TimedOut,
                "",
                "alarm_start Garage, event 7: ended after 120 ms: it took longer than --timeout",
                true,
            ),
            (
                RunEnd::NotStarted(io::Error::from_raw_os_error(8)),
                "",
                "alarm_start Garage, event 7: could not start: it is no program: a script begins with a line such as #!/bin/sh",
                true,
            ),
        ] {
            let line = HookLine::run(report(end, stderr));
            assert_eq!((line.sentence().as_str(), line.is_problem()), (expected, problem));
        }
        let line = serde_json::to_value(HookLine::run(report(RunEnd::Exited(3), "no\nsiren"))).unwrap();
        assert_eq!(
            line,
            json!({"type": "run", "id": "00000000000000000G00000007", "event_type": "alarm_start",
                "monitor": "Garage", "event": 7, "ended": "exited", "code": 3, "took_ms": 120, "stderr": "no\nsiren"})
        );
    }

    #[test]
    fn a_run_without_its_picture_says_why() {
        let why = Some("cannot write it to /tmp: No space left on device".to_owned());
        let line = HookLine::run(RunReport { no_picture: why, ..report(RunEnd::Exited(0), "") });
        assert!(line.is_problem());
        assert_eq!(
            line.sentence(),
            "alarm_start Garage, event 7: done in 120 ms, without its picture: cannot write it to /tmp: No space left on device"
        );
    }

    #[test]
    fn what_is_dropped_is_named_and_only_a_cursor_keeps_what_waits() {
        let dropped = HookLine::dropped(message(), 3);
        assert_eq!(
            dropped.sentence(),
            "alarm_start Garage, event 7: dropped, because more than 256 wait; 3 dropped so far. Use more --jobs, or a \
             faster command"
        );
        assert_eq!(
            serde_json::to_value(dropped).unwrap(),
            json!({"type": "dropped", "id": "00000000000000000G00000007", "event_type": "alarm_start",
                "monitor": "Garage", "event": 7, "total": 3})
        );
        for (waiting, cursor, expected) in [
            (0, false, "stopping: 1 still running"),
            (2, true, "stopping: 1 still running, 2 left for the next start"),
            (2, false, "stopping: 1 still running, 2 dropped, because there is no --cursor"),
        ] {
            assert_eq!(HookLine::Stopping { running: 1, waiting, cursor }.sentence(), expected);
        }
    }
}
