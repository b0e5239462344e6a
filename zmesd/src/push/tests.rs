//! The dispatcher with a real state file: order, retries, storms, restarts, trouble with the disk.

mod cluster;
pub(super) mod fakes;
mod ways;
mod world;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;
use zmes_providers::{Platform, PushError, PushToken, TransportFault};
use zmes_shared::words::FaultKind;

use self::fakes::{alarm, token};
use self::world::{PushWorld, WorldPlan, until};
use crate::config::{PushConfig, PushMode};
use crate::domain::{DeliveryId, Origin, SkipReason, Token, TokenId};
use crate::monitors::Catalog;
use crate::route::{PushEnding, PushOrder};
use crate::state::{DeliveryRow, Note};

fn unreachable() -> PushError {
    PushError::Transport(TransportFault::unanswered(FaultKind::Refused, "connection refused"))
}

fn with(change: impl FnOnce(&mut PushConfig)) -> PushConfig {
    let mut config = PushConfig::default();
    change(&mut config);
    config
}

#[tokio::test]
async fn a_push_goes_out_once_and_its_story_can_be_read() {
    let mut world = PushWorld::start(WorldPlan { tokens: 2, ..WorldPlan::default() }).await;
    world.announce(&alarm(32910, 1));
    let rows = world.settled(1).await;
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].decision.word(), rows[0].transport.as_str(), rows[0].attempts), ("sent", "proxy", 1));
    assert_eq!(rows[0].provider_id.as_deref(), Some("message-1"));
    assert_eq!(rows[0].event.map(|event| event.0), Some(32910));
    assert!(rows[0].latency.is_some());
    let sent = world.transports[0].sent(2).await;
    assert_eq!(sent.iter().map(|push| push.badge).collect::<Vec<_>>(), [1, 2], "each phone its own");
    let tokens = world.state.tokens().await.unwrap();
    assert!(tokens.iter().all(|row| row.last_notified_at.is_some() && row.failures == 0));
    assert_eq!(tokens[1].token.badge, 2, "kept with the alarm");
    assert_eq!((world.status.counts().delivered, world.status.counts().failed), (2, 0));
    world.end().await;
}

#[tokio::test]
async fn what_fails_is_tried_again_in_order() {
    let mut world = PushWorld::start(WorldPlan::default()).await;
    world.transports[0].answer([unreachable()]);
    for event in 1..=3 {
        world.announce(&alarm(event, 1));
    }
    let rows = world.settled(1).await;
    assert_eq!(
        rows.iter().map(|row| (row.decision.word(), row.attempts)).collect::<Vec<_>>(),
        [("sent", 2), ("sent", 1), ("sent", 1)]
    );
    assert_eq!(rows[0].failures[0].answer, "connection refused");
    let events: Vec<_> =
        world.transports[0].sent(4).await.iter().map(|push| push.alarms[0].event.unwrap().0).collect();
    assert_eq!(events, [1, 1, 2, 3]);
    world.end().await;
}

#[tokio::test]
async fn a_dead_token_is_buried_and_what_is_no_fault_of_its_own_keeps_it() {
    let mut world = PushWorld::start(WorldPlan::default()).await;
    let errors = [
        PushError::Message("payload too large".to_owned()),
        PushError::WrongApp("SenderId mismatch".to_owned()),
        PushError::Dead("UNREGISTERED".to_owned()),
    ];
    world.transports[0].answer(errors);
    for event in 1..=3 {
        world.announce(&alarm(event, 1));
    }
    let rows = world.settled(1).await;
    assert!(rows.iter().all(|row| row.decision.word() == "failed" && row.attempts == 1), "{rows:?}");
    assert!(rows[2].reason.as_str().contains("UNREGISTERED"), "{}", rows[2].reason);
    until(async || !world.dead.lock().unwrap().is_empty()).await;
    assert_eq!(*world.dead.lock().unwrap(), [(TokenId(1), "UNREGISTERED".to_owned())]);
    assert_eq!(world.state.tokens().await.unwrap()[0].failures, 3);
    world.end().await;
}

