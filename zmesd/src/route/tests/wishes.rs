//! Rules and snoozes that users and admins have set.

use zmes_providers::Urgency;
use zmes_shared::words::{DeliveryState, Reason, SnoozeOrigin};

use super::*;
use crate::domain::{DecidedBy, Snooze, SnoozeId, SnoozeScope, TokenId};
use crate::route::fakes::snooze;
use crate::route::{PushBatch, RuleHits, SnoozeAuthor};
use crate::rules::{Channel, MonitorName, ReceiverName, Rule, RuleAction, fakes};

/// Returns a rule for monitor 1.
fn rule(name: &str, action: RuleAction) -> Rule {
    Rule { monitors: vec![MonitorName::parse("1")], ..fakes::rule(name, action) }
}

impl RouterWorld {
    /// Returns the delivery log of an event: decision, reason, cause.
    async fn log(&self, event: u64) -> Vec<(DeliveryState, Reason, Option<DecidedBy>)> {
        self.stored().await;
        let rows = self.state.deliveries_of_event(EventId(event), 100).await.unwrap();
        rows.into_iter().map(|row| (row.decision, row.reason, row.by)).collect()
    }

    async fn set(&self, snooze: Snooze) -> SnoozeId {
        self.router.set_snooze(snooze).await.unwrap().unwrap().snooze.id
    }

    /// Returns the next alarm to be pushed.
    async fn next_push(&mut self) -> PushBatch {
        loop {
            let order = timeout(Duration::from_secs(10), self.pushes.recv()).await.unwrap();
            if let Some(PushOrder::Alarm(batch)) = order {
                return batch;
            }
        }
    }
}

#[tokio::test]
async fn a_snoozed_monitor_is_not_pushed_and_sockets_still_get_it() {
    let directory = tempfile::tempdir().unwrap();
    let users = [user("amy", MonitorRights::All), user("bob", MonitorRights::All)];
    let (mut world, [mut of_amy, _of_bob]) =
        RouterWorld::with_two_phones(directory.path().into(), &users).await;
    let until = Timestamp::from_second(T + 600).unwrap();
    let id = world.set(snooze(Some(1), SnoozeScope::User("amy".to_owned()), until)).await;
    world.announce(alarm_at(1, 10, T)).await;
    world.announce(alarm_at(2, 11, T)).await;
    world.announce(alarm_at(1, 12, T + 600)).await;
    let pushed: Vec<_> =
        world.pushed().into_iter().map(|(event, token, _)| format!("{event} {token}")).collect();
    assert_eq!(pushed, ["10 B", "11 A", "11 B", "12 A", "12 B"]);
    assert_eq!(of_amy.events(), ["10", "11", "12"]);
    let withheld = (DeliveryState::Skipped, SkipReason::Snoozed.into(), Some(DecidedBy::Snooze(id)));
    assert!(world.log(10).await.contains(&withheld));

    let world = world.restart(&users).await;
    let listed = world.router.snoozes().await.unwrap();
    assert_eq!(listed.len(), 1, "it survives a restart");
    assert_eq!((listed[0].snooze.id, listed[0].withheld), (id, 1), "with what it has withheld");
    let author = SnoozeAuthor { by: "root".to_owned(), origin: SnoozeOrigin::Cli };
    assert_eq!(world.router.end_snoozes(vec![id, SnoozeId(99)], author).await.unwrap().len(), 1);
    let mut world = world.restart(&users).await;
    assert_eq!(world.router.snoozes().await.unwrap(), []);
    world.announce(alarm_at(1, 13, T)).await;
    assert_eq!(world.pushed().len(), 2);
}

#[tokio::test]
async fn at_the_end_of_a_snooze_one_silent_push_says_how_many_alarms_there_were() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let mut client = world.login(amy.clone(), None).await;
    world.register(&client, "A", |_| {}).await.unwrap();
    let now = SystemClock.now();
    let until = now + Duration::from_secs(2);
    world.set(Snooze { tell: true, ..snooze(Some(1), SnoozeScope::Everybody, until) }).await;
    for event in 10..13 {
        world.announce(Alarm { at: now, ..alarm_at(1, event, T) }).await;
    }
    let digest = world.next_push().await;
    assert_eq!(&*digest.alarm.cause, "3 alarms while snoozed");
    assert_eq!((digest.alarm.origin, digest.alarm.event), (Origin::Snooze, None));
    assert_eq!(digest.deliveries[0].urgency, Urgency::Silent);
    assert_eq!(client.events(), ["10", "11", "12"], "sockets are told of alarms alone");
    assert_eq!(world.router.snoozes().await.unwrap(), []);
    // A snooze that ended while the daemon was down is reported by the next run.
    let until = SystemClock.now() + Duration::from_millis(700);
    world.set(Snooze { tell: true, ..snooze(None, SnoozeScope::Token(TokenId(1)), until) }).await;
    world.announce(Alarm { at: now, ..alarm_at(2, 20, T) }).await;
    world.stored().await;
    let directory = world.directory.clone();
    world.stop_all().await;
    while SystemClock.now() < until {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut world = RouterWorld::start(directory, std::slice::from_ref(&amy)).await;
    let digest = world.next_push().await;
    assert_eq!(
        (&*digest.alarm.monitor_name, &*digest.alarm.cause),
        ("All monitors", "1 alarm while snoozed")
    );
}

