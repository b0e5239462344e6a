//! One node's lease, step by step.

use std::time::Duration;

use super::{Lease, LeaseAction, LeaseEvent, LeaseRow, LeaseSight, LeaseTiming};
use crate::node::{NodeId, NodeKey};

const ME: NodeKey = NodeKey { id: NodeId(1), epoch: 4 };
const OTHER: NodeKey = NodeKey { id: NodeId(2), epoch: 9 };

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn lease() -> Lease {
    Lease::new(ME, 0, LeaseTiming::new(ms(3_000)), ms(0))
}

fn row(holder: Option<NodeKey>, epoch: u64, beat: u64) -> LeaseRow {
    LeaseRow { holder, epoch, beat, wanted: None }
}

fn seen(row: LeaseRow) -> LeaseEvent {
    LeaseEvent::Seen(LeaseSight {
        row,
        is_wanted_alive: row.wanted.is_some(),
        holder_prefer: Some(0),
        is_other_well: true,
    })
}

/// A lease that was taken at the time 0, in epoch 8.
fn held() -> Lease {
    let mut lease = lease();
    let free = row(None, 7, 3);
    assert_eq!(lease.on(seen(free), ms(0)), [LeaseAction::Take(free)]);
    let taken = LeaseEvent::Taken { sent: ms(0), epoch: Some(8) };
    assert_eq!(lease.on(taken, ms(20)), [LeaseAction::Lead(8)]);
    lease
}

#[test]
fn a_lease_that_nobody_holds_is_taken_at_once_and_renewed_each_second() {
    let mut lease = held();
    assert!(lease.may_send(ms(20)));
    assert_eq!(lease.on(LeaseEvent::Tick, ms(990)), []);
    assert_eq!(lease.on(LeaseEvent::Tick, ms(1_000)), [LeaseAction::Renew(8)]);
    assert_eq!(lease.on(LeaseEvent::Tick, ms(1_010)), [], "one statement at a time");
    let renewed = LeaseEvent::Renewed { sent: ms(1_000), epoch: 8, held: true };
    assert_eq!(lease.on(renewed, ms(1_700)), []);
    assert!(lease.may_send(ms(3_499)) && !lease.may_send(ms(3_500)), "it counts from the sending");
}

#[test]
fn a_holder_that_hears_nothing_stops_before_anybody_else_can_begin() {
    let mut lease = held();
    assert_eq!(lease.on(LeaseEvent::Tick, ms(1_000)), [LeaseAction::Renew(8)]);
    assert_eq!(lease.on(LeaseEvent::Unanswered, ms(1_800)), []);
    assert!(lease.may_send(ms(2_499)));
    // A pause of the whole process: nothing was told to it, and the answer is right.
    assert!(!lease.may_send(ms(2_500)));
    assert_eq!(lease.on(LeaseEvent::Tick, ms(2_500)), [LeaseAction::Fence]);
}

#[test]
fn a_holder_whose_renewal_came_late_goes_on() {
    let mut lease = held();
    lease.on(LeaseEvent::Tick, ms(1_000));
    lease.on(LeaseEvent::Unanswered, ms(1_800));
    lease.on(LeaseEvent::Tick, ms(2_500));
    // The row is still ours.
    assert_eq!(lease.on(seen(row(Some(ME), 8, 4)), ms(2_900)), [LeaseAction::Renew(8)]);
    let renewed = LeaseEvent::Renewed { sent: ms(2_900), epoch: 8, held: true };
    assert_eq!(lease.on(renewed, ms(3_000)), [LeaseAction::Lead(8)]);
    // An answer that is older than the fence that it would set is of no use.
    let late = LeaseEvent::Renewed { sent: ms(2_900), epoch: 8, held: true };
    assert_eq!(lease.on(LeaseEvent::Tick, ms(5_400)).last(), Some(&LeaseAction::Fence));
    assert_eq!(lease.on(late, ms(5_450)).iter().filter(|todo| **todo == LeaseAction::Lead(8)).count(), 0);
}

#[test]
fn whoever_could_not_send_for_a_while_is_told_so() {
    let mut lease = held();
    assert_eq!(lease.on(LeaseEvent::Tick, ms(1_000)), [LeaseAction::Renew(8)]);
    lease.on(LeaseEvent::Unanswered, ms(1_800));
    assert_eq!(lease.on(LeaseEvent::Tick, ms(2_100)), [LeaseAction::Renew(8)]);
    // Nothing is told to it until the answer is there, after the fence.
    let renewed = LeaseEvent::Renewed { sent: ms(2_100), epoch: 8, held: true };
    assert_eq!(lease.on(renewed, ms(2_600)), [LeaseAction::Fence, LeaseAction::Lead(8)]);
    assert!(lease.may_send(ms(2_600)));
}