#[tokio::test]
async fn a_token_of_another_app_is_sent_through_the_next_proxy_and_that_is_remembered() {
    let names = vec!["fcm:one", "fcm:two"];
    let mut world = PushWorld::start(WorldPlan { names: names.clone(), ..WorldPlan::default() }).await;
    world.transports[0].always(Some(PushError::WrongApp("SenderId mismatch".to_owned())));
    world.announce(&alarm(1, 1));
    let rows = world.settled(1).await;
    assert_eq!((rows[0].decision.word(), rows[0].transport.as_str()), ("sent", "fcm:two"));
    assert_eq!(rows[0].failures.len(), 1, "what the first one said is kept");
    world.announce(&alarm(2, 1));
    world.settled(1).await;
    assert_eq!((world.transports[0].count(), world.transports[1].count()), (1, 2));
    assert_eq!(world.state.tokens().await.unwrap()[0].token.transport.as_deref(), Some("fcm:two"));
    let directory = world.end().await;
    // The next daemon has it from the disk.
    let mut world =
        PushWorld::start_in(directory, WorldPlan { names, tokens: 0, ..WorldPlan::default() }).await;
    world.tokens = world.state.tokens().await.unwrap().into_iter().map(|row| Arc::new(row.token)).collect();
    world.announce(&alarm(3, 1));
    world.settled(1).await;
    assert_eq!((world.transports[0].count(), world.transports[1].count()), (0, 1));
    world.end().await;
}

#[tokio::test]
async fn a_storm_becomes_a_digest_with_the_count() {
    let config = with(|config| config.storm_limit = 2);
    let storm_window = Duration::from_secs(2);
    let mut world = PushWorld::start(WorldPlan { config, storm_window, ..WorldPlan::default() }).await;
    for event in 1..=9 {
        world.announce(&alarm(event, 1));
    }
    let mut test = alarm(10, 1);
    Arc::make_mut(&mut test).origin = Origin::Test;
    world.announce(&test);
    let rows = world.settled(1).await;
    let sent = world.transports[0].sent(3).await;
    let told: Vec<_> = sent.iter().map(|push| (push.digest, push.alarms.len(), push.badge)).collect();
    assert_eq!(told, [(None, 1, 1), (None, 1, 2), (Some(8), 5, 10)]);
    assert!(rows.iter().all(|row| row.decision.word() == "sent"), "{rows:?}");
    assert_eq!(rows.iter().filter(|row| row.reason.as_str() == "digest").count(), 8);
    world.end().await;
}

#[tokio::test]
async fn what_a_daemon_left_behind_goes_out_at_the_next_start() {
    let mut world = PushWorld::start(WorldPlan { tokens: 3, ..WorldPlan::default() }).await;
    world.transports[0].always(Some(unreachable()));
    world.announce(&alarm(1, 1));
    world.transports[0].sent(3).await;
    let directory = world.end().await;
    let world = PushWorld::start_in(directory, WorldPlan { tokens: 0, ..WorldPlan::default() }).await;
    assert_eq!(world.transports[0].sent(3).await.len(), 3);
    let rows = world.settled(2).await;
    assert_eq!((rows[0].decision.word(), rows[0].attempts), ("sent", 2));
    world.end().await;
}

#[tokio::test]
async fn what_is_too_old_is_marked_expired_and_not_sent() {
    let mut world = PushWorld::start(WorldPlan::default()).await;
    let mut old = alarm(1, 1);
    Arc::make_mut(&mut old).at -= Duration::from_mins(11);
    world.announce(&old);
    let rows = world.settled(1).await;
    assert_eq!(
        (rows[0].decision.word(), rows[0].reason.as_str(), rows[0].attempts),
        ("failed", "expired", 0)
    );
    assert_eq!(world.transports[0].count(), 0);
    world.end().await;
}