#[tokio::test]
async fn rules_mute_for_their_receivers_and_urgent_ones_break_through_a_snooze() {
    let directory = tempfile::tempdir().unwrap();
    let users = [user("amy", MonitorRights::All), user("bob", MonitorRights::All)];
    let (mut world, [mut of_amy, _of_bob]) =
        RouterWorld::with_two_phones(directory.path().into(), &users).await;
    let for_amy = Rule { receivers: vec![ReceiverName::parse("amy")], ..rule("quiet", RuleAction::Mute) };
    world.rules.send(Arc::new(RuleSet::new(vec![for_amy]))).unwrap();
    world.announce(alarm_at(1, 10, T)).await;
    assert_eq!(world.pushed(), [(10, "B".to_owned(), 1)]);
    assert_eq!(of_amy.events(), ["10"], "the rule is for pushes");
    let by = Some(DecidedBy::Rule("quiet".into()));
    assert!(world.log(10).await.contains(&(DeliveryState::Skipped, SkipReason::Rule.into(), by)));

    let on_sockets = Rule { channels: vec![Channel::WebSocket], ..rule("screens", RuleAction::Mute) };
    world.rules.send(Arc::new(RuleSet::new(vec![on_sockets]))).unwrap();
    world.announce(alarm_at(1, 11, T)).await;
    assert_eq!((of_amy.events(), world.pushed().len()), (Vec::<String>::new(), 2));

    world.rules.send(Arc::new(RuleSet::new(vec![rule("burglar", RuleAction::Urgent)]))).unwrap();
    let until = Timestamp::from_second(T + 600).unwrap();
    world.set(snooze(None, SnoozeScope::Everybody, until)).await;
    world.announce(alarm_at(1, 12, T)).await;
    world.announce(alarm_at(2, 13, T)).await;
    let batch = world.next_push().await;
    assert_eq!(batch.alarm.event, Some(EventId(12)));
    assert!(batch.deliveries.iter().all(|delivery| delivery.urgency == Urgency::Urgent));
    assert_eq!(world.pushed(), [], "monitor 2 is snoozed and not urgent");
}

#[tokio::test]
async fn a_rule_counts_alarms_and_not_receivers_and_a_restart_knows_them() {
    let directory = tempfile::tempdir().unwrap();
    let (amy, bob) = (user("amy", MonitorRights::All), user("bob", MonitorRights::All));
    let users = [amy.clone(), bob.clone()];
    let mut world = RouterWorld::start(directory.path().into(), &users).await;
    let (of_amy, of_bob) = (world.login(amy, None).await, world.login(bob, None).await);
    world.register(&of_amy, "A", |_| {}).await.unwrap();
    world.register(&of_bob, "B", |_| {}).await.unwrap();
    let on = |channel, name| Rule { channels: vec![channel], ..rule(name, RuleAction::Mute) };
    let (screens, quiet) = (on(Channel::WebSocket, "screens"), on(Channel::Push, "quiet"));
    world.rules.send(Arc::new(RuleSet::new(vec![screens, quiet]))).unwrap();
    let now = SystemClock.now().as_second();
    world.announce(alarm_at(1, 10, now - 5)).await;
    world.announce(alarm_at(1, 11, now)).await;
    world.announce(alarm_at(2, 12, now)).await;
    let hits = world.router.rules().await.unwrap().hits;
    let last = Timestamp::from_second(now).unwrap();
    let hit = RuleHits { day: 2, last };
    let expected = [("screens".into(), hit), ("quiet".into(), hit)];
    assert_eq!(hits, expected.clone().into());
    let decided = world.router.session_decisions(EventId(10)).await.unwrap();
    let by = Some(DecidedBy::Rule("screens".into()));
    assert!(decided.len() == 2 && decided.iter().all(|decision| decision.by == by), "{decided:?}");
    world.stored().await;
    let world = world.restart(&users).await;
    assert_eq!(world.router.rules().await.unwrap().hits, expected.into());
}
