//! How long things take, as histograms for Prometheus. `zmesctl latency` has quantiles of its own, which need no server.

use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;

use super::labels::Transport;
use super::tally::Labels;

/// Bounds of a poll round, in seconds: 16 monitors take some 50 µs, and `poll-interval` is 20 ms.
const ROUND: [f64; 9] = [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.01, 0.05, 0.25];
/// Bounds of what a provider takes to answer; transports give up after 10 s.
const ANSWER: [f64; 9] = [0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Bounds from an alarm to the provider's answer; `push.retry-for` is 10 minutes.
const WAY: [f64; 12] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 600.0];

/// A histogram of durations.
#[derive(Debug, Clone)]
pub struct Timing(Histogram);

impl Timing {
    fn new(bounds: &[f64]) -> Self {
        Self(Histogram::new(bounds.iter().copied()))
    }

    /// Adds a measurement.
    pub fn record(&self, took: Duration) {
        self.0.observe(took.as_secs_f64());
    }

    /// Returns the histogram, to be encoded.
    pub fn histogram(&self) -> &Histogram {
        &self.0
    }
}

/// The histograms.
#[derive(Debug)]
pub struct Timings {
    /// One round of the poller.
    pub poll: Timing,
    /// From an alarm's detection until a provider has taken the push.
    pub alarm_to_push: Timing,
    /// What a provider takes to answer, whatever it answers.
    push: Vec<(Transport, Timing)>,
}

impl Default for Timings {
    fn default() -> Self {
        let transports = Transport::all().into_iter().filter(|transport| *transport != Transport::None);
        Self {
            poll: Timing::new(&ROUND),
            alarm_to_push: Timing::new(&WAY),
            push: transports.map(|transport| (transport, Timing::new(&ANSWER))).collect(),
        }
    }
}

impl Timings {
    /// Adds what a provider took.
    pub fn record_push(&self, transport: Transport, took: Duration) {
        if let Some((_, timing)) = self.push.iter().find(|(known, _)| *known == transport) {
            timing.record(took);
        }
    }

    /// Returns what providers take, for each kind of transport.
    pub fn push(&self) -> &[(Transport, Timing)] {
        &self.push
    }
}