#[tokio::test]
async fn rights_that_were_taken_away_hold_for_what_still_waits() {
    let mut world = PushWorld::start(WorldPlan::default()).await;
    world.tokens = vec![Arc::new(Token { user: "gone".to_owned(), ..(*world.tokens[0]).clone() })];
    let alarm = alarm(1, 1);
    let (loaded_at, read_at) = (Some(Timestamp::UNIX_EPOCH), Some(Instant::now()));
    world.catalog.send_replace(Arc::new(Catalog { loaded_at, read_at, ..Catalog::default() }));
    world.announce(&alarm);
    let rows = world.settled(1).await;
    assert_eq!((rows[0].decision.word(), rows[0].reason.as_str()), ("skipped", "user"));
    assert_eq!(world.transports[0].count(), 0);
    world.end().await;
}

#[tokio::test]
async fn in_shadow_mode_everything_is_decided_and_nothing_is_sent() {
    let config = with(|config| config.mode = PushMode::Shadow);
    let mut world = PushWorld::start(WorldPlan { config, ..WorldPlan::default() }).await;
    world.announce(&alarm(1, 1));
    world.orders.try_send(PushOrder::Register(Arc::clone(&world.tokens[0]))).unwrap();
    let rows = world.settled(1).await;
    assert_eq!((rows[0].decision.word(), rows[0].reason.as_str()), ("skipped", "shadow"));
    assert_eq!((world.transports[0].count(), world.transports[0].registered()), (0, Vec::<PushToken>::new()));
    world.end().await;
}

#[tokio::test]
async fn the_router_hears_of_a_push_that_was_given_up_but_not_of_one_that_is_tried_again() {
    let mut world = PushWorld::start(WorldPlan { tokens: 2, ..WorldPlan::default() }).await;
    let both = std::mem::take(&mut world.tokens);
    world.transports[0].answer([unreachable()]);
    world.tokens = vec![Arc::clone(&both[0])];
    world.announce(&alarm(1, 1));
    world.settled(1).await;
    world.transports[0].answer([PushError::Message("payload too large".to_owned())]);
    world.tokens = vec![Arc::clone(&both[1])];
    world.announce(&alarm(2, 1));
    world.settled(2).await;
    until(async || !world.untold.lock().unwrap().is_empty()).await;
    assert_eq!(*world.untold.lock().unwrap(), [TokenId(2)]);
    world.end().await;
}

#[tokio::test]
async fn a_push_that_is_passed_on_leaves_a_proxy_alone_that_rests() {
    let names = vec!["fcm:one", "fcm:two"];
    let mut world = PushWorld::start(WorldPlan { names, tokens: 10, ..WorldPlan::default() }).await;
    world.transports[0].always(Some(PushError::WrongApp("SenderId mismatch".to_owned())));
    world.transports[1].always(Some(unreachable()));
    world.announce(&alarm(1, 1));
    until(async || world.status.health().get("fcm:two").is_some_and(|gate| gate.rests_until.is_some())).await;
    // One whose lane is not held back.
    let late = Arc::new(token(11, "secret-11", Platform::Android));
    assert!(world.state.note(Note::Token(Arc::clone(&late))));
    world.tokens = vec![late];
    world.announce(&alarm(2, 1));
    let waits = async || world.deliveries(11).await.first().is_some_and(|row| row.failures.len() >= 2);
    until(waits).await;
    let row = world.deliveries(11).await.remove(0);
    assert!(row.failures[1].transport == "fcm:two" && row.failures[1].answer.contains("it rests"), "{row:?}");
    let asked = world.transports[1].sent(0).await;
    assert!(!asked.iter().any(|push| push.token.expose() == "secret-11"), "it was asked although it rests");
    world.transports[1].always(None);
    let rows = world.settled(11).await;
    assert_eq!((rows[0].decision.word(), rows[0].transport.as_str()), ("sent", "fcm:two"));
    world.end().await;
}

