//! `latency`

use std::time::Duration;

use zmes_shared::views::{Latency, StageLatency};

use crate::admin::AdminParts;

pub(super) fn show(parts: &AdminParts) -> Latency {
    let stages = parts.push.latencies().into_iter().map(|stage| StageLatency {
        stage: stage.stage,
        count: stage.count,
        p50_ms: milliseconds(stage.p50),
        p90_ms: milliseconds(stage.p90),
        p99_ms: milliseconds(stage.p99),
        max_ms: milliseconds(stage.max),
    });
    Latency { stages: stages.collect() }
}

/// Returns milliseconds to the microsecond: nothing here is measured more exactly.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}
