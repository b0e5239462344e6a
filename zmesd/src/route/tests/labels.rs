//! Decisions that wait for labels.

use std::collections::BTreeSet;

use zmes_shared::Label;
use zmes_shared::words::{DeliveryState, LabelWait, Phase, Reason};

use super::ends::pushed;
use super::*;
use crate::config::{EndConfig, WithoutLabels};
use crate::domain::{AlarmSpan, SnoozeScope};
use crate::route::fakes::snooze;
use crate::rules::{Rule, RuleAction, fakes};
use crate::telemetry::TargetKind;

fn person() -> Arc<[Label]> {
    [Label::new("person", Some(95)).unwrap()].into()
}

fn now_alarm(monitor: u32, event: u64) -> Alarm {
    Alarm { at: SystemClock.now(), ..alarm_at(monitor, event, T) }
}

impl RouterWorld {
    async fn wait_for_labels(&self, wait: Duration, without: WithoutLabels) {
        self.labels.send_modify(|config| (config.wait, config.without) = (wait, without));
        self.router.ping().await.unwrap();
    }

    /// Reports what was read of an event.
    async fn read(&self, event: u64, labels: &[Label]) {
        let found = (!labels.is_empty()).then(|| (EventId(event), labels.into()));
        let report =
            LabelReport { read: [EventId(event)].into(), found: found.into_iter().collect(), possible: true };
        assert!(self.router.labels(report).await.unwrap());
    }

    /// Waits until the event was decided for tokens, and returns the log: decision, reason, how it waited.
    async fn decided(&self, event: u64) -> Vec<(DeliveryState, Reason, Option<LabelWait>)> {
        for _ in 0..200 {
            self.stored().await;
            let rows = self.state.deliveries_of_event(EventId(event), 100).await.unwrap();
            if !rows.is_empty() {
                let waited = |waited: Option<(Duration, LabelWait)>| waited.map(|(_, ending)| ending);
                let row =
                    |row: crate::state::DeliveryRow| (row.decision, row.reason, waited(row.labels.waited));
                return rows.into_iter().map(row).collect();
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{event} is not decided");
    }

    fn asked(&mut self) -> Vec<(u64, bool)> {
        let next = || self.asked.try_recv().ok();
        std::iter::from_fn(next).map(|asked| (asked.event.0, asked.waits_until.is_some())).collect()
    }
}

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);

async fn world_of_amy(directory: &Path) -> (RouterWorld, Client, User) {
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.into(), std::slice::from_ref(&amy)).await;
    let client = world.login(amy.clone(), None).await;
    world.register(&client, "A", |_| {}).await.unwrap();
    (world, client, amy)
}

#[tokio::test]
async fn sockets_are_told_at_once_and_tokens_once_labels_are_known() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, mut client, _) = world_of_amy(directory.path()).await;
    world.wait_for_labels(LONG, WithoutLabels::Send).await;
    world.announce(now_alarm(1, 10)).await;
    assert_eq!(client.events(), ["10"]);
    assert_eq!(world.pushed(), []);
    assert_eq!(world.asked(), [(10, true)]);
    world.read(10, &[]).await;
    assert_eq!(world.pushed(), [], "nothing was detected yet");
    world.read(11, &person()).await;
    assert_eq!(world.pushed(), [], "that was another event");
    world.read(10, &person()).await;
    let pushed = world.pushed();
    assert_eq!(pushed, [(10, "A".to_owned(), 1)]);
    assert_eq!(
        world.decided(10).await,
        [(DeliveryState::Queued, Reason::None, Some(LabelWait::Found))],
        "the copy over the socket is no other alarm, which would start an interval"
    );
    let kept = world.state.labels_of(&[EventId(10), EventId(11)]).await.unwrap();
    assert_eq!(kept[&EventId(10)], *person());
    assert_eq!(kept.len(), 2);
    // Another alarm of the same event: its labels are known.
    world.announce(now_alarm(1, 10)).await;
    assert_eq!(world.pushed().len(), 1);
    assert_eq!(world.asked(), [(10, false)]);
    world.read(10, &person()).await;
    assert_eq!(world.pushed(), [], "decided once");
}

