//! Ways to phones that rest, are asked again by hand, or are replaced by a reload.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::oneshot;
use zmes_providers::{PushError, TransportFault, Transports};
use zmes_shared::words::FaultKind;

use super::unreachable;
use super::world::{PushWorld, WorldPlan, until};
use crate::domain::TokenId;
use crate::ports::{Clock, Held, Retried, SystemClock};
use crate::push::PushCommand;
use crate::push::tests::fakes::{FakeTransport, alarm};
use zmes_shared::words::HeldBy;

/// A provider that demands a pause of a day after one push.
fn busy_for_a_day() -> PushError {
    let retry_after = Some(Duration::from_hours(24));
    PushError::Transport(TransportFault {
        retry_after,
        ..TransportFault::unanswered(FaultKind::Provider, "503 Service Unavailable")
    })
}

async fn retry(world: &PushWorld, only: Option<&str>) -> Vec<Retried> {
    let (reply, answer) = oneshot::channel();
    let only = only.map(ToOwned::to_owned);
    world.push_commands.send(PushCommand::Retry { only, reply }).await.unwrap();
    answer.await.unwrap()
}

#[tokio::test]
async fn a_day_of_retry_after_holds_no_phone_for_longer_than_the_transport_rests() {
    let mut world = PushWorld::start(WorldPlan { tokens: 2, ..WorldPlan::default() }).await;
    world.transports[0].answer([busy_for_a_day()]);
    let all = std::mem::take(&mut world.tokens);
    world.tokens = vec![Arc::clone(&all[0])];
    world.announce(&alarm(1, 1));
    let status = Arc::clone(&world.status);
    let rests = || status.health().get("proxy").and_then(|proxy| proxy.rests_until);
    until(async || rests().is_some()).await;
    let rest = rests().unwrap().duration_since(SystemClock.now());
    assert!(rest <= SignedDuration::from_secs(75), "a minute at most: {rest:?}");
    let failure = world.status.health()["proxy"].failure.clone().unwrap();
    assert_eq!((failure.fault.kind, failure.count), (FaultKind::Provider, 1));
    // The provider works again at once, and an admin says so: the newer alarms of both phones go out, too.
    world.tokens = all;
    world.announce(&alarm(2, 1));
    until(async || status.counts().queued == 3).await;
    let retried = retry(&world, None).await;
    assert!(retried[0].rest.is_some() && retried[0].waiting >= 1, "{retried:?}");
    let rows = world.settled(1).await;
    assert!(rows.iter().all(|row| row.decision.word() == "sent"), "{rows:?}");
    assert_eq!(rows.iter().map(|row| row.attempts).collect::<Vec<_>>(), [2, 1]);
    assert!(rests().is_none() && world.status.health()["proxy"].last_success.is_some());
    world.end().await;
}

#[tokio::test]
async fn a_pause_for_one_phone_is_bounded_told_and_no_other_phones_business() {
    let mut world = PushWorld::start(WorldPlan { tokens: 2, ..WorldPlan::default() }).await;
    let all = std::mem::take(&mut world.tokens);
    world.transports[0].answer([PushError::Phone {
        detail: "429 TooManyRequests".to_owned(),
        retry_after: Some(Duration::from_hours(24)),
    }]);
    world.tokens = vec![Arc::clone(&all[0])];
    world.announce(&alarm(1, 1));
    let status = Arc::clone(&world.status);
    let held = || status.held(TokenId(1), SystemClock.now());
    until(async || held().is_some()).await;
    let Held { by, until: last, reason } = held().unwrap();
    assert_eq!((by, reason.as_str()), (HeldBy::Phone, "429 TooManyRequests"));
    assert!(last.unwrap().duration_since(SystemClock.now()) <= SignedDuration::from_secs(150), "{last:?}");
    world.tokens = vec![Arc::clone(&all[1])];
    world.announce(&alarm(2, 1));
    until(async || world.deliveries(2).await.first().is_some_and(|row| row.decision.word() == "sent")).await;
    assert_eq!(world.status.held(TokenId(2), SystemClock.now()), None);
    assert!(!world.status.health()["proxy"].fails(), "it says nothing of the transport");
    // `push retry` does not end that pause: the provider has asked for it.
    assert_eq!(retry(&world, None).await[0].rest, None);
    assert!(held().is_some());
    world.end().await;
}

