//! What becomes of pushes that have come out: written down, tried again, or given up.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{debug, info, warn};
use zmes_providers::{Delivered, PushError};

use super::choice::gate_of;
use super::dispatcher::Dispatcher;
use super::lanes::{Delay, Job};
use super::retry;
use super::shipment::{Answer, Shipped};
use crate::domain::TokenId;
use crate::ports::{HeldBy, PushEnding, PushReceipt};
use crate::route::PushOutcome;
use crate::state::{Attempt, Outcome};
use crate::telemetry::{Pushed, Stage, Transport};

/// What a delivery that comes too late is marked with.
const EXPIRED: &str = "expired";
/// What is marked where no transport takes the token.
const NO_TRANSPORT: &str = "no transport takes this token";

impl Dispatcher {
    /// Returns why a job is not sent (any more), if so.
    pub(super) fn refusal(&self, job: &Job) -> Option<Outcome> {
        if job.expired(self.parts.clock.now(), self.parts.config.retry_for) {
            return Some(Outcome::Failed(EXPIRED.to_owned()));
        }
        if let Some(reason) = self.forbidden(job) {
            return Some(Outcome::Skipped(reason.as_str()));
        }
        if self.in_shadow() {
            return Some(Outcome::Shadow { latency: self.latency(job) });
        }
        if self.candidates(&job.token).is_empty() {
            return Some(Outcome::Failed(NO_TRANSPORT.to_owned()));
        }
        None
    }

    /// Gives up what has expired.
    pub(super) fn conclude_expired(&mut self, job: &Job) {
        self.conclude(job, Outcome::Failed(EXPIRED.to_owned()));
    }

    /// Ends a job for a reason that is not a provider's.
    pub(super) fn conclude(&mut self, job: &Job, outcome: Outcome) {
        let mut transport = "".into();
        if let Outcome::Shadow { latency } = outcome {
            self.parts.latencies.record(Stage::Shadow, latency);
            // The way that it would have taken.
            transport = self.candidates(&job.token).first().map_or(transport, |first| first.name().into());
        }
        self.note(job, transport, Duration::ZERO, outcome);
    }

    /// Takes what has come out.
    pub(super) fn on_shipped(&mut self, shipped: Shipped) {
        let Shipped { shipment, answers } = shipped;
        self.unsaved.close();
        let (id, now) = (shipment.token, Instant::now());
        if let Some(gate) = self.gates.iter_mut().find(|gate| Some(gate.id) == shipment.gate) {
            gate.came_out();
            self.parts.status.came_out(gate.name());
        }
        for answer in answers.iter().filter(|answer| answer.asked) {
            self.judge(answer, now);
        }
        let asked = answers.len();
        let mut delay = None;
        for (number, answer) in answers.into_iter().enumerate() {
            let last = number + 1 == asked;
            let mut jobs = shipment.jobs.clone();
            for job in &mut jobs {
                job.attempts += u32::try_from(number + 1).unwrap_or(1);
            }
            let retried = self.take_answer(&answer, &jobs, shipment.digest, last, number > 0);
            if let Some(wait) = retried {
                for job in &mut jobs {
                    job.receipts = None;
                }
                self.lanes.put_back(jobs);
                delay = Some(self.delayed(id, &answer, now, wait));
            }
        }
        self.unsaved.close_push(shipment.gate);
        self.back(id, delay);
    }

    /// Returns how a phone waits for the next attempt, and tells others.
    fn delayed(&self, id: TokenId, answer: &Answer, now: Instant, wait: Duration) -> Delay {
        let phone = matches!(answer.result, Err(PushError::Phone { .. }));
        let reason = answer.result.as_ref().err().map(ToString::to_string).unwrap_or_default();
        self.hold(id, if phone { HeldBy::Phone } else { HeldBy::Retry }, wait, reason);
        Delay { until: now + wait, for_the_transport: !phone }
    }