#[tokio::test]
async fn a_provider_that_asks_for_a_pause_gets_it_from_every_phone() {
    let mut world = PushWorld::start(WorldPlan { tokens: 2, ..WorldPlan::default() }).await;
    let retry_after = Some(Duration::from_secs(1));
    let busy = PushError::Transport(TransportFault {
        retry_after,
        ..TransportFault::unanswered(FaultKind::Limited, "429")
    });
    world.transports[0].answer([busy]);
    let all = std::mem::take(&mut world.tokens);
    world.tokens = vec![Arc::clone(&all[0])];
    world.announce(&alarm(1, 1));
    until(async || world.status.health().get("proxy").is_some_and(|gate| gate.rests_until.is_some())).await;
    world.tokens = vec![Arc::clone(&all[1])];
    world.announce(&alarm(2, 1));
    let rows = world.settled(2).await;
    assert_eq!((rows[0].decision.word(), rows[0].attempts), ("sent", 1));
    world.settled(1).await;
    world.end().await;
}

#[tokio::test]
async fn from_shadow_to_live_and_back_what_comes_next_is_sent_or_not() {
    let config = with(|config| config.mode = PushMode::Shadow);
    let mut world = PushWorld::start(WorldPlan { config, ..WorldPlan::default() }).await;
    let last = |rows: Vec<DeliveryRow>| {
        let last = rows.last().unwrap();
        // With the way that it took or would have taken, and when.
        assert!(last.transport == "proxy" && last.latency.is_some(), "{last:?}");
        format!("{} {}", last.decision, last.reason)
    };
    world.announce(&alarm(1, 1));
    assert_eq!(last(world.settled(1).await), "skipped shadow");
    world.rules.send_modify(|rules| rules.shadow = false);
    world.announce(&alarm(2, 1));
    assert_eq!(last(world.settled(1).await), "sent ");
    world.rules.send_modify(|rules| rules.shadow = true);
    world.announce(&alarm(3, 1));
    assert_eq!(last(world.settled(1).await), "skipped shadow");
    assert_eq!((world.transports[0].count(), world.status.counts().delivered), (1, 1));
    world.end().await;
}

#[tokio::test]
async fn a_dead_provider_is_not_asked_by_every_push_and_everything_arrives_once_it_is_back() {
    let mut world = PushWorld::start(WorldPlan { tokens: 300, ..WorldPlan::default() }).await;
    world.transports[0].always(Some(unreachable()));
    world.announce(&alarm(1, 1));
    until(async || world.status.health().get("proxy").is_some_and(|gate| gate.rests_until.is_some())).await;
    assert!(world.transports[0].count() <= 110, "{} pushes to a dead provider", world.transports[0].count());
    world.transports[0].always(None);
    world.settled(1).await;
    assert_eq!((world.status.counts().delivered, world.status.counts().failed), (300, 0));
    let gates = world.status.health();
    assert_eq!(
        (gates["proxy"].rests_until, gates["proxy"].fails(), gates["proxy"].in_flight),
        (None, false, 0)
    );
    world.end().await;
}

#[tokio::test]
async fn who_waits_hears_the_providers_answer_at_the_first_attempt() {
    let mut world = PushWorld::start(WorldPlan::default()).await;
    world.transports[0].answer([unreachable()]);
    let (receipts, mut heard) = mpsc::channel(8);
    world.announce_with(&alarm(1, 1), Some(receipts));
    let receipt = heard.recv().await.unwrap();
    assert_eq!((receipt.token, &*receipt.transport), (TokenId(1), "proxy"));
    let refused = "connection refused (it will be tried again)".to_owned();
    assert_eq!(receipt.ending, PushEnding::Failed(refused));
    assert!(heard.recv().await.is_none(), "one answer each");
    world.settled(1).await;
    world.end().await;
}

