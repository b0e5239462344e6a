//! The daemon itself: its router moves, and its poller does.

use std::time::Duration;

use tokio::time::Instant;
use zmes_shared::views::Finding;

use super::measure::{Outcome, number, took};
use crate::admin::AdminParts;

/// Rounds within which the poller must have moved.
const ROUNDS: u32 = 3;
/// At least this long it may take: a busy machine is not a dead daemon.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the counter is read meanwhile.
const LOOK: Duration = Duration::from_millis(10);
const STEP: &str = "daemon";
const HINT: &str = "journalctl -u zmesd -n 50; then: systemctl restart zmesd";

/// Asks the router, and waits for the poller's next round.
pub(super) async fn look(parts: &AdminParts) -> Outcome {
    let asked = Instant::now();
    if parts.router.ping().await.is_err() {
        return vec![Finding::error(STEP, "the router does not move", HINT)].into();
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
        Ok(()) => Finding::good(STEP, "router and poller move"),
        Err(_) => Finding::error(STEP, "the poller does not move", HINT),
    };
    Outcome::new(vec![finding], perf)
}