#[test]
fn a_lease_that_is_renewed_is_left_alone_and_one_that_is_not_is_taken_after_a_term() {
    let mut lease = lease();
    for second in 0..10 {
        let todo = lease.on(seen(row(Some(OTHER), 7, 10 + second)), ms(1_000 * second));
        assert_eq!(todo, [], "second {second}");
    }
    let last = row(Some(OTHER), 7, 19);
    assert_eq!(lease.on(seen(last), ms(11_990)), []);
    assert_eq!(lease.on(WELL, ms(11_995)), []);
    assert_eq!(lease.on(LeaseEvent::Tick, ms(12_000)), [LeaseAction::Take(last)]);
    // Somebody was quicker: what is seen next counts for a whole term.
    assert_eq!(lease.on(LeaseEvent::Taken { sent: ms(12_000), epoch: None }, ms(12_010)), []);
    assert_eq!(lease.on(seen(row(Some(OTHER), 8, 20)), ms(12_020)), []);
    assert!(!lease.may_send(ms(12_020)));
}

#[test]
fn who_took_the_lease_and_did_not_hear_it_renews_first() {
    let mut lease = lease();
    let free = row(None, 7, 3);
    assert_eq!(lease.on(seen(free), ms(0)), [LeaseAction::Take(free)]);
    assert_eq!(lease.on(LeaseEvent::Unanswered, ms(800)), []);
    let ours = row(Some(ME), 8, 4);
    assert_eq!(lease.on(seen(ours), ms(1_100)), [LeaseAction::Renew(8)]);
    assert!(!lease.may_send(ms(1_100)));
    let renewed = LeaseEvent::Renewed { sent: ms(1_100), epoch: 8, held: true };
    assert_eq!(lease.on(renewed, ms(1_110)), [LeaseAction::Lead(8)]);
    // The same node before its restart is another holder.
    let before = row(Some(NodeKey { epoch: 3, ..ME }), 8, 4);
    let mut lease = self::lease();
    assert_eq!(lease.on(seen(before), ms(0)), []);
    assert_eq!(lease.on(WELL, ms(1_000)), []);
    assert_eq!(lease.on(seen(before), ms(3_000)), [LeaseAction::Take(before)]);
}

#[test]
fn a_holder_hands_over_once_nothing_is_on_its_way() {
    let mut lease = held();
    let asked = LeaseRow { wanted: Some(OTHER.id), ..row(Some(ME), 8, 4) };
    assert_eq!(lease.on(seen(asked), ms(500)), [LeaseAction::Drain]);
    assert!(!lease.may_send(ms(500)) && lease.is_holder(ms(500)), "nothing new is begun");
    assert_eq!(lease.on(LeaseEvent::Tick, ms(1_000)), [LeaseAction::Renew(8)], "nobody takes it meanwhile");
    lease.on(LeaseEvent::Renewed { sent: ms(1_000), epoch: 8, held: true }, ms(1_010));
    assert_eq!(lease.on(LeaseEvent::Drained, ms(1_200)), [LeaseAction::Release(8)]);
    assert_eq!(lease.on(LeaseEvent::Answered, ms(1_220)), []);
    // It is left to the one that it was meant for, for a second.
    let free = LeaseRow { wanted: Some(OTHER.id), ..row(None, 8, 6) };
    assert_eq!(lease.on(seen(free), ms(1_300)), []);
    assert_eq!(lease.on(LeaseEvent::Tick, ms(2_299)), []);
    assert_eq!(lease.on(LeaseEvent::Tick, ms(2_300)), [LeaseAction::Take(free)]);
    // The one that it is meant for takes it at once.
    let mut other = Lease::new(OTHER, 0, LeaseTiming::new(ms(3_000)), ms(0));
    assert_eq!(other.on(seen(free), ms(5)), [LeaseAction::Take(free)]);
}

#[test]
fn what_hangs_keeps_no_lease() {
    let mut lease = held();
    assert_eq!(lease.on(LeaseEvent::Stop, ms(100)), [LeaseAction::Drain]);
    lease.on(LeaseEvent::Tick, ms(1_000));
    lease.on(LeaseEvent::Renewed { sent: ms(1_000), epoch: 8, held: true }, ms(1_010));
    assert_eq!(lease.on(LeaseEvent::Tick, ms(2_100)), [LeaseAction::Fence, LeaseAction::Release(8)]);
    lease.on(LeaseEvent::Answered, ms(2_110));
    assert_eq!(lease.on(seen(row(None, 8, 6)), ms(2_200)), [], "who stops does not begin again");
}

#[test]
fn a_node_that_would_rather_send_asks_once_it_was_well_for_a_minute() {
    let mut lease = Lease::new(ME, 5, LeaseTiming::new(ms(3_000)), ms(0));
    let mut asked = Vec::new();
    for second in 0..=130 {
        let row = row(Some(OTHER), 7, second);
        for todo in lease.on(seen(row), ms(1_000 * second)) {
            asked.push((second, todo));
            lease.on(LeaseEvent::Answered, ms(1_000 * second + 5));
        }
    }
    assert_eq!(asked.iter().map(|(second, _)| *second).collect::<Vec<_>>(), [60, 120]);
    assert!(matches!(asked[0].1, LeaseAction::Ask(_)));
}

const WELL: LeaseEvent = LeaseEvent::Beat { is_well: true };
const UNWELL: LeaseEvent = LeaseEvent::Beat { is_well: false };

