//! The last findings: `status` and the metrics show them without asking providers or reading files again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use zmes_shared::views::{Finding, FindingCounts, Severity};

use super::part::Part;
use super::survey::{self, Survey};
use crate::telemetry::Counters;

/// The last findings of each part. Every check of a part is written here.
#[derive(Debug)]
pub(in crate::admin) struct Board {
    parts: Mutex<BTreeMap<Part, PartFindings>>,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct PartFindings {
    findings: Vec<Finding>,
    /// Found by a complete check, not by a glance.
    whole: bool,
}

impl Board {
    pub(in crate::admin) fn new(counters: Arc<Counters>) -> Self {
        Self { parts: Mutex::default(), counters }
    }

    pub(in crate::admin) fn keep(&self, survey: &Survey) {
        self.change(|parts| {
            for (part, outcome) in survey.outcomes() {
                parts.insert(part, PartFindings { findings: outcome.findings.clone(), whole: true });
            }
        });
    }

    /// Stores the findings of a glance. It sees less than a complete check, so it neither clears nor replaces what that has
    /// found; what a glance has found, the next one clears.
    pub(super) fn add(&self, part: Part, findings: Vec<Finding>) {
        self.change(|parts| {
            let known = parts.entry(part).or_default();
            if !known.whole || severity(&known.findings) < severity(&findings) {
                *known = PartFindings { findings, whole: false };
            }
        });
    }

    /// Stores the findings of a glance that sees all of its part. Where it finds the same as before, the sentences of a
    /// complete check stay: they know more of the cause.
    pub(super) fn replace(&self, part: Part, findings: Vec<Finding>) {
        let kind = |finding: &Finding| (finding.step.clone(), finding.severity);
        self.change(|parts| {
            let known = parts.entry(part).or_default();
            if !known.findings.iter().map(kind).eq(findings.iter().map(kind)) {
                *known = PartFindings { findings, whole: false };
            }
        });
    }

    pub(super) fn troubled(&self) -> Vec<Part> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let troubled = parts.iter().filter(|(_, known)| severity(&known.findings) > Severity::Ok);
        troubled.map(|(&part, _)| part).collect()
    }

    pub(in crate::admin) fn worst(&self) -> Option<Finding> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        survey::worst(parts.values().flat_map(|known| &known.findings)).cloned()
    }

    pub(in crate::admin) fn counts(&self) -> FindingCounts {
        count(&self.parts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<Part, PartFindings>)) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut parts);
        let FindingCounts { errors, warnings } = count(&parts);
        self.counters.findings.errors.set(errors);
        self.counters.findings.warnings.set(warnings);
    }
}

fn severity(findings: &[Finding]) -> Severity {
    findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok)
}

fn count(parts: &BTreeMap<Part, PartFindings>) -> FindingCounts {
    let all = || parts.values().flat_map(|known| &known.findings);
    let of = |severity| all().filter(|finding| finding.severity == severity).count() as u64;
    FindingCounts { errors: of(Severity::Error), warnings: of(Severity::Warning) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(board: &Board) -> (Option<String>, u64, u64) {
        let FindingCounts { errors, warnings } = board.counts();
        (board.worst().map(|finding| finding.step), errors, warnings)
    }

    #[test]
    fn a_glance_adds_but_does_not_clear_what_a_whole_look_has_found() {
        let counters = Arc::<Counters>::default();
        let board = Board::new(Arc::clone(&counters));
        assert_eq!(told(&board), (None, 0, 0));
        let red = |step: &str| vec![Finding::error(step, "it is away", "start it")];
        let fine = |step: &str| vec![Finding::good(step, "it is there")];
        let odd = vec![Finding::warning("clock", "it is late", "set it")];
        board.replace(Part::Clock, odd);
        board.add(Part::Push, red("push proxy"));
        assert_eq!(told(&board), (Some("push proxy".to_owned()), 1, 1));
        board.add(Part::Push, fine("push proxy"));
        assert_eq!(told(&board), (Some("clock".to_owned()), 0, 1), "a glance clears what a glance has found");
        let whole = |findings| Survey::with(Part::Push, findings);
        board.keep(&whole(red("push proxy")));
        board.add(Part::Push, fine("push proxy"));
        assert_eq!(told(&board), (Some("push proxy".to_owned()), 1, 1), "it was not asked");
        assert_eq!(board.troubled(), [Part::Clock, Part::Push]);
        board.keep(&whole(fine("push proxy")));
        assert_eq!(told(&board), (Some("clock".to_owned()), 0, 1));
        assert_eq!((counters.findings.errors.value(), counters.findings.warnings.value()), (0, 1));
    }

    #[test]
    fn of_two_that_are_as_bad_the_first_part_counts() {
        let board = Board::new(Arc::default());
        board.replace(Part::Tokens, vec![Finding::error("token", "dead", "restore it")]);
        board.replace(Part::Database, vec![Finding::error("database", "away", "start it")]);
        assert_eq!(told(&board), (Some("database".to_owned()), 2, 0));
    }
}
