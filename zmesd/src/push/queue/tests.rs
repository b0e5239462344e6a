//! The queue with a model of the disk.

mod ends;
mod properties;

use std::collections::BTreeMap;

use zmes_providers::{Platform, Urgency};

use super::*;
use crate::domain::{Alarm, SkipReason};
use crate::push::tests::fakes::{alarm, token};

const LIMITS: QueueLimits = QueueLimits {
    memory: 8,
    storm_limit: 1000,
    storm_window: STORM_WINDOW,
    retry_for: Duration::from_mins(10),
};

fn here(_: &Token) -> usize {
    0
}

fn never(_: &Job) -> Option<Outcome> {
    None
}

/// The state file: rows are there once the note that has them is committed.
#[derive(Debug, Default)]
struct DiskModel {
    notes: VecDeque<NoteModel>,
    rows: BTreeMap<DeliveryId, RowModel>,
    committed: Committed,
}

#[derive(Debug)]
enum NoteModel {
    Announced(Vec<RowModel>),
    Attempts(Vec<Attempt>),
    Withdrawn(TokenId, DeliveryId),
}

#[derive(Debug, Clone)]
struct RowModel {
    push: QueuedPush,
    queued: bool,
}

impl DiskModel {
    fn note_announced(&mut self, batch: &PushBatch) {
        let row = |delivery: &PushDelivery| RowModel {
            push: QueuedPush {
                id: delivery.id,
                token: Arc::clone(&delivery.token),
                alarm: Arc::clone(&batch.alarm),
                badge: delivery.badge,
                urgency: delivery.urgency,
                attempts: 0,
                start: None,
                ledger: batch.ledger,
            },
            queued: true,
        };
        self.notes.push_back(NoteModel::Announced(batch.deliveries.iter().map(row).collect()));
    }

    /// Writes this many notes.
    fn commit(&mut self, notes: usize) {
        for note in self.notes.drain(..notes.min(self.notes.len())) {
            match note {
                NoteModel::Announced(rows) => {
                    self.committed.last = rows.last().unwrap().push.id;
                    self.rows.extend(rows.into_iter().map(|row| (row.push.id, row)));
                }
                NoteModel::Attempts(attempts) => {
                    self.committed.attempts += 1;
                    for attempt in attempts {
                        let row = self.rows.get_mut(&attempt.delivery).unwrap();
                        row.push.attempts = attempt.attempts;
                        row.queued &= matches!(attempt.outcome, Outcome::Retry(_));
                    }
                }
                NoteModel::Withdrawn(token, last) => {
                    let theirs = self.rows.range_mut(..=last).filter(|(_, row)| row.push.token.id == token);
                    theirs.for_each(|(_, row)| row.queued = false);
                }
            }
        }
    }

    fn page(&self, after: DeliveryId, limit: usize) -> PushPage {
        let queued = self.rows.values().filter(|row| row.queued && row.push.id > after);
        let pushes: Vec<_> = queued.take(limit).map(|row| row.push.clone()).collect();
        PushPage { last: pushes.last().map(|push| push.id), full: pushes.len() == limit, pushes }
    }
}

/// Returns an alarm for tokens whose first delivery has that number.
fn batch(first: i64, tokens: &[i64]) -> PushBatch {
    let alarm: Arc<Alarm> = alarm(first.cast_unsigned(), 1);
    let delivery = |(id, of): (i64, &i64)| PushDelivery {
        id: DeliveryId(id),
        token: Arc::new(token(*of, "secret", Platform::Android)),
        badge: 0,
        urgency: Urgency::Normal,
        start: None,
    };
    let deliveries = (first..).zip(tokens).map(delivery).collect();
    PushBatch { alarm, deliveries, recorded: true, receipts: None, ledger: None }
}

fn attempt(job: &Job, outcome: Outcome) -> Attempt {
    Attempt {
        delivery: job.id,
        token: job.token.id,
        at: Timestamp::UNIX_EPOCH,
        transport: "proxy".into(),
        attempts: job.attempts + 1,
        took: Duration::ZERO,
        outcome,
    }
}