#[tokio::test]
async fn a_wait_that_is_over_sends_or_drops_and_a_rule_has_the_last_word() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, _client, _) = world_of_amy(directory.path()).await;
    world.wait_for_labels(SHORT, WithoutLabels::Send).await;
    world.announce(now_alarm(1, 10)).await;
    world.read(10, &[]).await;
    assert_eq!(world.decided(10).await, [(DeliveryState::Queued, Reason::None, Some(LabelWait::None))]);
    world.wait_for_labels(SHORT, WithoutLabels::Drop).await;
    world.announce(now_alarm(1, 11)).await;
    world.read(11, &[]).await;
    let dropped = (DeliveryState::Skipped, SkipReason::NoLabels.into(), Some(LabelWait::None));
    assert_eq!(world.decided(11).await, [dropped]);
    // If the database could not be read, it is unknown whether there are labels.
    world.announce(now_alarm(1, 12)).await;
    assert_eq!(world.decided(12).await, [(DeliveryState::Queued, Reason::None, Some(LabelWait::Unread))]);
    let rule = fakes::rule("door", RuleAction::Notify);
    world.rules.send(Arc::new(RuleSet::new(vec![rule]))).unwrap();
    world.announce(now_alarm(1, 13)).await;
    world.read(13, &[]).await;
    assert_eq!(world.decided(13).await, [(DeliveryState::Queued, Reason::None, Some(LabelWait::None))]);
    world.pushed();
}

#[tokio::test]
async fn rules_see_labels_and_what_people_set_while_it_waits_counts() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, _client, _) = world_of_amy(directory.path()).await;
    let persons_only =
        Rule { labels_lack: vec!["Person".to_owned()], ..fakes::rule("persons", RuleAction::Mute) };
    world.rules.send(Arc::new(RuleSet::new(vec![persons_only]))).unwrap();
    world.wait_for_labels(LONG, WithoutLabels::Send).await;
    for (event, label) in [(10, "cat"), (11, "person")] {
        world.announce(now_alarm(1, event)).await;
        world.read(event, &[Label::new(label, None).unwrap()]).await;
    }
    assert_eq!(world.decided(10).await[0].1, SkipReason::Rule.into());
    assert_eq!(world.pushed().iter().map(|(event, ..)| *event).collect::<Vec<_>>(), [11]);
    world.announce(now_alarm(2, 12)).await;
    let until = SystemClock.now() + Duration::from_mins(10);
    world.router.set_snooze(snooze(Some(2), SnoozeScope::Everybody, until)).await.unwrap().unwrap();
    world.read(12, &person()).await;
    assert_eq!(world.decided(12).await[0].1, SkipReason::Snoozed.into());
    assert_eq!(world.pushed(), []);
}

#[tokio::test]
async fn an_interval_counts_whatever_is_decided_first() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let client = world.login(amy.clone(), None).await;
    let filter = MonitorFilter::parse("1", "60").unwrap();
    world.register(&client, "A", |registration| registration.filter = Some(filter)).await.unwrap();
    world.router.close(client.id, "gone", SessionEnd::ByApp, None).await.unwrap();
    world.wait_for_labels(LONG, WithoutLabels::Send).await;
    world.announce(alarm_at(1, 10, T)).await;
    world.announce(alarm_at(1, 11, T + 5)).await;
    world.announce(alarm_at(1, 12, T + 70)).await;
    world.read(11, &person()).await;
    world.read(10, &person()).await;
    world.read(12, &person()).await;
    assert_eq!(world.decided(10).await[0].1, SkipReason::Interval.into(), "the later one was decided first");
    assert_eq!(world.pushed().iter().map(|(event, ..)| *event).collect::<Vec<_>>(), [11, 12]);
}

