//! How long things take: one histogram for each, which `zmesctl latency` and Prometheus read alike.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use super::labels::Transport;
use super::tally::Labels;
use crate::ports::StageLatency;

/// Longest time that is distinguished: longer times count as this one.
const LONGEST: Duration = Duration::from_hours(1);
/// Digits that are exact: an error of 1 % costs some KiB for each histogram.
const DIGITS: u8 = 2;
/// Bounds of a poll round, in seconds: 16 monitors take some 50 µs, and `poll-interval` is 20 ms.
const ROUND: [f64; 9] = [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.01, 0.05, 0.25];
/// Buckets for the response times of providers; transports give up after 10 s.
const ANSWER: [f64; 9] = [0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Bounds from an alarm to the provider's answer; `push.retry-for` is 10 minutes.
const WAY: [f64; 12] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 600.0];

#[derive(Debug)]
pub struct Timing {
    measured: Mutex<Measurements>,
    /// Upper bounds of the buckets for Prometheus, in seconds.
    bounds: &'static [f64],
}

#[derive(Debug, Clone)]
struct Measurements {
    /// In microseconds.
    histogram: Histogram<u32>,
    sum: Duration,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TimingBuckets {
    pub count: u64,
    pub sum: f64,
    /// For each upper bound in seconds, the last of which is infinite, how many are above the one before it.
    pub buckets: Vec<(f64, u64)>,
}

impl Timing {
    #[expect(
        clippy::expect_used,
        reason = "the bounds are constants, and good ones: a test makes a histogram"
    )]
    fn new(bounds: &'static [f64]) -> Self {
        let histogram = Histogram::new_with_max(micros(LONGEST), DIGITS).expect("invariant: constant bounds");
        Self { measured: Mutex::new(Measurements { histogram, sum: Duration::ZERO }), bounds }
    }

    pub fn record(&self, took: Duration) {
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        measured.histogram.saturating_record(micros(took));
        measured.sum = measured.sum.saturating_add(took);
    }

    /// Returns the measurements in Prometheus buckets. A measurement within 1 % of a bound may count on its other side.
    pub fn buckets(&self) -> TimingBuckets {
        let Measurements { histogram, sum } = self.measured();
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let mut buckets: Vec<_> = bounds.map(|bound| (bound, 0)).collect();
        for measured in histogram.iter_recorded() {
            let seconds = Duration::from_micros(histogram.lowest_equivalent(measured.value_iterated_to()))
                .as_secs_f64();
            if let Some((_, count)) = buckets.iter_mut().find(|(bound, _)| seconds <= *bound) {
                *count += measured.count_since_last_iteration();
            }
        }
        TimingBuckets { count: histogram.len(), sum: sum.as_secs_f64(), buckets }
    }

    fn measured(&self) -> Measurements {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[derive(Debug)]
pub struct Timings {
    pub poll: Timing,
    /// From an alarm's detection until every app's frame is queued.
    pub decided: Timing,
    /// From an alarm's detection until a provider has taken the push.
    pub pushed: Timing,
    /// From an alarm's detection until a push would have been sent, in shadow mode.
    pub shadow: Timing,
    /// Response times of providers, whatever the answer.
    provider: Vec<(Transport, Timing)>,
}

impl Default for Timings {
    fn default() -> Self {
        let transports = Transport::all().into_iter().filter(|transport| *transport != Transport::None);
        Self {
            poll: Timing::new(&ROUND),
            decided: Timing::new(&WAY),
            pushed: Timing::new(&WAY),
            shadow: Timing::new(&WAY),
            provider: transports.map(|transport| (transport, Timing::new(&ANSWER))).collect(),
        }
    }
}

impl Timings {
    pub fn record_answer(&self, transport: Transport, took: Duration) {
        if let Some((_, timing)) = self.provider.iter().find(|(known, _)| *known == transport) {
            timing.record(took);
        }
    }

    pub fn provider(&self) -> &[(Transport, Timing)] {
        &self.provider
    }

    /// Returns the stages of an alarm's way, in their order; that of shadow mode only if it was measured.
    pub fn report(&self) -> Vec<StageLatency> {
        let answers = self.provider.iter().map(|(_, timing)| timing.measured().histogram);
        let provider = answers.reduce(|mut all, one| {
            // Both have the same bounds, so nothing is out of range.
            all.add(&one).ok();
            all
        });
        let of = |timing: &Timing| Some(timing.measured().histogram);
        let stages = [
            ("decided", of(&self.decided)),
            ("provider", provider),
            ("pushed", of(&self.pushed)),
            ("shadow", of(&self.shadow).filter(|histogram| !histogram.is_empty())),
        ];
        stages.into_iter().filter_map(|(stage, histogram)| Some(latency(stage, &histogram?))).collect()
    }
}

fn latency(stage: &str, histogram: &Histogram<u32>) -> StageLatency {
    // Rounded to the microsecond: nothing here is measured more exactly.
    let milliseconds = |micros| (Duration::from_micros(micros).as_secs_f64() * 1_000_000.0).round() / 1000.0;
    let at = |quantile| milliseconds(histogram.value_at_quantile(quantile));
    StageLatency {
        stage: stage.to_owned(),
        count: histogram.len(),
        p50_ms: at(0.5),
        p90_ms: at(0.9),
        p99_ms: at(0.99),
        max_ms: milliseconds(histogram.max()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_told_by_stage() {
        let timings = Timings::default();
        (1..=100).for_each(|millis| timings.pushed.record(Duration::from_millis(millis)));
        timings.decided.record(Duration::from_hours(24));
        timings.shadow.record(Duration::from_micros(120));
        let report = timings.report();
        assert_eq!(report.iter().map(|stage| stage.count).collect::<Vec<_>>(), [1, 0, 100, 1]);
        let close = |told: f64, millis: f64| (told - millis).abs() <= 1.0;
        assert!(close(report[2].p50_ms, 50.0) && close(report[2].p99_ms, 99.0), "{report:?}");
        assert!(report[0].max_ms >= LONGEST.as_secs_f64() * 1000.0, "{report:?}");
        assert_eq!(serde_json::json!([report[1].max_ms, report[3].p50_ms]).to_string(), "[0.0,0.12]");
    }

    #[test]
    fn prometheus_and_zmesctl_read_the_same_numbers() {
        let timings = Timings::default();
        for (transport, millis) in
            [(Transport::Fcm, 4), (Transport::Fcm, 5), (Transport::Fcm, 90), (Transport::Apns, 20_000)]
        {
            timings.record_answer(transport, Duration::from_millis(millis));
        }
        timings.record_answer(Transport::None, Duration::from_millis(1));
        let buckets = |wanted| {
            let (_, timing) = timings.provider().iter().find(|(transport, _)| *transport == wanted).unwrap();
            let TimingBuckets { count, sum, buckets } = timing.buckets();
            (count, (sum * 1000.0).round(), buckets.into_iter().map(|(_, count)| count).collect::<Vec<_>>())
        };
        assert_eq!(buckets(Transport::Fcm), (3, 99.0, vec![2, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
        assert_eq!(buckets(Transport::Apns), (1, 20_000.0, vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), "+Inf");
        assert_eq!(buckets(Transport::Proxy).0, 0);
        let stages = timings.report();
        let provider = &stages[1];
        assert_eq!((provider.stage.as_str(), provider.count), ("provider", 4), "all of them together");
        assert!((provider.p50_ms - 5.0).abs() < 1.0, "{provider:?}");
    }

    #[test]
    fn a_bound_counts_what_is_exactly_that_long() {
        for (place, bound) in WAY.iter().enumerate() {
            let timing = Timing::new(&WAY);
            timing.record(Duration::from_secs_f64(*bound));
            assert_eq!(timing.buckets().buckets[place], (*bound, 1));
        }
    }
}
