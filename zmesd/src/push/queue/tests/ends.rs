//! Ends of alarms: after their starts, and only if these were sent as single pushes.

use super::*;
use crate::domain::{Alarm, Phase, ToldStart};

/// Returns the end, with that number, of the alarm that the delivery `start` announced to token 7.
fn end(id: i64, start: i64) -> PushBatch {
    let mut batch = batch(id, &[7]);
    batch.alarm = Arc::new(Alarm { phase: Phase::End, ..Alarm::clone(&batch.alarm) });
    batch.deliveries[0].start = Some(DeliveryId(start).into());
    batch.deliveries[0].urgency = Urgency::Silent;
    batch
}

/// Returns the update, with that number, of the alarm that the delivery `start` announced to token 7.
fn update(id: i64, start: i64) -> PushBatch {
    let mut batch = end(id, start);
    batch.alarm = Arc::new(Alarm { phase: Phase::Update, ..Alarm::clone(&batch.alarm) });
    batch
}

/// What the dispatcher refuses.
fn refusal(job: &Job) -> Option<Outcome> {
    let state = job.start.map(|start| start.state).unwrap_or_default();
    (state == StartState::NotSent).then_some(Outcome::Skipped(SkipReason::NotStarted))
}

/// Takes one turn; returns the pushes sent, whether as a digest, and those not sent.
fn turn(queue: &mut Queue, now: Instant) -> (Vec<i64>, bool, Vec<i64>) {
    queue.release(now, here);
    let Some(LaneTurn { refused, step, .. }) = queue.next(0, now, here, refusal) else {
        return (vec![], false, vec![]);
    };
    let skipped: Vec<_> = refused.iter().map(|(job, _)| job.id.0).collect();
    for (job, outcome) in refused {
        assert_eq!(outcome, Outcome::Skipped(SkipReason::NotStarted));
        queue.conclude(attempt(&job, outcome));
    }
    match step {
        LaneStep::Send { jobs, digest } => {
            let outcome = |job: &Job| match sent() {
                Outcome::Sent { provider_id, latency, remember, .. } => {
                    let outcome = Outcome::Sent { provider_id, latency, remember, digest: jobs.len() > 1 };
                    attempt(job, outcome)
                }
                other @ (Outcome::Retry(_)
                | Outcome::Failed(_)
                | Outcome::GaveUp(_)
                | Outcome::Skipped(_)
                | Outcome::Shadow { .. }) => attempt(job, other),
            };
            let attempts = jobs.iter().map(outcome).collect();
            queue.digest_taken(TokenId(7));
            queue.came_out(TokenId(7), None, attempts, None, here);
            (numbers(&jobs), digest, skipped)
        }
        LaneStep::Wait(_) | LaneStep::Nothing => (vec![], false, skipped),
    }
}

fn storm(storm_limit: u32, batches: Vec<PushBatch>) -> (Queue, Instant) {
    let limits = QueueLimits { storm_limit, ..LIMITS };
    let (mut queue, now) = (Queue::new(limits, DeliveryId(0), 1), Instant::now());
    let last = batches.len();
    for batch in batches {
        queue.accept(batch, here);
    }
    queue.on_disk(committed(i64::try_from(last).unwrap(), 0), true);
    (queue, now)
}

#[test]
fn an_end_goes_behind_its_start_and_takes_no_place_of_an_alarm() {
    let (mut queue, now) = storm(2, vec![batch(1, &[7]), end(2, 1), batch(3, &[7]), end(4, 3)]);
    let turns: Vec<_> = (0..5).map(|_| turn(&mut queue, now)).collect();
    let one = |id| (vec![id], false, vec![]);
    assert_eq!(turns[..4], [one(1), one(2), one(3), one(4)], "the limit is two alarms");
    assert_eq!(queue.queued(), 0);
}

#[test]
fn a_start_that_was_refused_or_withdrawn_or_given_up_has_no_end() {
    for outcome in [Outcome::Failed(String::new()), Outcome::Skipped(SkipReason::Rights)] {
        let (mut queue, now) = storm(9, vec![batch(1, &[7]), end(2, 1)]);
        let jobs = go(&mut queue, now);
        queue.came_out(TokenId(7), None, vec![attempt(&jobs[0], outcome)], None, here);
        assert_eq!(turn(&mut queue, now), (vec![], false, vec![2]));
    }
    let (mut queue, now) = storm(9, vec![batch(1, &[7])]);
    queue.release(now, here);
    queue.withdraw(TokenId(7), DeliveryId(1), now, here);
    queue.accept(end(2, 1), here);
    queue.on_disk(committed(2, 0), true);
    assert_eq!(turn(&mut queue, now), (vec![], false, vec![2]));
    assert_eq!(queue.queued(), 0);
}

#[test]
fn a_start_that_is_tried_again_keeps_its_end_waiting() {
    let (mut queue, now) = storm(9, vec![batch(1, &[7]), end(2, 1)]);
    let jobs = go(&mut queue, now);
    let retry = vec![attempt(&jobs[0], Outcome::Retry(String::new()))];
    let delay = Delay { until: now, for_the_transport: true };
    queue.came_out(TokenId(7), None, retry, Some((jobs, delay)), here);
    assert_eq!(turn(&mut queue, now), (vec![1], false, vec![]));
    assert_eq!(turn(&mut queue, now), (vec![2], false, vec![]));
}

