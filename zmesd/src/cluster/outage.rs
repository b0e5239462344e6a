//! For how long the ledger was away: what it has, and nobody could send meanwhile, must not be lost for that. Pure.

use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug, Default)]
pub(super) struct Outages {
    since: Option<Instant>,
    /// When the last one ended, and how long it lasted, with those before it that counted still.
    last: Option<(Instant, Duration)>,
}

impl Outages {
    /// The ledger did not answer.
    pub(super) fn away(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// The ledger answered. `retry_for`: how long pushes are tried.
    pub(super) fn answered(&mut self, now: Instant, retry_for: Duration) {
        if let Some(since) = self.since.take() {
            self.last = Some((now, now.duration_since(since) + self.allowance(since, retry_for)));
        }
    }

    /// Returns how much older than `retry_for` an alarm of the ledger may be that is still to be sent.
    pub(super) fn allowance(&self, now: Instant, retry_for: Duration) -> Duration {
        let counts = |(ended, _): &(Instant, Duration)| now.duration_since(*ended) < retry_for;
        self.last.filter(counts).map_or(Duration::ZERO, |(_, lasted)| lasted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_may_be_older_by_the_time_that_the_ledger_was_away() {
        let (start, retry_for) = (Instant::now(), Duration::from_mins(10));
        let at = |second| start + Duration::from_secs(second);
        let mut outages = Outages::default();
        outages.answered(at(0), retry_for);
        assert_eq!(outages.allowance(at(1), retry_for), Duration::ZERO);
        outages.away(at(10));
        outages.away(at(700));
        outages.answered(at(910), retry_for);
        outages.answered(at(911), retry_for);
        assert_eq!(outages.allowance(at(912), retry_for), Duration::from_mins(15));
        // Soon away again: nothing could be sent in between.
        outages.away(at(920));
        outages.answered(at(1_020), retry_for);
        assert_eq!(outages.allowance(at(1_021), retry_for), Duration::from_secs(1_000));
        assert_eq!(outages.allowance(at(1_620), retry_for), Duration::ZERO, "all had their time");
        outages.away(at(2_000));
        outages.answered(at(2_005), retry_for);
        assert_eq!(outages.allowance(at(2_006), retry_for), Duration::from_secs(5));
    }
}
