//! Pushes for all nodes: the cluster lets them go out, and hears what came of each.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::domain::LedgerMark;
use crate::ports::SendPermit;
use crate::push::PushCluster;
use crate::route::{LedgerEnding, LedgerOutcome};

/// A turn that holds until the moment before a push goes out.
#[derive(Debug, Default)]
struct LastMoment {
    refuses: AtomicBool,
    under_way: AtomicUsize,
}

impl SendPermit for LastMoment {
    fn begin(&self, _turn: u64, alarms: &[u64]) -> bool {
        let begins = !self.refuses.load(Ordering::SeqCst);
        if begins {
            self.under_way.fetch_add(alarms.len(), Ordering::SeqCst);
        }
        begins
    }

    fn came_out(&self, alarms: &[u64]) {
        self.under_way.fetch_sub(alarms.len(), Ordering::SeqCst);
    }

    fn holds(&self, _turn: u64) -> bool {
        true
    }
}

const fn mark(alarm: u64) -> LedgerMark {
    LedgerMark { alarm, turn: 1, key: None }
}

/// Starts a dispatcher that the cluster has room for so many outcomes of.
async fn start(room: usize, tokens: i64) -> (PushWorld, Arc<LastMoment>, mpsc::Receiver<LedgerOutcome>) {
    let permit = Arc::new(LastMoment::default());
    let (outcomes, told) = mpsc::channel(room);
    let cluster = Some(PushCluster { permit: Arc::clone(&permit) as _, outcomes });
    (PushWorld::start(WorldPlan { tokens, cluster, ..WorldPlan::default() }).await, permit, told)
}

#[tokio::test]
async fn a_push_that_another_node_is_to_send_stops_no_transport_and_is_no_failure() {
    let (mut world, permit, mut told) = start(8, 1).await;
    let rests = TransportFault { retry_after: Some(Duration::from_secs(1)), ..unreachable_fault() };
    world.transports[0].answer([PushError::Transport(rests)]);
    world.announce_marked(&alarm(1, 1), mark(1));
    world.transports[0].sent(1).await;
    // The probe after the rest is not sent.
    permit.refuses.store(true, Ordering::SeqCst);
    let left = told.recv().await.unwrap();
    assert_eq!((left.mark, left.kind), (mark(1), LedgerEnding::Left));
    permit.refuses.store(false, Ordering::SeqCst);
    world.announce_marked(&alarm(2, 1), mark(2));
    let rows = world.settled(1).await;
    let story: Vec<_> = rows.iter().map(|row| (row.decision.word(), row.attempts)).collect();
    assert_eq!(story, [("skipped", 1), ("sent", 1)]);
    assert_eq!(told.recv().await.unwrap().kind, LedgerEnding::Taken);
    assert_eq!(world.transports[0].count(), 2);
    until(async || permit.under_way.load(Ordering::SeqCst) == 0).await;
    world.end().await;
}

#[tokio::test]
async fn a_push_is_under_way_until_the_cluster_was_told_what_came_of_it() {
    let (mut world, permit, mut told) = start(1, 5).await;
    world.announce_marked(&alarm(1, 1), mark(1));
    world.settled(1).await;
    assert!(permit.under_way.load(Ordering::SeqCst) > 0, "there is room for one outcome of five");
    for _ in 0..5 {
        assert_eq!(told.recv().await.unwrap().kind, LedgerEnding::Taken);
    }
    until(async || permit.under_way.load(Ordering::SeqCst) == 0).await;
    world.end().await;
}

fn unreachable_fault() -> TransportFault {
    TransportFault::unanswered(FaultKind::Refused, "connection refused")
}
