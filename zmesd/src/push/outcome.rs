//! Reports outcomes of pushes: to the delivery log, counters, watchers, and `alarm test --wait`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tracing::{debug, info};
use zmes_shared::MonitorId;
use zmes_shared::words::{GiveUp, HeldBy};

use super::gates::Gates;
use super::parts::{DispatcherParts, PushCluster};
use super::queue::{Job, MEMORY};
use super::shipment::ProviderAnswer;
use super::status::PushStatus;
use crate::domain::{LedgerMark, SkipReason, TokenId};
use crate::ports::{Clock, Held, SendPermit};
use crate::route::{LedgerEnding, LedgerOutcome, Outlet, PushEnding, PushOutcome, PushReceipt, Tap};
use crate::state::{Attempt, Outcome};
use crate::telemetry::{Counters, Pushed, Transport};

/// A push that was given up: its token, and the monitor and time of its alarm.
pub(super) type GivenUp = (TokenId, MonitorId, Timestamp);

#[derive(Debug)]
pub(super) struct OutcomeReporter {
    pub(super) tap: Tap,
    pub(super) counters: Arc<Counters>,
    pub(super) status: Arc<PushStatus>,
    pub(super) clock: Arc<dyn Clock>,
    given_up: Vec<GivenUp>,
    /// Where the cluster hears of outcomes, and what lets this node send.
    cluster: Option<(Outlet<LedgerOutcome>, Arc<dyn SendPermit>)>,
    /// Alarms whose pushes have come out, as soon as the cluster was told what came of them.
    came_out: Vec<u64>,
}

impl OutcomeReporter {
    pub(super) fn new(parts: &DispatcherParts) -> Self {
        Self {
            tap: parts.tap.clone(),
            counters: Arc::clone(&parts.counters),
            status: Arc::clone(&parts.status),
            clock: Arc::clone(&parts.clock),
            given_up: Vec::new(),
            cluster: parts.cluster.as_ref().map(|PushCluster { outcomes, permit }| {
                (Outlet::new(outcomes.clone(), MEMORY), Arc::clone(permit))
            }),
            came_out: Vec::new(),
        }
    }

    /// A push of these alarms that the cluster let go out has come out, and its outcome is noted.
    pub(super) fn came_out(&mut self, alarms: &[u64]) {
        self.came_out.extend_from_slice(alarms);
    }

    /// Tells the cluster what found no room, and then which pushes have come out: who hands over waits for that.
    pub(super) fn tell_cluster(&mut self) {
        if let Some((outcomes, permit)) = &mut self.cluster
            && outcomes.offer()
            && !self.came_out.is_empty()
        {
            permit.came_out(&std::mem::take(&mut self.came_out));
        }
    }

    pub(super) fn waits_for_cluster(&self) -> bool {
        self.cluster.as_ref().is_some_and(|(outcomes, _)| !outcomes.is_empty())
    }

    pub(super) fn take_given_up(&mut self) -> Vec<GivenUp> {
        std::mem::take(&mut self.given_up)
    }

    pub(super) fn hold(&self, id: TokenId, by: HeldBy, wait: Duration, reason: String) {
        let until = self.clock.now().checked_add(wait).ok();
        self.status.hold(id, Held { by, until, reason });
    }

    pub(super) fn not_sent(&mut self, job: &Job, outcome: Outcome, gates: &Gates) -> Attempt {
        let mut transport = "".into();
        if let Outcome::Shadow { latency } = outcome {
            self.counters.timings.shadow.record(latency);
            // The transport that it would have taken.
            transport = gates.candidates(&job.token).first().map_or(transport, |first| first.name().into());
        }
        self.note(job, transport, Duration::ZERO, outcome)
    }

    /// `last`: no other transport was asked after this one; `elsewhere`: others were asked before.
    pub(super) fn answered(
        &mut self,
        jobs: &[Job],
        answer: &ProviderAnswer,
        last: bool,
        elsewhere: bool,
    ) -> Vec<Attempt> {
        let ProviderAnswer { transport, result, took, .. } = answer;
        let Some(token) = jobs.first().map(|job| &job.token.token) else { return Vec::new() };
        let error = match result {
            Ok(delivered) => {
                let digest = jobs.len() > 1;
                let sent = |job: &Job| {
                    let latency = self.latency(job);
                    self.counters.timings.pushed.record(latency);
                    let provider_id = delivered.provider_id.clone();
                    let outcome = Outcome::Sent { provider_id, latency, digest, remember: elsewhere };
                    self.note(job, Arc::clone(transport), *took, outcome)
                };
                return jobs.iter().map(sent).collect();
            }
            Err(error) => error,
        };
        let given_up = last && answer.is_final();
        if given_up {
            info!(%token, %transport, %error, "push given up");
        } else if !last {
            debug!(%token, %transport, %error, "asking the next transport");
        }
        let outcome = if given_up { Outcome::Failed } else { Outcome::Retry };
        let failed = |job| self.note(job, Arc::clone(transport), *took, outcome(error.to_string()));
        jobs.iter().map(failed).collect()
    }