fn sent() -> Outcome {
    Outcome::Sent { provider_id: None, latency: Duration::ZERO, digest: false, remember: false }
}

fn committed(last: i64, attempts: u64) -> Committed {
    Committed { last: DeliveryId(last), attempts }
}

fn queue() -> (Queue, Instant) {
    (Queue::new(LIMITS, DeliveryId(0), 1), Instant::now())
}

/// Takes everything that may go.
fn go(queue: &mut Queue, now: Instant) -> Vec<Job> {
    queue.release(now, here);
    let turns = std::iter::from_fn(|| queue.next(0, now, here, never));
    let jobs = turns.filter_map(|turn| match turn.step {
        LaneStep::Send { jobs, .. } => Some(jobs),
        LaneStep::Wait(_) | LaneStep::Nothing => None,
    });
    jobs.flatten().collect()
}

fn numbers(jobs: &[Job]) -> Vec<i64> {
    jobs.iter().map(|job| job.id.0).collect()
}

fn accepted(queue: &mut Queue, job: &Job) {
    queue.came_out(job.token.id, Some(1), vec![attempt(job, sent())], None, here);
}

#[test]
fn a_push_goes_once_its_alarm_is_on_the_disk_or_after_three_seconds_or_at_once_if_it_never_will_be() {
    let (mut queue, now) = queue();
    queue.accept(batch(1, &[7]), here);
    queue.accept(PushBatch { recorded: false, ..batch(2, &[8]) }, here);
    assert_eq!(numbers(&go(&mut queue, now)), [2], "what is not recorded waits for nothing");
    queue.on_disk(committed(1, 0), true);
    assert_eq!(numbers(&go(&mut queue, now)), [1]);
    queue.accept(batch(3, &[9]), here);
    assert_eq!(queue.next_due(now).is_some(), go(&mut queue, now).is_empty());
    assert_eq!(numbers(&go(&mut queue, now + PATIENCE + PATIENCE)), [3]);
    queue.accept(batch(4, &[10]), here);
    queue.on_disk(committed(1, 0), false);
    assert_eq!(numbers(&go(&mut queue, now)), [4], "a disk that cannot be written stops no push");
    assert_eq!(queue.queued(), 4);
}

#[test]
fn what_exceeds_the_memory_is_left_to_the_disk_and_counts_until_its_page_has_been_read() {
    let (mut queue, now) = queue();
    assert_eq!(queue.accept(batch(1, &[1, 2, 3, 4, 5, 6, 7, 8]), here), 0);
    assert_eq!(queue.accept(batch(9, &[1, 2]), here), 2);
    assert_eq!(queue.accept(batch(11, &[3]), here), 1, "it must not overtake");
    queue.on_disk(committed(11, 0), true);
    assert_eq!((queue.queued(), queue.next_page(now)), (11, None), "there is no room");
    for job in go(&mut queue, now) {
        accepted(&mut queue, &job);
    }
    queue.hand_over(|_| Ok(()));
    assert_eq!((queue.queued(), queue.next_page(now)), (3, Some(DeliveryId(8))));
    // Token 2 was revoked meanwhile: the router has withdrawn number 10 on the disk.
    queue.withdraw(TokenId(2), DeliveryId(11), now, here);
    let page = |ids: &[(i64, i64)]| {
        let mut disk = DiskModel::default();
        for (id, token) in ids {
            disk.note_announced(&batch(*id, &[*token]));
        }
        disk.commit(ids.len());
        disk.page(DeliveryId(0), 1000)
    };
    queue.page(page(&[(9, 1), (11, 3)]), true, now, here);
    assert_eq!(queue.queued(), 2, "what was withdrawn is not queued any more");
    assert_eq!(numbers(&go(&mut queue, now)), [9, 11]);
}