#[test]
fn a_digest_swallows_the_ends_of_its_alarms_and_lets_others_pass_in_order() {
    let alarms =
        [batch(1, &[7]), batch(2, &[7]), end(3, 2), batch(4, &[7]), end(5, 1), batch(6, &[7]), end(7, 4)];
    let (mut queue, now) = storm(1, alarms.into());
    assert_eq!(turn(&mut queue, now), (vec![1], false, vec![]));
    assert_eq!(turn(&mut queue, now), (vec![], false, vec![]), "the limit is reached");
    let later = now + STORM_WINDOW;
    assert_eq!(turn(&mut queue, later), (vec![2, 4], true, vec![3]));
    assert_eq!(turn(&mut queue, later), (vec![5], false, vec![]), "alarm 1 was a push of its own");
    assert_eq!(turn(&mut queue, later), (vec![], false, vec![]), "the limit again");
    let later = later + STORM_WINDOW;
    assert_eq!(turn(&mut queue, later), (vec![6], true, vec![7]), "the end of what a digest told");
}

#[test]
fn a_digest_of_one_alarm_is_none_and_its_end_follows() {
    let (mut queue, now) = storm(1, vec![batch(1, &[7]), batch(2, &[7]), end(3, 2)]);
    assert_eq!(turn(&mut queue, now), (vec![1], false, vec![]));
    turn(&mut queue, now);
    let later = now + STORM_WINDOW;
    assert_eq!(turn(&mut queue, later), (vec![2], true, vec![]));
    assert_eq!(turn(&mut queue, later), (vec![3], false, vec![]));
}

#[test]
fn what_the_disk_says_of_a_start_decides_after_a_restart() {
    for (state, told) in [(StartState::Sent, vec![2]), (StartState::NotSent, vec![])] {
        let (mut queue, now) = (Queue::new(LIMITS, DeliveryId(2), 1), Instant::now());
        queue.on_disk(committed(2, 0), true);
        assert_eq!(queue.next_page(now), Some(DeliveryId(0)));
        let mut disk = DiskModel::default();
        disk.note_announced(&end(2, 1));
        disk.commit(1);
        let mut page = disk.page(DeliveryId(0), 10);
        page.pushes[0].start = Some(crate::state::StartOnDisk { id: DeliveryId(1), state });
        queue.page(page, true, now, here);
        assert_eq!(turn(&mut queue, now).0, told, "{state:?}");
    }
}

#[test]
fn an_update_waits_for_its_start_takes_no_place_of_an_alarm_and_is_swallowed_by_a_digest() {
    let (mut queue, now) =
        storm(2, vec![batch(1, &[7]), update(2, 1), end(3, 1), batch(4, &[7]), batch(5, &[7]), update(6, 5)]);
    let turns: Vec<_> = (0..4).map(|_| turn(&mut queue, now).0).collect();
    assert_eq!(turns, [[1], [2], [3], [4]], "the limit is two alarms");
    assert_eq!(turn(&mut queue, now), (vec![], false, vec![]));
    queue.accept(batch(7, &[7]), here);
    queue.on_disk(committed(7, 0), true);
    assert_eq!(turn(&mut queue, now + STORM_WINDOW), (vec![5, 7], true, vec![6]));
    // A start that was given up has none.
    let (mut queue, now) = storm(9, vec![batch(1, &[7]), update(2, 1)]);
    let jobs = go(&mut queue, now);
    let failed = vec![attempt(&jobs[0], Outcome::Failed(String::new()))];
    queue.came_out(TokenId(7), None, failed, None, here);
    assert_eq!(turn(&mut queue, now), (vec![], false, vec![2]));
}

#[test]
fn an_update_of_several_alarms_takes_the_place_of_the_first_if_the_last_was_not_sent() {
    let of_both = |id| {
        let mut batch = update(id, 2);
        batch.deliveries[0].start = Some(ToldStart { id: DeliveryId(2), first: Some(DeliveryId(1)) });
        batch
    };
    let (mut queue, now) = storm(9, vec![batch(1, &[7]), batch(2, &[7]), of_both(3)]);
    assert_eq!(turn(&mut queue, now), (vec![1], false, vec![]));
    let jobs = go(&mut queue, now);
    let refused = attempt(&jobs[0], Outcome::Failed(String::new()));
    queue.came_out(TokenId(7), None, vec![refused], None, here);
    assert_eq!(turn(&mut queue, now), (vec![3], false, vec![]), "the phone shows alarm 1");

    // A digest swallows the last alarm, not what concerns the first.
    let (mut queue, now) = storm(1, vec![batch(1, &[7]), batch(2, &[7]), of_both(3), batch(4, &[7])]);
    assert_eq!(turn(&mut queue, now), (vec![1], false, vec![]));
    turn(&mut queue, now);
    let later = now + STORM_WINDOW;
    assert_eq!(turn(&mut queue, later), (vec![2], true, vec![]));
    assert_eq!(turn(&mut queue, later), (vec![3], false, vec![]));

    // Neither was sent.
    let (mut queue, now) = storm(9, vec![batch(1, &[7]), batch(2, &[7]), of_both(3)]);
    for _ in 0..2 {
        let jobs = go(&mut queue, now);
        let refused = attempt(&jobs[0], Outcome::Failed(String::new()));
        queue.came_out(TokenId(7), None, vec![refused], None, here);
    }
    assert_eq!(turn(&mut queue, now), (vec![], false, vec![3]));
}
