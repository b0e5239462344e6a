//! Whether a push may still be sent at the moment when its turn has come.

use std::time::Duration;

use zmes_providers::PictureWay;
use zmes_shared::MonitorId;
use zmes_shared::words::GiveUp;

use super::gates::Gates;
use super::parts::DispatcherParts;
use super::queue::Job;
use crate::domain::{LedgerMark, SkipReason, StartState};
use crate::state::Outcome;

impl DispatcherParts {
    pub(super) fn refusal(&self, job: &Job, gates: &Gates) -> Option<Outcome> {
        if job.ledger.is_some_and(|mark| !self.may_send(mark)) {
            return Some(Outcome::Skipped(SkipReason::Elsewhere));
        }
        let unstarted = match job.start.map(|start| start.state).unwrap_or_default() {
            StartState::Sent => false,
            StartState::Shadow => !self.in_shadow(),
            StartState::NotSent => true,
        };
        if unstarted {
            return Some(Outcome::Skipped(SkipReason::NotStarted));
        }
        if job.expired(self.clock.now(), self.config.retry_for) {
            return Some(Outcome::GaveUp(GiveUp::Expired));
        }
        if let Some(reason) = self.forbidden(job) {
            return Some(Outcome::Skipped(reason));
        }
        if self.in_shadow() {
            let latency = Duration::try_from(self.clock.now().duration_since(job.alarm.at));
            return Some(Outcome::Shadow { latency: latency.unwrap_or_default() });
        }
        if job.token.handle.is_target() && gates.candidates(&job.token).is_empty() {
            return Some(Outcome::Skipped(SkipReason::NotConfigured));
        }
        let ways = gates.candidates(&job.token);
        let Some(first) = ways.first() else { return Some(Outcome::GaveUp(GiveUp::NoTransport)) };
        let shows_better = first.replaces() && first.picture_way() != PictureWay::Nothing;
        if job.alarm.updates_picture_alone() && !shows_better {
            return Some(Outcome::Skipped(SkipReason::NotReplaceable));
        }
        None
    }

    fn may_send(&self, mark: LedgerMark) -> bool {
        // Out of the cluster, this node sends what it had decided in it.
        self.cluster.as_ref().is_none_or(|cluster| cluster.permit.holds(mark.turn))
    }

    pub(super) fn in_shadow(&self) -> bool {
        self.rules.borrow().shadow
    }

    fn forbidden(&self, job: &Job) -> Option<SkipReason> {
        if !self.auth.borrow().enabled || job.token.user.is_empty() {
            return None;
        }
        let catalog = self.catalog.borrow();
        // What was decided holds until the database has been read again: the router knew at least as much.
        let ours = job.id > self.last_delivery;
        let read_since = catalog.read_at.is_some_and(|read_at| read_at > job.alarm.detected);
        if catalog.loaded_at.is_none() || (ours && !read_since) {
            return None;
        }
        // Troubles of the daemon, and digests of all monitors, concern no monitor.
        if job.alarm.monitor == MonitorId(0) {
            return catalog.may_be_told(&job.token.user).err();
        }
        catalog.may_hear(&job.token.user, job.alarm.monitor).err()
    }
}