#[test]
fn a_withdrawn_token_gets_what_came_later_and_that_still_waits_for_the_disk() {
    let (mut queue, now) = queue();
    queue.accept(batch(1, &[7, 8]), here);
    queue.on_disk(committed(2, 0), true);
    queue.release(now, here);
    queue.accept(batch(3, &[7, 8]), here);
    queue.accept(batch(5, &[7]), here);
    queue.withdraw(TokenId(7), DeliveryId(4), now, here);
    assert_eq!(queue.queued(), 3);
    let first = go(&mut queue, now);
    assert_eq!(numbers(&first), [2]);
    accepted(&mut queue, &first[0]);
    queue.on_disk(committed(5, 0), true);
    assert_eq!(numbers(&go(&mut queue, now)), [4, 5]);
}

#[test]
fn a_push_under_way_that_fails_after_its_token_was_withdrawn_is_dropped() {
    let (mut queue, now) = queue();
    queue.accept(batch(1, &[7]), here);
    queue.on_disk(committed(1, 0), true);
    let jobs = go(&mut queue, now);
    queue.withdraw(TokenId(7), DeliveryId(1), now, here);
    assert_eq!(queue.queued(), 1, "it may still be taken");
    let (attempts, delay) = (
        vec![attempt(&jobs[0], Outcome::Retry(String::new()))],
        Delay { until: now, for_the_transport: true },
    );
    queue.came_out(TokenId(7), Some(1), attempts, Some((jobs, delay)), here);
    assert!(go(&mut queue, now).is_empty() && queue.queued() == 0);
}

#[test]
fn a_push_counts_as_under_way_until_its_outcome_is_on_the_disk() {
    let (mut queue, now) = queue();
    queue.accept(batch(1, &[1, 2, 3]), here);
    queue.on_disk(committed(3, 0), true);
    for job in go(&mut queue, now) {
        accepted(&mut queue, &job);
    }
    assert_eq!((queue.queued(), queue.unwritten(1), queue.unwritten(2)), (0, 3, 0));
    let mut room = 2;
    queue.hand_over(|attempts| if std::mem::replace(&mut room, 1) == 2 { Ok(()) } else { Err(attempts) });
    queue.on_disk(committed(3, 1), true);
    assert_eq!(queue.unwritten(1), 2);
    queue.on_disk(committed(3, 1), false);
    assert_eq!(queue.unwritten(1), 0, "a disk that cannot be written stops no push");
    assert_eq!(std::iter::from_fn(|| queue.next_unsaved()).flatten().count(), 2);
}

#[test]
fn outcomes_of_one_push_are_handed_over_together_and_others_in_bounded_notes() {
    let (mut queue, now) = queue();
    queue.accept(batch(1, &[1, 1, 1]), here);
    queue.on_disk(committed(3, 0), true);
    let jobs = go(&mut queue, now);
    let attempts: Vec<_> = (0..600).map(|_| attempt(&jobs[0], sent())).collect();
    for concluded in attempts.iter().cloned() {
        queue.conclude(concluded);
    }
    queue.came_out(TokenId(1), Some(1), attempts, None, here);
    queue.conclude(attempt(&jobs[0], Outcome::Failed(String::new())));
    let mut notes = Vec::new();
    queue.hand_over(|attempts| {
        notes.push(attempts.len());
        Ok(())
    });
    assert_eq!(notes, [500, 100, 600, 1]);
}

#[test]
fn a_disk_that_cannot_be_read_is_asked_again_after_a_pause() {
    let mut queue = Queue::new(LIMITS, DeliveryId(5), 1);
    let now = Instant::now();
    queue.on_disk(committed(5, 0), true);
    assert_eq!(queue.next_page(now), Some(DeliveryId(0)));
    queue.page_failed(now);
    assert_eq!((queue.next_page(now), queue.next_due(now)), (None, Some(now + RELOAD_PAUSE)));
    let later = now + RELOAD_PAUSE;
    assert_eq!((queue.next_page(later), queue.next_due(later)), (Some(DeliveryId(0)), None));
    let page = || PushPage { pushes: Vec::new(), last: None, full: false };
    queue.page(page(), false, later, here);
    assert_eq!(queue.next_page(later + RELOAD_PAUSE), Some(DeliveryId(0)), "an older page proves nothing");
    queue.page(page(), true, later, here);
    assert_eq!(queue.next_page(later + RELOAD_PAUSE), None);
}

