//! The daemon itself: do its router and its poller respond?

use std::time::Duration;

use tokio::time::Instant;
use zmes_shared::views::Finding;

use super::measure::{PartOutcome, number, took};
use crate::admin::AdminParts;

/// Poll intervals within which the poller must have run.
const ROUNDS: u32 = 3;
/// The poller always gets this long: a busy machine is not a dead daemon.
const PATIENCE: Duration = Duration::from_secs(1);
/// Interval between two readings of the counter.
const LOOK: Duration = Duration::from_millis(10);
const STEP: &str = "daemon";
const HINT: &str = "journalctl -u zmesd -n 50; then: systemctl restart zmesd";

pub(super) async fn look(parts: &AdminParts) -> PartOutcome {
    let asked = Instant::now();
    if parts.router.ping().await.is_err() {
        return vec![Finding::error(STEP, "the router does not respond", HINT)].into();
    }
    let mut perf = vec![took("router", asked)];
    if let Ok(clients) = parts.router.count().await {
        perf.push(number("clients", clients.authenticated));
    }
    let before = parts.counters.polls.value();
    let patience = PATIENCE.max(parts.poll_interval.saturating_mul(ROUNDS));
    let moved = async {
        while parts.counters.polls.value() == before {
            tokio::time::sleep(LOOK).await;
        }
    };
    let finding = match tokio::time::timeout(patience, moved).await {
        Ok(()) => Finding::good(STEP, "router and poller respond"),
        Err(_) => Finding::error(STEP, "the poller does not respond", HINT),
    };
    PartOutcome { findings: vec![finding], perf }
}