    /// Writes down what one transport has answered; returns how long to wait where the jobs are to be tried again.
    fn take_answer(
        &mut self,
        answer: &Answer,
        jobs: &[Job],
        digest: bool,
        last: bool,
        elsewhere: bool,
    ) -> Option<Duration> {
        let Answer { transport, result, took, .. } = answer;
        let token = jobs.first().map(|job| Arc::clone(&job.token))?;
        match result {
            Ok(delivered) => {
                if elsewhere {
                    self.remembered.insert(token.id, Arc::clone(transport));
                }
                if digest {
                    self.lanes.guard(token.id, Instant::now()).cleared();
                }
                self.delivered(jobs, transport, *took, delivered, elsewhere);
                None
            }
            Err(error) if !last => {
                debug!(token = %token.token, %transport, %error, "asking the next transport");
                for job in jobs {
                    self.note(job, Arc::clone(transport), *took, Outcome::Retry(error.to_string()));
                }
                None
            }
            // The transport rests by itself: this phone's newer alarms must not wait for longer than that.
            Err(PushError::Transport(_)) => self.retry(jobs, answer, None),
            Err(PushError::Phone { retry_after, .. }) => {
                let retry_after = *retry_after;
                self.retry(jobs, answer, retry_after)
            }
            Err(error @ (PushError::Dead(_) | PushError::WrongApp(_) | PushError::Message(_))) => {
                info!(token = %token.token, %transport, %error, "push given up");
                for job in jobs {
                    self.note(job, Arc::clone(transport), *took, Outcome::Failed(error.to_string()));
                }
                if let PushError::Dead(reason) = error {
                    self.bury(token.id, reason.clone());
                }
                None
            }
        }
    }

    fn delivered(
        &mut self,
        jobs: &[Job],
        transport: &Arc<str>,
        took: Duration,
        delivered: &Delivered,
        remember: bool,
    ) {
        let reason = if jobs.len() > 1 { "digest" } else { "" };
        self.parts.latencies.record(Stage::Provider, took);
        for job in jobs {
            let latency = self.latency(job);
            self.parts.latencies.record(Stage::Pushed, latency);
            self.parts.counters.timings.alarm_to_push.record(latency);
            let provider_id = delivered.provider_id.clone();
            self.note(
                job,
                Arc::clone(transport),
                took,
                Outcome::Sent { provider_id, latency, reason, remember },
            );
        }
    }

    fn retry(&mut self, jobs: &[Job], answer: &Answer, retry_after: Option<Duration>) -> Option<Duration> {
        let Err(error) = &answer.result else { return None };
        let attempts = jobs.iter().map(|job| job.attempts).max()?;
        for job in jobs {
            self.note(job, Arc::clone(&answer.transport), answer.took, Outcome::Retry(error.to_string()));
        }
        Some(retry::wait(attempts, retry_after, fastrand::f64()))
    }

    /// Tells a transport's breaker of an answer.
    fn judge(&mut self, answer: &Answer, now: Instant) {
        self.parts.counters.timings.record_push(Transport::of(&answer.transport), answer.took);
        // Of a transport that was replaced meanwhile nothing is to be learnt for its successor.
        let Some(place) = self.gates.iter().position(|gate| Some(gate.id) == answer.gate) else { return };
        let Some(gate) = self.gates.get_mut(place) else { return };
        let (status, at) = (&self.parts.status, self.parts.clock.now());
        let fault = match &answer.result {
            Err(PushError::Transport(fault)) => fault,
            Ok(_)
            | Err(
                PushError::Dead(_) | PushError::WrongApp(_) | PushError::Message(_) | PushError::Phone { .. },
            ) => {
                let works_again = gate.breaker.answered();
                match &answer.result {
                    Ok(_) => status.accepted(gate.name(), at),
                    Err(PushError::Message(detail)) => status.refused(gate.name(), at, detail),
                    Err(_) => status.answered(gate.name()),
                }
                if works_again {
                    info!(transport = gate.name(), "the transport works again");
                    let (transports, remembered) = (&self.transports, &self.remembered);
                    self.lanes.hurry(now, place, |token| gate_of(transports, remembered, token));
                }
                return;
            }
        };
        let rest = gate.breaker.failed(now, fault.retry_after, fastrand::f64());
        if let Some(rest) = rest {
            let (error, kind) = (fault.to_string(), fault.kind.word());
            warn!(transport = gate.name(), error, kind, rest = ?rest, "transport failed; pushes wait");
        }
        let until = rest.and_then(|rest| at.checked_add(rest).ok());
        status.broke(gate.name(), at, fault, until);
    }