#[tokio::test]
async fn what_waits_when_the_daemon_ends_is_decided_once_by_the_next_one() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, _client, amy) = world_of_amy(directory.path()).await;
    // Long enough to look at what waits, also on a busy machine.
    world.wait_for_labels(Duration::from_secs(2), WithoutLabels::Send).await;
    world.announce(now_alarm(1, 10)).await;
    world.stored().await;
    assert!(world.state.is_held(EventId(10)).await.unwrap());
    assert_eq!(world.pushed(), []);
    let mut world = world.restart(std::slice::from_ref(&amy)).await;
    assert_eq!(world.decided(10).await, [(DeliveryState::Queued, Reason::None, Some(LabelWait::Unread))]);
    assert_eq!(world.pushed(), [(10, "A".to_owned(), 1)]);
    assert!(!world.state.is_held(EventId(10)).await.unwrap());
    let mut world = world.restart(&[amy]).await;
    world.router.ping().await.unwrap();
    assert_eq!(world.pushed(), []);
    assert_eq!(world.decided(10).await.len(), 1);
}

#[tokio::test]
async fn an_alarm_that_ends_while_it_waits_is_told_first_and_then_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, mut client, amy) = world_of_amy(directory.path()).await;
    let both = EndConfig { push: true, websocket: true };
    world.ends.send(both).unwrap();
    world.wait_for_labels(LONG, WithoutLabels::Send).await;
    let begin_and_end = async |world: &RouterWorld, event| {
        let start = now_alarm(1, event);
        let span = Some(AlarmSpan { began: start.at, lasted: Some(Duration::from_secs(2)) });
        world.announce(start.clone()).await;
        let at = start.at + Duration::from_secs(2);
        world.announce(Alarm { at, phase: Phase::End, span, ..start }).await;
    };
    let mut watcher = world.tap.subscribe();
    begin_and_end(&world, 10).await;
    assert_eq!(client.events(), ["10", "10"], "sockets wait for nothing");
    assert_eq!(pushed(&mut world), []);
    world.read(10, &person()).await;
    assert_eq!(pushed(&mut world), [(10, None), (-10, Some(1))]);
    let mut shown = Vec::new();
    while let Ok(event) = watcher.try_recv() {
        match event {
            TapEvent::Alarm(announced) => shown.push(("announced", announced.alarm.phase)),
            TapEvent::Decided(later) => shown.push(("decided", later.alarm.phase)),
            TapEvent::Session(..) | TapEvent::Delivery(_) | TapEvent::Token(..) | TapEvent::Trouble(_) => {}
        }
    }
    let once = [
        ("announced", Phase::Start),
        ("announced", Phase::End),
        ("decided", Phase::Start),
        ("decided", Phase::End),
        ("announced", Phase::Update),
    ];
    assert_eq!(shown, once, "watchers hear of each once");
    let decided = |kind| world.counters.decisions.value((kind, Decision::Send));
    let counted = (decided(TargetKind::Session), decided(TargetKind::Token));
    assert_eq!(counted, (1, 1), "ends are not counted, whether they waited or not");

    // The daemon ends before the start was decided.
    begin_and_end(&world, 11).await;
    world.stored().await;
    let mut world = world.restart(&[amy]).await;
    world.ends.send(both).unwrap();
    world.wait_for_labels(LONG, WithoutLabels::Send).await;
    assert_eq!(pushed(&mut world), []);
    world.read(11, &person()).await;
    assert_eq!(pushed(&mut world), [(11, None), (-11, Some(3))]);
    world.read(11, &person()).await;
    assert_eq!(pushed(&mut world), [], "each once");
}