#[test]
fn a_node_is_alone_a_term_after_the_last_write_that_the_ledger_took_and_together_with_the_next() {
    let mut lease = lease();
    let still = row(Some(OTHER), 7, 1);
    lease.on(seen(still), ms(50));
    assert_eq!(lease.on(WELL, ms(100)), []);
    // Reading goes on, and proves nothing.
    for at in [1_000, 2_000, 3_040, 3_049] {
        assert_eq!(lease.on(seen(still), ms(at)), [], "{at}");
    }
    let todo = lease.on(LeaseEvent::Tick, ms(3_100));
    assert_eq!(todo, [LeaseAction::Alone, LeaseAction::Take(still)]);
    lease.on(LeaseEvent::Unanswered, ms(3_110));
    assert_eq!(lease.on(seen(still), ms(3_120)), []);
    assert!(lease.is_alone());
    // Somebody else can write it. This node is together with the others once it can write, too.
    assert_eq!(lease.on(seen(row(Some(OTHER), 7, 5)), ms(9_000)), []);
    assert!(lease.is_alone());
    assert_eq!(lease.on(WELL, ms(9_500)), [LeaseAction::Together]);
    assert!(!lease.is_alone());
}

#[test]
fn signs_of_life_are_no_proof_while_statements_about_the_lease_fail() {
    let mut lease = held();
    for at in [1_000, 1_500, 2_000] {
        lease.on(WELL, ms(at));
        lease.on(LeaseEvent::Unanswered, ms(at + 10));
    }
    lease.on(LeaseEvent::Tick, ms(2_600));
    assert!(!lease.may_send(ms(2_600)) && !lease.is_alone());
    for at in [3_000, 3_600, 4_010] {
        lease.on(WELL, ms(at));
    }
    assert!(lease.is_alone(), "nobody leads, and nobody can");
    let renewed = LeaseEvent::Renewed { sent: ms(4_100), epoch: 8, held: true };
    assert_eq!(lease.on(renewed, ms(4_110))[0], LeaseAction::Together);
    assert!(lease.may_send(ms(4_110)) && !lease.is_alone());
}

#[test]
fn a_node_that_cannot_send_gives_the_lease_to_one_that_can_and_takes_it_back_if_nobody_does() {
    let mut lease = held();
    assert_eq!(lease.on(UNWELL, ms(100)), []);
    assert_eq!(lease.on(seen(row(Some(ME), 8, 4)), ms(150)), [LeaseAction::Drain]);
    assert_eq!(lease.on(LeaseEvent::Drained, ms(200)), [LeaseAction::Release(8)]);
    lease.on(LeaseEvent::Answered, ms(210));
    let free = row(None, 8, 5);
    // Signs of life show that the ledger takes writes: this node waits for the other, and is not alone.
    for at in (250..6_250).step_by(1_000) {
        assert_eq!(lease.on(seen(free), ms(at)), [], "{at}");
        assert_eq!(lease.on(UNWELL, ms(at)), [], "{at}");
    }
    assert_eq!(lease.on(seen(free), ms(6_250)), [LeaseAction::Take(free)]);
    assert_eq!(
        lease.on(LeaseEvent::Taken { sent: ms(6_250), epoch: Some(9) }, ms(6_260)),
        [LeaseAction::Lead(9)]
    );
    assert_eq!(lease.on(seen(row(Some(ME), 9, 6)), ms(6_300)), [], "better this one than none");
    // It recovers, and gives way again the next time.
    lease.on(WELL, ms(6_400));
    lease.on(UNWELL, ms(6_500));
    assert_eq!(lease.on(seen(row(Some(ME), 9, 6)), ms(6_550)), [LeaseAction::Drain]);
}

#[test]
fn a_lease_that_was_given_back_is_never_renewed_for_the_release_may_still_arrive() {
    let mut lease = held();
    lease.on(UNWELL, ms(100));
    let ours = row(Some(ME), 8, 4);
    assert_eq!(lease.on(seen(ours), ms(150)), [LeaseAction::Drain]);
    assert_eq!(lease.on(LeaseEvent::Drained, ms(200)), [LeaseAction::Release(8)]);
    lease.on(LeaseEvent::Unanswered, ms(1_000));
    lease.on(WELL, ms(1_100));
    assert_eq!(lease.on(seen(ours), ms(1_300)), []);
    // Under another epoch the late release does nothing.
    assert_eq!(lease.on(LeaseEvent::Tick, ms(4_300)).last(), Some(&LeaseAction::Take(ours)));
}

#[test]
fn a_node_that_cannot_send_keeps_the_lease_where_no_other_can() {
    let mut lease = held();
    lease.on(UNWELL, ms(100));
    let row = row(Some(ME), 8, 4);
    let sight = LeaseSight { row, is_wanted_alive: false, holder_prefer: Some(0), is_other_well: false };
    assert_eq!(lease.on(LeaseEvent::Seen(sight), ms(150)), []);
    assert!(lease.may_send(ms(150)));
}