    fn note(&mut self, job: &Job, transport: Arc<str>, took: Duration, outcome: Outcome) {
        if !matches!(outcome, Outcome::Retry(_)) {
            self.finish(job.id);
        }
        let status = &self.parts.status;
        match &outcome {
            Outcome::Sent { .. } => {
                status.sent();
                status.went();
            }
            Outcome::Failed(_) => {
                status.gave_up();
                status.went();
                self.untold.push((job.token.id, job.alarm.monitor, job.alarm.at));
            }
            Outcome::Skipped(_) | Outcome::Shadow { .. } => status.went(),
            Outcome::Retry(_) => {}
        }
        self.parts.counters.pushes.count((Transport::of(&transport), counted(&outcome)));
        report(job, &transport, &outcome);
        // The same moment for both: a watcher knows by it what it has read in the log already.
        let at = self.parts.clock.now();
        self.tell(job, at, &outcome);
        let attempt = Attempt {
            delivery: job.id,
            token: job.token.id,
            at,
            transport,
            attempts: job.attempts,
            took,
            outcome,
        };
        self.unsaved.add(attempt);
    }

    /// Tells those who watch.
    fn tell(&self, job: &Job, at: Timestamp, outcome: &Outcome) {
        self.parts.tap.delivery(|| {
            let (word, detail) = match outcome {
                Outcome::Sent { provider_id, .. } => ("sent", provider_id.clone()),
                Outcome::Retry(answer) => ("retry", Some(answer.clone())),
                Outcome::Failed(answer) => ("failed", Some(answer.clone())),
                Outcome::Skipped(reason) => ("skipped", Some((*reason).to_owned())),
                Outcome::Shadow { .. } => ("skipped", Some(Outcome::SHADOW.to_owned())),
            };
            PushOutcome {
                at,
                alarm: Arc::clone(&job.alarm),
                token: Arc::clone(&job.token),
                outcome: word,
                detail,
                latency: self.latency(job),
            }
        });
    }

    /// From the alarm's detection until now, by the wall clock: it may have been before a restart.
    fn latency(&self, job: &Job) -> Duration {
        Duration::try_from(self.parts.clock.now().duration_since(job.alarm.at)).unwrap_or_default()
    }
}

/// Returns what an outcome counts as.
fn counted(outcome: &Outcome) -> Pushed {
    match outcome {
        Outcome::Sent { .. } => Pushed::Sent,
        Outcome::Retry(_) => Pushed::Retry,
        Outcome::Failed(reason) if reason == EXPIRED => Pushed::Expired,
        Outcome::Failed(_) => Pushed::Failed,
        Outcome::Shadow { .. } => Pushed::Shadow,
        Outcome::Skipped(_) => Pushed::Skipped,
    }
}

/// Tells whoever waits for this delivery.
fn report(job: &Job, transport: &Arc<str>, outcome: &Outcome) {
    let Some(receipts) = &job.receipts else { return };
    let ending = match outcome {
        Outcome::Sent { provider_id, .. } => PushEnding::Sent(provider_id.clone()),
        Outcome::Retry(answer) => PushEnding::Failed(format!("{answer} (it will be tried again)")),
        Outcome::Failed(answer) => PushEnding::Failed(answer.clone()),
        Outcome::Skipped(reason) => PushEnding::Skipped(reason),
        Outcome::Shadow { .. } => PushEnding::Skipped(Outcome::SHADOW),
    };
    let latency = job.alarm.detected.elapsed();
    let receipt = PushReceipt { token: job.token.id, transport: Arc::clone(transport), ending, latency };
    // A closed channel means that nobody waits any more.
    receipts.try_send(receipt).ok();
}