#[tokio::test]
async fn a_withdrawn_token_gets_nothing_more() {
    let mut world = PushWorld::start(WorldPlan::default()).await;
    let transport = Arc::clone(&world.transports[0]);
    let hold = transport.hold.lock().await;
    world.announce(&alarm(1, 1));
    world.announce(&alarm(2, 1));
    world.transports[0].sent(1).await;
    world.orders.try_send(PushOrder::Withdraw(TokenId(1), DeliveryId(2))).unwrap();
    until(async || world.status.counts().queued == 1).await;
    drop(hold);
    until(async || world.status.counts().queued == 0).await;
    assert_eq!(transport.count(), 1);
    world.end().await;
}

#[tokio::test]
async fn more_than_the_memory_holds_waits_on_the_disk_and_goes_out_in_order() {
    let mut world = PushWorld::start(WorldPlan {
        tokens: 2_500,
        config: with(|config| config.storm_limit = 1000),
        ..WorldPlan::default()
    })
    .await;
    for event in 1..=12 {
        world.announce(&alarm(event, 1));
    }
    until(async || world.status.counts().queued == 0 && world.status.counts().delivered == 30_000).await;
    let rows = world.settled(2_000).await;
    assert!(rows.iter().all(|row| row.decision.word() == "sent" && row.attempts == 1));
    let sent = world.transports[0].sent(30_000).await;
    let of_one: Vec<_> = sent
        .iter()
        .filter(|push| push.token.expose() == "secret-7")
        .map(|push| push.alarms[0].event.unwrap().0)
        .collect();
    assert_eq!(of_one, (1..=12).collect::<Vec<_>>());
    world.end().await;
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_silences_no_phone() {
    let mut world = PushWorld::start(WorldPlan::default()).await;
    world.block_disk().await;
    world.announce(&alarm(1, 1));
    let sent = world.transports[0].sent(1).await;
    assert_eq!(sent[0].alarms[0].event.unwrap().0, 1);
    until(async || world.status.counts().delivered == 1).await;
    world.unblock_disk().await;
    assert_eq!(world.settled(1).await[0].decision.word(), "sent", "written down once it can be");
    assert_eq!(world.transports[0].count(), 1);
    world.end().await;
}

/// 100 phones and 150 alarms in seconds: digests conclude thousands of deliveries at once.
#[tokio::test]
async fn no_outcome_is_lost_in_a_storm() {
    let config = with(|config| config.storm_limit = 2);
    let storm_window = Duration::from_secs(2);
    let mut world =
        PushWorld::start(WorldPlan { tokens: 100, config, storm_window, ..WorldPlan::default() }).await;
    for event in 1..=150 {
        world.announce(&alarm(event, 1));
    }
    until(async || world.status.counts().delivered == 15_000).await;
    for token in [1, 50, 100] {
        let rows = world.settled(token).await;
        assert_eq!((rows.len(), rows.iter().filter(|row| row.decision.word() == "sent").count()), (150, 150));
    }
    assert_eq!(world.transports[0].count(), 300, "two and a digest each, nothing repeated");
    world.end().await;
}

#[tokio::test]
async fn a_push_keeps_its_place_until_its_outcome_is_on_the_disk() {
    let mut world = PushWorld::start(WorldPlan { tokens: 300, ..WorldPlan::default() }).await;
    let transport = Arc::clone(&world.transports[0]);
    let hold = transport.hold.lock().await;
    world.announce(&alarm(1, 1));
    transport.sent(100).await;
    until(async || world.state.deliveries_queued(1000).await.unwrap().len() == 300).await;
    world.block_disk().await;
    drop(hold);
    until(async || world.status.counts().delivered >= 100).await;
    // A crash now would repeat these, and no more.
    assert_eq!(transport.count(), 100);
    // But a disk that cannot be written at all silences no phone.
    until(async || world.status.counts().delivered == 300).await;
    world.unblock_disk().await;
    assert_eq!(world.settled(300).await[0].decision.word(), "sent");
    assert_eq!(transport.count(), 300);
    world.end().await;
}

#[tokio::test]
async fn an_alarm_that_the_router_could_not_hand_over_is_found_on_the_disk_and_sent_once() {
    let mut world = PushWorld::start(WorldPlan { tokens: 3, ..WorldPlan::default() }).await;
    let transport = Arc::clone(&world.transports[0]);
    let hold = transport.hold.lock().await;
    world.announce(&alarm(1, 1));
    transport.sent(3).await;
    world.announce_unheard(&alarm(2, 1));
    world.announce(&alarm(3, 1));
    drop(hold);
    let rows = world.settled(2).await;
    assert!(rows.iter().all(|row| row.decision.word() == "sent" && row.attempts == 1), "{rows:?}");
    assert_eq!((rows.len(), transport.count()), (3, 9));
    world.end().await;
}

#[tokio::test]
async fn what_the_router_could_not_hand_over_counts_as_queued_while_it_waits() {
    let mut world = PushWorld::start(WorldPlan { tokens: 3, ..WorldPlan::default() }).await;
    let transport = Arc::clone(&world.transports[0]);
    let hold = transport.hold.lock().await;
    world.announce(&alarm(1, 1));
    transport.sent(3).await;
    world.announce_unheard(&alarm(2, 1));
    until(async || world.status.counts().queued == 6).await;
    drop(hold);
    until(async || world.status.counts().queued == 0).await;
    assert_eq!(world.status.counts().delivered, 6);
    world.end().await;
}

#[tokio::test]
async fn a_push_under_way_that_fails_is_not_tried_again_once_its_token_was_revoked() {
    let mut world = PushWorld::start(WorldPlan::default()).await;
    let transport = Arc::clone(&world.transports[0]);
    transport.answer([unreachable()]);
    let hold = transport.hold.lock().await;
    world.announce(&alarm(1, 1));
    transport.sent(1).await;
    assert!(world.state.note(Note::Withdrawn(TokenId(1), SkipReason::Revoked)));
    world.orders.try_send(PushOrder::Withdraw(TokenId(1), DeliveryId(1))).unwrap();
    until(async || world.orders.is_empty()).await;
    drop(hold);
    until(async || world.status.counts().queued == 0).await;
    world.announce(&alarm(2, 1));
    let rows = world.settled(1).await;
    assert_eq!((rows[0].decision.word(), rows[0].failures.len()), ("skipped", 1), "{rows:?}");
    assert_eq!(
        (rows[1].decision.word(), transport.count()),
        ("sent", 2),
        "what came later is its own matter"
    );
    world.end().await;
}

#[tokio::test]
async fn what_was_decided_holds_until_the_database_has_been_read_again() {
    let mut world = PushWorld::start(WorldPlan::default()).await;
    world.tokens = vec![Arc::new(Token { user: "new".to_owned(), ..(*world.tokens[0]).clone() })];
    // He logged in after this was read: the router knows him.
    let (loaded_at, read_at) = (Some(Timestamp::UNIX_EPOCH), Some(Instant::now()));
    world.catalog.send_replace(Arc::new(Catalog { loaded_at, read_at, ..Catalog::default() }));
    world.announce(&alarm(1, 1));
    assert_eq!(world.settled(1).await[0].decision.word(), "sent");
    world.end().await;
}

#[tokio::test]
async fn one_transport_that_rests_keeps_no_other_from_sending() {
    let names = vec!["fcm", "apns"];
    let mut world = PushWorld::start(WorldPlan { names, tokens: 40, ..WorldPlan::default() }).await;
    let apns = "0123456789abcdef".repeat(4);
    world.tokens.push(Arc::new(token(41, &apns, Platform::Ios)));
    world.transports[0].always(Some(unreachable()));
    world.announce(&alarm(1, 1));
    world.transports[1].sent(1).await;
    until(async || world.status.health().get("fcm").is_some_and(|gate| gate.rests_until.is_some())).await;
    world.announce(&alarm(2, 1));
    world.transports[1].sent(2).await;
    world.transports[0].always(None);
    until(async || world.status.counts().delivered == 82).await;
    world.end().await;
}
