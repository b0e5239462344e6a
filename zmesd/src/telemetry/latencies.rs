//! How long alarms take, stage by stage, since the start.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::ports::StageLatency;

/// Longest time that is told apart: what takes longer counts as that.
const LONGEST: Duration = Duration::from_hours(1);
/// Digits that are exact: an error of 1 % costs a few KiB for each stage.
const DIGITS: u8 = 2;

/// A stretch of an alarm's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// From detection until every app's frame is queued.
    Decided,
    /// From detection until a provider has taken the push.
    Pushed,
    /// What a provider takes to answer.
    Provider,
    /// From detection until a push would have been sent, in shadow mode.
    Shadow,
}

impl Stage {
    /// All of them, in the order of an alarm's way.
    pub const ALL: [Self; 4] = [Self::Decided, Self::Provider, Self::Pushed, Self::Shadow];

    /// Returns the word for `zmesctl latency`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Provider => "provider",
            Self::Pushed => "pushed",
            Self::Shadow => "shadow",
        }
    }
}

/// The measurements, shared by reference.
#[derive(Debug)]
pub struct Latencies {
    decided: Mutex<Histogram<u32>>,
    provider: Mutex<Histogram<u32>>,
    pushed: Mutex<Histogram<u32>>,
    shadow: Mutex<Histogram<u32>>,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { decided: histogram(), provider: histogram(), pushed: histogram(), shadow: histogram() }
    }
}

#[expect(clippy::expect_used, reason = "the bounds are constants, and good ones: a test makes a histogram")]
fn histogram() -> Mutex<Histogram<u32>> {
    let longest = u64::try_from(LONGEST.as_micros()).unwrap_or(u64::MAX);
    Mutex::new(Histogram::new_with_max(longest, DIGITS).expect("invariant: constant bounds"))
}

impl Latencies {
    /// Adds a measurement.
    pub fn record(&self, stage: Stage, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.of(stage).lock().unwrap_or_else(PoisonError::into_inner).saturating_record(micros);
    }

    /// Returns what was measured, stage by stage; stages without a measurement among them, but for that of the shadow
    /// mode, of which most daemons know nothing.
    pub fn report(&self) -> Vec<StageLatency> {
        let reports = Stage::ALL.map(|stage| (stage, self.report_of(stage)));
        let told = reports.into_iter().filter(|(stage, report)| *stage != Stage::Shadow || report.count > 0);
        told.map(|(_, report)| report).collect()
    }

    fn report_of(&self, stage: Stage) -> StageLatency {
        let histogram = self.of(stage).lock().unwrap_or_else(PoisonError::into_inner);
        let at = |quantile| Duration::from_micros(histogram.value_at_quantile(quantile));
        StageLatency {
            stage: stage.as_str().to_owned(),
            count: histogram.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: Duration::from_micros(histogram.max()),
        }
    }

    fn of(&self, stage: Stage) -> &Mutex<Histogram<u32>> {
        match stage {
            Stage::Decided => &self.decided,
            Stage::Provider => &self.provider,
            Stage::Pushed => &self.pushed,
            Stage::Shadow => &self.shadow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_told_by_stage() {
        let latencies = Latencies::default();
        (1..=100).for_each(|millis| latencies.record(Stage::Pushed, Duration::from_millis(millis)));
        latencies.record(Stage::Decided, Duration::from_hours(24));
        let report = latencies.report();
        assert_eq!(report.iter().map(|stage| stage.count).collect::<Vec<_>>(), [1, 0, 100]);
        let close = |told: Duration, millis: u64| told.as_millis().abs_diff(millis.into()) <= 1;
        assert!(close(report[2].p50, 50) && close(report[2].p99, 99), "{report:?}");
        assert!(report[0].max >= LONGEST, "{report:?}");
        assert_eq!(report[1].max, Duration::ZERO);
    }
}