    fn note(&mut self, job: &Job, transport: Arc<str>, took: Duration, outcome: Outcome) -> Attempt {
        match &outcome {
            Outcome::Sent { .. } => self.status.sent(),
            Outcome::Failed(_) | Outcome::GaveUp(_) => {
                self.status.gave_up();
                // Ends and updates start no interval.
                if !job.alarm.follows_start() {
                    self.given_up.push((job.token.id, job.alarm.monitor, job.alarm.at));
                }
            }
            Outcome::Skipped(_) | Outcome::Shadow { .. } | Outcome::Retry(_) => {}
        }
        self.counters.pushes.count((Transport::of(&transport), counted(&outcome)));
        report(job, &transport, &outcome);
        // The same moment for both: a watcher knows by it what it has read in the log already.
        let at = self.clock.now();
        self.tell(job, at, &outcome);
        if let (Some(mark), Some((outcomes, _))) = (job.ledger, &mut self.cluster)
            && let Some(told) = for_ledger(mark, job, at, &outcome)
            && outcomes.tell(told).is_some()
        {
            debug!("too many outcomes wait for the cluster: the next pusher may send one more");
        }
        Attempt {
            delivery: job.id,
            token: job.token.id,
            at,
            transport,
            attempts: job.attempts,
            took,
            outcome,
        }
    }

    fn tell(&self, job: &Job, at: Timestamp, outcome: &Outcome) {
        self.tap.delivery(|| {
            let detail = if let Outcome::Sent { provider_id, .. } = outcome {
                provider_id.clone()
            } else {
                Some(outcome.reason().into())
            };
            PushOutcome {
                at,
                alarm: Arc::clone(&job.alarm),
                token: Arc::clone(&job.token),
                outcome: outcome.step(),
                detail,
                latency: self.latency(job),
            }
        });
    }

    /// From the alarm's detection until now, by the wall clock: it may have been before a restart.
    fn latency(&self, job: &Job) -> Duration {
        Duration::try_from(self.clock.now().duration_since(job.alarm.at)).unwrap_or_default()
    }
}

fn counted(outcome: &Outcome) -> Pushed {
    match outcome {
        Outcome::Sent { .. } => Pushed::Sent,
        Outcome::Retry(_) => Pushed::Retry,
        Outcome::GaveUp(GiveUp::Expired) => Pushed::Expired,
        Outcome::Failed(_) | Outcome::GaveUp(_) => Pushed::Failed,
        Outcome::Shadow { .. } => Pushed::Shadow,
        Outcome::Skipped(_) => Pushed::Skipped,
    }
}

/// Returns what became of a push that is of all nodes.
fn for_ledger(mark: LedgerMark, job: &Job, at: Timestamp, outcome: &Outcome) -> Option<LedgerOutcome> {
    let (kind, provider_id) = match outcome {
        Outcome::Retry(_) => return None,
        Outcome::Sent { provider_id, .. } => (LedgerEnding::Taken, provider_id.clone()),
        Outcome::Failed(_) | Outcome::GaveUp(_) => (LedgerEnding::Abandoned, None),
        Outcome::Skipped(SkipReason::Elsewhere) => (LedgerEnding::Left, None),
        Outcome::Skipped(_) | Outcome::Shadow { .. } => (LedgerEnding::Withheld, None),
    };
    Some(LedgerOutcome {
        mark,
        token: job.token.handle,
        monitor: job.alarm.monitor,
        alarm_at: job.alarm.at,
        badge: job.badge,
        kind,
        reason: String::from(outcome.reason()),
        provider_id: provider_id.unwrap_or_default(),
        at,
    })
}

/// Answers `alarm test --wait`.
fn report(job: &Job, transport: &Arc<str>, outcome: &Outcome) {
    let Some(receipts) = &job.receipts else { return };
    let ending = match outcome {
        Outcome::Sent { provider_id, .. } => PushEnding::Sent(provider_id.clone()),
        Outcome::Retry(answer) => PushEnding::Failed(format!("{answer} (it will be tried again)")),
        Outcome::Failed(answer) => PushEnding::Failed(answer.clone()),
        Outcome::GaveUp(reason) => PushEnding::Failed(reason.word().to_owned()),
        Outcome::Skipped(reason) => PushEnding::Skipped(*reason),
        Outcome::Shadow { .. } => PushEnding::Skipped(SkipReason::Shadow),
    };
    let latency = job.alarm.detected.elapsed();
    let receipt = PushReceipt { token: job.token.id, transport: Arc::clone(transport), ending, latency };
    // A closed channel: the command has ended.
    receipts.try_send(receipt).ok();
}
