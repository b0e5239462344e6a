//! Measured values of a check, for graphs of monitoring systems.

use tokio::time::Instant;
use zmes_shared::views::{Finding, Perf};

#[derive(Debug, Clone, Default)]
pub(in crate::admin) struct PartOutcome {
    pub(in crate::admin) findings: Vec<Finding>,
    pub(in crate::admin) perf: Vec<Perf>,
}

impl From<Vec<Finding>> for PartOutcome {
    fn from(findings: Vec<Finding>) -> Self {
        Self { findings, perf: Vec::new() }
    }
}

pub(super) fn number(label: &str, value: u64) -> Perf {
    signed(label, i64::try_from(value).unwrap_or(i64::MAX))
}

pub(super) fn signed(label: &str, value: i64) -> Perf {
    Perf { label: label.to_owned(), value, unit: String::new(), warning: None, critical: None }
}

/// A number of things that failed: each of them is critical.
pub(in crate::admin) fn failures(label: &str, value: u64) -> Perf {
    let none = Some("0".to_owned());
    Perf { warning: none.clone(), critical: none, ..number(label, value) }
}

pub(super) fn bytes(label: &str, value: u64) -> Perf {
    Perf { unit: "B".to_owned(), ..number(label, value) }
}

pub(in crate::admin) fn milliseconds(label: &str, value: u64) -> Perf {
    Perf { unit: "ms".to_owned(), ..number(label, value) }
}

pub(super) fn took(label: &str, began: Instant) -> Perf {
    milliseconds(label, u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX))
}
