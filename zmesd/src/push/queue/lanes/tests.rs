use std::sync::Arc;

use zmes_providers::Platform;

use super::*;
use crate::domain::DeliveryId;
use crate::push::tests::fakes::{self, alarm, token};

fn job(id: i64, of: i64) -> Job {
    fakes::job(DeliveryId(id), token(of, "secret", Platform::Android), alarm(id.cast_unsigned(), 1))
}

impl Lanes {
    /// Returns how many jobs wait; those that are out are not counted.
    pub(in crate::push::queue) fn len(&self) -> usize {
        self.by_token.values().map(|lane| lane.queue.len()).sum()
    }
}

fn here(_: &Token) -> usize {
    0
}

/// Takes everything that may go, one job a lane.
fn round(lanes: &mut Lanes) -> Vec<i64> {
    let mut taken = Vec::new();
    while let Some(id) = lanes.next(0) {
        taken.extend(lanes.take(id).map(|job| job.id.0));
    }
    taken
}

#[tokio::test(start_paused = true)]
async fn a_phone_hears_of_alarms_in_order_one_at_a_time_and_no_phone_waits_for_another() {
    let mut lanes = Lanes::new(1, crate::push::queue::STORM_WINDOW);
    for (id, of) in [(1, 7), (2, 8), (3, 7), (4, 7)] {
        lanes.push(job(id, of), 0);
    }
    assert_eq!((lanes.len(), round(&mut lanes)), (4, vec![1, 2]));
    assert_eq!(round(&mut lanes), Vec::<i64>::new(), "their lanes are out");
    lanes.back(TokenId(7), None, here);
    lanes.back(TokenId(8), None, here);
    assert_eq!((lanes.len(), round(&mut lanes)), (2, vec![3]));
    lanes.back(TokenId(7), None, here);
    assert_eq!(round(&mut lanes), [4]);
    lanes.back(TokenId(7), None, here);
    assert_eq!((lanes.len(), lanes.by_token.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_failed_goes_first_when_its_time_has_come() {
    let (mut lanes, now) = (Lanes::new(1, crate::push::queue::STORM_WINDOW), Instant::now());
    let later = now + Duration::from_secs(5);
    lanes.push(job(1, 7), 0);
    lanes.push(job(2, 7), 0);
    let id = lanes.next(0).unwrap();
    let taken = lanes.take(id).unwrap();
    lanes.put_back(vec![taken]);
    lanes.back(id, Some(Delay { until: later, for_the_transport: true }), here);
    lanes.push(job(3, 7), 0);
    lanes.advance(now, here);
    assert_eq!((round(&mut lanes), lanes.next_due()), (vec![], Some(later)));
    lanes.advance(later, here);
    assert_eq!((round(&mut lanes), lanes.next_due(), lanes.len()), (vec![1], None, 2));
}

#[tokio::test(start_paused = true)]
async fn what_is_withdrawn_leaves_nothing_behind_wherever_the_lane_is() {
    let mut lanes = Lanes::new(1, crate::push::queue::STORM_WINDOW);
    lanes.push(job(1, 7), 0);
    assert_eq!(lanes.withdraw(TokenId(7)).len(), 1);
    lanes.push(job(2, 8), 0);
    let id = lanes.next(0).unwrap();
    lanes.back(id, Some(Delay { until: Instant::now(), for_the_transport: true }), here);
    assert_eq!((lanes.withdraw(TokenId(8)).len(), lanes.next_due()), (1, None));
    lanes.push(job(3, 9), 0);
    lanes.push(job(4, 9), 0);
    let id = lanes.next(0).unwrap();
    lanes.take(id).unwrap();
    assert_eq!(lanes.withdraw(id).len(), 1, "the other one is being sent");
    lanes.back(id, None, here);
    assert_eq!((lanes.len(), lanes.by_token.len(), round(&mut lanes)), (0, 0, vec![]));
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_makes_room_for_what_has_not() {
    let mut lanes = Lanes::new(1, crate::push::queue::STORM_WINDOW);
    let mut old = job(1, 7);
    Arc::make_mut(&mut old.alarm).at = Timestamp::UNIX_EPOCH;
    lanes.push(old, 0);
    lanes.push(job(2, 7), 0);
    let now = job(0, 0).alarm.at;
    let gone = lanes.expire(now, Duration::from_mins(10));
    assert_eq!(gone.iter().map(|job| job.id.0).collect::<Vec<_>>(), [1]);
    assert_eq!((lanes.len(), round(&mut lanes)), (1, vec![2]));
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_expired_empty_comes_back_at_the_gate_of_what_comes_next() {
    let (mut lanes, now) = (Lanes::new(2, crate::push::queue::STORM_WINDOW), Instant::now());
    let mut old = job(1, 7);
    Arc::make_mut(&mut old.alarm).at = Timestamp::UNIX_EPOCH;
    lanes.push(old, 1);
    let id = lanes.next(1).unwrap();
    let taken = lanes.take(id).unwrap();
    lanes.put_back(vec![taken]);
    lanes.back(id, Some(Delay { until: now + Duration::from_secs(1), for_the_transport: true }), |_| 1);
    assert_eq!(lanes.expire(job(0, 0).alarm.at, Duration::from_mins(10)).len(), 1);
    assert_eq!((lanes.next_due(), lanes.by_token.len()), (None, 0));
    lanes.push(job(2, 7), 1);
    assert_eq!((lanes.next(0), lanes.next(1)), (None, Some(id)));
}
