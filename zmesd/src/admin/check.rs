//! `check`: the findings of `doctor`, judged for a monitoring system.
//!
//! A check is one part of the survey or some parts, so what is red in `doctor` is critical here.

use std::time::Duration;

use zmes_shared::control::{CheckKind, ControlError};
use zmes_shared::views::{Check, CheckPart, Finding, Sentence, Severity};

use super::doctor::{Board, Part, PartOutcome, Survey};
use super::troubles::{self, TroubleBoard};
use crate::admin::AdminParts;

/// Maximum number of details of a check that passed.
const TOLD: usize = 3;

/// The checks, in the order in which `all` shows them.
const CHECKS: [(&str, &[Part]); 12] = [
    ("ping", &[Part::Daemon]),
    ("shm", &[Part::Monitors]),
    ("db", &[Part::Database]),
    ("tls", &[Part::Certificate]),
    ("push", &[Part::Push, Part::Pictures, Part::Tokens]),
    ("store", &[Part::State]),
    ("configuration", &[Part::Configuration]),
    ("port", &[Part::Port]),
    ("clients", &[Part::Refused]),
    ("clock", &[Part::Clock]),
    ("mqtt", &[Part::Mqtt]),
    ("cluster", &[Part::Cluster]),
];

pub(super) async fn run(
    parts: &AdminParts,
    board: &Board,
    standing: &TroubleBoard,
    check: CheckKind,
    within_ms: Option<u64>,
) -> Result<Check, ControlError> {
    let within = within_ms.map(Duration::from_millis);
    let name = match check {
        CheckKind::Ping => "ping",
        CheckKind::Shm => "shm",
        CheckKind::Db => "db",
        CheckKind::Tls => "tls",
        CheckKind::Push => "push",
        CheckKind::Mqtt => "mqtt",
        CheckKind::Cluster => "cluster",
        CheckKind::Store => "store",
        CheckKind::Troubles => return Ok(troubles::check(standing)),
        CheckKind::All => return Ok(all(&look(parts, board, &Part::ALL, within).await)),
        CheckKind::Unknown => return Err(super::answers::unsupported()),
    };
    let wanted = CHECKS.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, wanted)| wanted);
    let survey = look(parts, board, wanted, within).await;
    let CheckPart { ok, check, detail, parts, hint, severity, perf } = judge(name, wanted, &survey);
    Ok(Check { ok, check, detail, parts, hint, severity, perf, checks: Vec::new() })
}

async fn look(parts: &AdminParts, board: &Board, wanted: &[Part], within: Option<Duration>) -> Survey {
    let survey = Survey::of(parts, wanted, within).await;
    // With a time of the caller, the findings are not those that others would get.
    if within.is_none() {
        board.keep(&survey);
    }
    survey
}

fn all(survey: &Survey) -> Check {
    let checks: Vec<_> = CHECKS.iter().map(|(name, wanted)| judge(name, wanted, survey)).collect();
    let failed: Vec<_> = checks.iter().filter(|part| !part.ok).collect();
    let (detail, parts) = if failed.is_empty() {
        (format!("all {} checks passed", checks.len()), Vec::new())
    } else {
        let told = |part: &&CheckPart| {
            Sentence::from(format!("{}: ", part.check)).join(Sentence::of(&part.detail, &part.parts))
        };
        joined(failed.iter().map(told)).into_parts()
    };
    let severity = checks.iter().filter_map(|part| part.severity).max();
    let hint = survey.worst().and_then(|worst| worst.hint.clone());
    let perf = checks.iter().flat_map(|part| part.perf.iter().cloned()).collect();
    Check { ok: failed.is_empty(), check: "all".to_owned(), detail, parts, hint, severity, perf, checks }
}

/// Makes one line of the findings of some parts: the worst one, or a summary if all are good.
fn judge(name: &str, wanted: &[Part], survey: &Survey) -> CheckPart {
    let outcomes: Vec<&PartOutcome> =
        survey.outcomes().filter(|(part, _)| wanted.contains(part)).map(|(_, outcome)| outcome).collect();
    let findings: Vec<&Finding> = outcomes.iter().flat_map(|outcome| &outcome.findings).collect();
    let severity = findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok);
    let worst: Vec<_> = findings.iter().filter(|finding| finding.severity == severity).collect();
    let (sentence, hint) = match worst.as_slice() {
        [first, others @ ..] if severity > Severity::Ok => {
            let others = match others.len() {
                0 => String::new(),
                1 => "; and 1 other".to_owned(),
                more => format!("; and {more} others"),
            };
            // A step with the name of the check is named once.
            let told = if first.step == name {
                first.sentence()
            } else {
                Sentence::from(format!("{}: ", first.step)).join(first.sentence())
            };
            (told.text(others), first.hint.clone())
        }
        [] => ("no findings".into(), None),
        good => (joined(good.iter().take(TOLD).map(|finding| finding.sentence())), None),
    };
    let (detail, parts) = sentence.into_parts();
    let perf = outcomes.iter().flat_map(|outcome| outcome.perf.iter().cloned()).collect();
    let check = name.to_owned();
    CheckPart { ok: severity == Severity::Ok, check, detail, parts, hint, severity: Some(severity), perf }
}

fn joined(sentences: impl Iterator<Item = Sentence>) -> Sentence {
    sentences.reduce(|all, next| all.text("; ").join(next)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_doctor_looks_at_is_judged_by_one_check() {
        for part in Part::ALL {
            let judges = CHECKS.iter().filter(|(_, parts)| parts.contains(&part)).count();
            assert_eq!(judges, 1, "{part:?}");
        }
    }
}