#[tokio::test]
async fn retry_names_what_rested_and_only_what_was_asked_for() {
    let names = vec!["fcm:one", "fcm:two", "apns"];
    let mut world = PushWorld::start(WorldPlan { names, ..WorldPlan::default() }).await;
    world.transports[0].answer([busy_for_a_day()]);
    world.announce(&alarm(1, 1));
    until(async || world.status.health().contains_key("fcm:one")).await;
    let names = |retried: Vec<Retried>| -> Vec<_> {
        retried.into_iter().map(|retried| (retried.transport, retried.rest.is_some())).collect()
    };
    assert_eq!(names(retry(&world, Some("apns")).await), [("apns".to_owned(), false)]);
    assert_eq!(names(retry(&world, Some("proxy")).await), []);
    let fcm = names(retry(&world, Some("fcm")).await);
    assert_eq!(fcm, [("fcm:one".to_owned(), true), ("fcm:two".to_owned(), false)]);
    world.settled(1).await;
    world.end().await;
}

#[tokio::test]
async fn a_reload_replaces_what_has_changed_and_what_waited_goes_out_at_once() {
    let names = vec!["proxy", "apns"];
    let mut world = PushWorld::start(WorldPlan { names, tokens: 3, ..WorldPlan::default() }).await;
    world.transports[0].always(Some(busy_for_a_day()));
    world.announce(&alarm(1, 1));
    until(async || world.status.health().get("proxy").is_some_and(|proxy| proxy.rests_until.is_some())).await;
    let mended = FakeTransport::new("proxy");
    let ways = [Arc::clone(&mended), Arc::clone(&world.transports[1])];
    world.ways.send_replace(Arc::new(Transports::of(ways.into_iter().map(|way| way as _).collect())));
    let rows = world.settled(1).await;
    assert_eq!((rows[0].decision.word(), mended.count()), ("sent", 3));
    let health = world.status.health().remove("proxy").unwrap();
    assert!(!health.fails() && health.rests_until.is_none() && health.in_flight == 0, "{health:?}");
    world.end().await;
}

#[tokio::test]
async fn pushes_under_way_finish_with_the_transport_that_they_have() {
    let mut world = PushWorld::start(WorldPlan::default()).await;
    let old = Arc::clone(&world.transports[0]);
    let hold = old.hold.lock().await;
    world.announce(&alarm(1, 1));
    old.sent(1).await;
    let new = FakeTransport::new("proxy");
    world.ways.send_replace(Arc::new(Transports::of(vec![Arc::clone(&new) as _])));
    // The lane is out: its next alarm waits for the first one's outcome, and goes the new way.
    world.announce(&alarm(2, 1));
    until(async || retry(&world, None).await[0].waiting == 1).await;
    old.always(Some(unreachable()));
    drop(hold);
    let rows = world.settled(1).await;
    assert!(rows.iter().all(|row| row.decision.word() == "sent"), "{rows:?}");
    assert_eq!((old.count(), new.count()), (1, 2), "what the old one refused is tried again by the new one");
    assert_eq!(rows[0].failures.len(), 1);
    assert!(!world.status.health()["proxy"].fails(), "the old one's failure is not the new one's");
    world.end().await;
}

#[tokio::test]
async fn transports_that_are_taken_away_and_come_back() {
    let mut world = PushWorld::start(WorldPlan::default()).await;
    world.ways.send_replace(Arc::default());
    until(async || retry(&world, None).await.is_empty()).await;
    world.announce(&alarm(1, 1));
    let rows = world.settled(1).await;
    assert_eq!(
        (rows[0].decision.word(), rows[0].reason.as_str()),
        ("failed", "no transport takes this token")
    );
    world.ways.send_replace(Arc::new(Transports::of(vec![Arc::clone(&world.transports[0]) as _])));
    until(async || !retry(&world, None).await.is_empty()).await;
    world.announce(&alarm(2, 1));
    assert_eq!(world.settled(1).await[1].decision.word(), "sent");
    world.end().await;
}