#[test]
fn a_refused_job_stays_until_it_is_concluded_and_the_next_one_takes_its_turn() {
    let (mut queue, now) = queue();
    queue.accept(batch(1, &[7, 7]), here);
    queue.on_disk(committed(2, 0), true);
    queue.release(now, here);
    let refusal = |job: &Job| (job.id == DeliveryId(1)).then_some(Outcome::Skipped(SkipReason::Rights));
    let LaneTurn { refused, step, .. } = queue.next(0, now, here, refusal).unwrap();
    assert_eq!((refused.len(), queue.queued()), (1, 2));
    for (job, outcome) in refused {
        queue.conclude(attempt(&job, outcome));
    }
    assert!(matches!(step, LaneStep::Send { jobs, digest: false } if numbers(&jobs) == [2]));
    assert_eq!(queue.queued(), 1);
}

#[test]
fn an_urgent_alarm_takes_what_waits_with_it_and_as_many_again_go_out_at_most() {
    let limits = QueueLimits { storm_limit: 1, ..LIMITS };
    let (mut queue, now) = (Queue::new(limits, DeliveryId(0), 1), Instant::now());
    let urgent = |id| {
        let mut batch = batch(id, &[7]);
        batch.deliveries[0].urgency = Urgency::Urgent;
        batch
    };
    queue.accept(batch(1, &[7, 7, 7]), here);
    queue.on_disk(committed(3, 0), true);
    let first = go(&mut queue, now);
    accepted(&mut queue, &first[0]);
    assert!(matches!(queue.next(0, now, here, never).unwrap().step, LaneStep::Wait(_)));
    queue.accept(urgent(4), here);
    queue.on_disk(committed(4, 0), true);
    queue.release(now, here);
    let turn = queue.next(0, now, here, never).unwrap();
    let LaneStep::Send { jobs, digest: true } = turn.step else { panic!("{turn:?}") };
    assert_eq!(numbers(&jobs), [2, 3, 4], "in order, and at once");
    queue.digest_taken(TokenId(7));
    let taken: Vec<_> = jobs.iter().map(|job| attempt(job, sent())).collect();
    queue.came_out(TokenId(7), None, taken, None, here);
    queue.accept(urgent(5), here);
    queue.on_disk(committed(5, 0), true);
    queue.release(now, here);
    assert!(matches!(queue.next(0, now, here, never).unwrap().step, LaneStep::Wait(_)), "there is a limit");
}

#[test]
fn beyond_the_storm_limit_a_token_waits_and_gets_a_digest() {
    let limits = QueueLimits { storm_limit: 1, ..LIMITS };
    let (mut queue, now) = (Queue::new(limits, DeliveryId(0), 1), Instant::now());
    queue.accept(batch(1, &[7, 7, 7]), here);
    queue.on_disk(committed(3, 0), true);
    let first = go(&mut queue, now);
    assert_eq!(numbers(&first), [1]);
    accepted(&mut queue, &first[0]);
    let turn = queue.next(0, now, here, never).unwrap();
    assert!(matches!(turn.step, LaneStep::Wait(until) if until == now + STORM_WINDOW));
    let later = now + STORM_WINDOW;
    queue.release(later, here);
    let turn = queue.next(0, later, here, never).unwrap();
    assert!(matches!(turn.step, LaneStep::Send { jobs, digest: true } if numbers(&jobs) == [2, 3]));
    queue.digest_taken(TokenId(7));
}