#[tokio::test]
async fn what_need_not_or_cannot_wait_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, client, _) = world_of_amy(directory.path()).await;
    world.wait_for_labels(LONG, WithoutLabels::Send).await;
    world.announce(Alarm { origin: Origin::Reconciled, ..now_alarm(1, 10) }).await;
    world.announce(Alarm { event: None, ..now_alarm(1, 11) }).await;
    let orders = world.orders().into_iter().filter(|order| matches!(order, PushOrder::Alarm(_)));
    assert_eq!(orders.count(), 2, "late alarms, and those without an event");
    assert_eq!(world.asked(), [(10, false)]);
    // Only as many alarms wait as there is room for.
    for event in 1000..1000 + 1025 {
        while world.asked.try_recv().is_ok() {}
        world.announce(now_alarm(1, event)).await;
    }
    assert_eq!(world.pushed().iter().map(|(event, ..)| *event).collect::<Vec<_>>(), [2024]);
    // Nothing waits if no labels can come, or if a new configuration turns waiting off.
    let report = LabelReport { read: BTreeSet::new(), found: Vec::new(), possible: false };
    world.router.labels(report).await.unwrap();
    assert_eq!(world.pushed().len(), 1024);
    world.announce(now_alarm(1, 20)).await;
    assert_eq!(world.pushed().len(), 1);
    world.wait_for_labels(LONG, WithoutLabels::Send).await;
    world.announce(now_alarm(1, 21)).await;
    assert_eq!(world.pushed(), [], "the settings are new: it may have a source now");
    world.wait_for_labels(Duration::ZERO, WithoutLabels::Send).await;
    world.router.ping().await.unwrap();
    assert_eq!(world.pushed().len(), 1);
    drop(client);
}

#[tokio::test]
async fn labels_that_are_switched_off_before_users_are_known_skip_no_push() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, _client, amy) = world_of_amy(directory.path()).await;
    world.wait_for_labels(LONG, WithoutLabels::Send).await;
    world.publish(Arc::default()).await;
    world.announce(now_alarm(1, 10)).await;
    world.wait_for_labels(Duration::ZERO, WithoutLabels::Send).await;
    world.router.ping().await.unwrap();
    assert_eq!(world.pushed(), [], "nobody is known yet");
    world.publish(catalog(&[amy])).await;
    assert_eq!(world.pushed(), [(10, "A".to_owned(), 1)]);
}

#[tokio::test]
async fn watchers_hear_of_an_alarm_once_and_of_its_decisions_when_they_are_made() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, _client, _) = world_of_amy(directory.path()).await;
    world.wait_for_labels(LONG, WithoutLabels::Send).await;
    let mut watcher = world.tap.subscribe();
    world.announce(now_alarm(1, 10)).await;
    let TapEvent::Alarm(announced) = watcher.recv().await.unwrap() else { panic!("no alarm") };
    let decided = announced.decided.upgrade().unwrap();
    assert_eq!((decided.sessions.len(), decided.tokens.len()), (1, 0));
    world.read(10, &person()).await;
    let TapEvent::Decided(released) = watcher.recv().await.unwrap() else { panic!("no decision") };
    let decided = released.decided.upgrade().unwrap();
    assert_eq!((released.number, decided.sessions.len(), decided.tokens.len()), (announced.number, 0, 1));
    world.pushed();
}

#[tokio::test]
async fn a_push_that_says_the_labels_needs_no_update_of_an_earlier_one() {
    let directory = tempfile::tempdir().unwrap();
    let (world, _client, _) = world_of_amy(directory.path()).await;
    world.labels.send_modify(|config| config.update = true);
    world.wait_for_labels(SHORT, WithoutLabels::Send).await;
    world.announce(now_alarm(1, 10)).await;
    assert_eq!(world.decided(10).await.len(), 1, "it went out without labels");
    // Another alarm of the event still waits when labels come.
    world.wait_for_labels(LONG, WithoutLabels::Send).await;
    world.announce(now_alarm(1, 10)).await;
    world.read(10, &person()).await;
    world.stored().await;
    let rows = world.state.deliveries_of_event(EventId(10), 100).await.unwrap();
    let phases: Vec<_> = rows.iter().map(|row| (row.phase, row.labels.known.len())).collect();
    assert_eq!(phases, [(Phase::Start, 0), (Phase::Start, 1)]);
}
