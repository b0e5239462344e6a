//! Updates of alarms whose labels or better pictures come later: who gets them.

use zmes_providers::Urgency;
use zmes_shared::Label;
use zmes_shared::words::Phase;

use super::*;
use crate::domain::{SnoozeScope, TokenId};
use crate::route::fakes::snooze;
use crate::rules::{RuleAction, fakes};

fn person() -> Arc<[Label]> {
    [Label::new("person", Some(95)).unwrap()].into()
}

fn now_alarm(monitor: u32, event: u64) -> Alarm {
    Alarm { at: SystemClock.now(), ..alarm_at(monitor, event, T) }
}

impl RouterWorld {
    async fn update(&self, on: bool) {
        self.labels.send_modify(|config| config.update = on);
        self.router.ping().await.unwrap();
    }

    /// Reports that a person was detected in an event.
    async fn detected(&self, event: u64) {
        let found = vec![(EventId(event), person())];
        let report = LabelReport { read: [EventId(event)].into(), found, possible: true };
        assert!(self.router.labels(report).await.unwrap());
    }

    async fn picture_update(&self, on: bool) {
        self.pictures.send_modify(|config| config.update = on);
        self.router.ping().await.unwrap();
    }

    /// Reports a better picture of an alarm: for these tokens (or not), and for all others or not.
    async fn better(&self, alarm: &Alarm, receivers: &[(i64, bool)], others: bool) {
        let receivers = receivers.iter().map(|(token, better)| (TokenId(*token), *better)).collect();
        let event = alarm.event.unwrap();
        let better = BetterPicture { event, alarm_at: alarm.at, receivers, others };
        self.router.better_picture(better).await.unwrap();
    }

    /// Returns the pushes that the router ordered: event, phase, token, badge, urgency, and whether each belongs to a
    /// start.
    fn ordered(&mut self) -> Vec<(u64, Phase, String, u32, Urgency, bool)> {
        let mut ordered = Vec::new();
        while let Ok(order) = self.pushes.try_recv() {
            let PushOrder::Alarm(batch) = order else { continue };
            let (event, phase) = (batch.alarm.event.map_or(0, |event| event.0), batch.alarm.phase);
            ordered.extend(batch.deliveries.iter().map(|delivery| {
                let token = delivery.token.token.expose().to_owned();
                (event, phase, token, delivery.badge, delivery.urgency, delivery.start.is_some())
            }));
        }
        ordered
    }
}

async fn world_of_amy(directory: &Path) -> (RouterWorld, Client) {
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.into(), std::slice::from_ref(&amy)).await;
    let client = world.login(amy, None).await;
    world.register(&client, "A", |_| {}).await.unwrap();
    (world, client)
}

#[tokio::test]
async fn updates_are_off_by_default_and_if_on_follow_each_push_without_labels_once() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, mut client) = world_of_amy(directory.path()).await;
    world.announce(now_alarm(1, 10)).await;
    world.detected(10).await;
    let start = |event, badge| (event, Phase::Start, "A".to_owned(), badge, Urgency::Normal, false);
    let update = |event, badge| (event, Phase::Update, "A".to_owned(), badge, Urgency::Silent, true);
    assert_eq!(world.ordered(), [start(10, 1)]);

    world.update(true).await;
    world.announce(now_alarm(1, 11)).await;
    world.announce(now_alarm(1, 11)).await;
    world.detected(12).await;
    assert_eq!(world.ordered(), [start(11, 2), start(11, 3)]);
    world.detected(11).await;
    world.detected(11).await;
    assert_eq!(world.ordered(), [update(11, 3)], "one for the event, which takes the place of both");
    // Its labels are known.
    world.announce(now_alarm(1, 11)).await;
    world.detected(11).await;
    assert_eq!(world.ordered(), [start(11, 4)]);
    assert_eq!(client.events(), ["10", "11", "11", "11"], "apps hear of no updates");
    world.stored().await;
    let rows = world.state.deliveries_of_event(EventId(11), 100).await.unwrap();
    let phases: Vec<_> = rows.iter().map(|row| row.phase).collect();
    assert_eq!(phases, [Phase::Start, Phase::Start, Phase::Update, Phase::Start]);
    assert_eq!(*rows[2].labels.known, *person());
    assert_eq!(rows[2].lasted, None, "that is a matter of ends");
}

#[tokio::test]
async fn what_was_withheld_has_no_update_and_what_was_told_has_one_whatever_is_set_since() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, _client) = world_of_amy(directory.path()).await;
    world.update(true).await;
    world.rules.send(Arc::new(RuleSet::new(vec![fakes::rule("night", RuleAction::Mute)]))).unwrap();
    world.announce(now_alarm(1, 10)).await;
    world.rules.send(Arc::default()).unwrap();
    world.detected(10).await;
    assert_eq!(world.ordered(), []);
    world.announce(now_alarm(1, 11)).await;
    let until = SystemClock.now().saturating_add(Duration::from_mins(10)).unwrap();
    world.router.set_snooze(snooze(None, SnoozeScope::Everybody, until)).await.unwrap().unwrap();
    world.rules.send(Arc::new(RuleSet::new(vec![fakes::rule("night", RuleAction::Mute)]))).unwrap();
    world.detected(11).await;
    let phases: Vec<_> = world.ordered().into_iter().map(|(event, phase, ..)| (event, phase)).collect();
    assert_eq!(phases, [(11, Phase::Start), (11, Phase::Update)]);
}

#[tokio::test]
async fn a_new_daemon_goes_on_with_what_the_last_one_told() {
    let directory = tempfile::tempdir().unwrap();
    let (world, _client) = world_of_amy(directory.path()).await;
    world.announce(now_alarm(1, 10)).await;
    world.announce(now_alarm(1, 11)).await;
    // Updates were off, so only the next daemon decides this one.
    world.detected(11).await;
    world.stored().await;
    let mut world = world.restart(&[user("amy", MonitorRights::All)]).await;
    world.update(true).await;
    world.ordered();
    world.detected(10).await;
    let phases: Vec<_> = world.ordered().into_iter().map(|(event, phase, ..)| (event, phase)).collect();
    assert_eq!(phases, [(10, Phase::Update)]);
    let updates = world.state.updates_since(zmes_shared::control::Since::Time(Timestamp::UNIX_EPOCH), 10);
    world.stored().await;
    let (updates, gap) = updates.await.unwrap();
    let told: Vec<_> = updates.iter().map(|update| (update.alarm.event, update.labels.clone())).collect();
    let labels = person().to_vec();
    assert_eq!(told, [(Some(EventId(11)), labels.clone()), (Some(EventId(10)), labels)]);
    assert!(!gap && updates[0].at < updates[1].at);
}

#[tokio::test]
async fn what_a_former_daemon_read_labels_the_next_alarm_of_the_event() {
    let directory = tempfile::tempdir().unwrap();
    let (world, _client) = world_of_amy(directory.path()).await;
    world.announce(now_alarm(1, 10)).await;
    world.detected(10).await;
    world.stored().await;
    let mut world = world.restart(&[user("amy", MonitorRights::All)]).await;
    // While updates are off it tells of none.
    world.router.ping().await.unwrap();
    world.ordered();
    world.update(true).await;
    world.announce(now_alarm(1, 10)).await;
    let Ok(PushOrder::Alarm(batch)) = world.pushes.try_recv() else { panic!("no push") };
    assert_eq!((batch.alarm.event, &*batch.alarm.labels.known), (Some(EventId(10)), &*person()));
    // The reader of labels, which is new, too, finds them again.
    world.detected(10).await;
    assert_eq!(world.ordered(), []);
}

#[tokio::test]
async fn a_better_picture_is_looked_for_only_if_wanted_and_updates_each_push_once() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, mut client) = world_of_amy(directory.path()).await;
    world.announce(now_alarm(1, 10)).await;
    assert!(world.watched.try_recv().is_err(), "off by default");
    world.picture_update(true).await;
    let alarm = now_alarm(1, 11);
    world.announce(alarm.clone()).await;
    let request = PictureRequest { event: EventId(11), at: alarm.at, labels_expected: false };
    assert_eq!(world.watched.try_recv().unwrap(), request);
    world.ordered();
    world.better(&alarm, &[(1, false)], true).await;
    assert_eq!(world.ordered(), [], "its phone has loaded it");
    let mut taps = world.tap.subscribe();
    world.better(&alarm, &[(1, true)], false).await;
    let update = (11, Phase::Update, "A".to_owned(), 2, Urgency::Silent, true);
    assert_eq!(world.ordered(), [update]);
    let told = taps.try_recv();
    assert!(
        matches!(told, Ok(TapEvent::Decided(_))),
        "watchers and scripts are told of labels alone: {told:?}"
    );
    world.better(&alarm, &[], true).await;
    world.update(true).await;
    world.detected(11).await;
    assert_eq!(world.ordered(), [], "each event has one update");
    assert_eq!(client.events(), ["10", "11"], "apps hear of none");
    world.stored().await;
    let rows = world.state.deliveries_of_event(EventId(11), 100).await.unwrap();
    let phases: Vec<_> = rows.iter().map(|row| (row.phase, row.labels.known.len())).collect();
    assert_eq!(phases, [(Phase::Start, 0), (Phase::Update, 0)]);
}

#[tokio::test]
async fn a_better_picture_comes_with_the_labels_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let (mut world, _client) = world_of_amy(directory.path()).await;
    world.picture_update(true).await;
    world.update(true).await;
    let alarm = now_alarm(1, 10);
    world.announce(alarm.clone()).await;
    assert!(world.watched.try_recv().unwrap().labels_expected);
    world.detected(10).await;
    world.better(&alarm, &[], true).await;
    let phases: Vec<_> = world.ordered().into_iter().map(|(event, phase, ..)| (event, phase)).collect();
    assert_eq!(phases, [(10, Phase::Start), (10, Phase::Update)]);
    // Its labels are known: detection has run.
    let again = now_alarm(1, 10);
    world.announce(again.clone()).await;
    assert!(world.watched.try_recv().is_err());
    world.better(&again, &[], true).await;
    assert_eq!(world.ordered().len(), 1);
    // What was withheld has none.
    world.rules.send(Arc::new(RuleSet::new(vec![fakes::rule("night", RuleAction::Mute)]))).unwrap();
    let muted = now_alarm(1, 12);
    world.announce(muted.clone()).await;
    world.better(&muted, &[(1, true)], true).await;
    assert!(world.watched.try_recv().is_err() && world.ordered().is_empty());
}

#[tokio::test]
async fn a_new_daemon_looks_for_the_pictures_of_what_the_last_one_told_and_repeats_no_update() {
    let directory = tempfile::tempdir().unwrap();
    let (world, _client) = world_of_amy(directory.path()).await;
    world.picture_update(true).await;
    let (updated, open) = (now_alarm(1, 10), now_alarm(1, 11));
    world.announce(updated.clone()).await;
    world.announce(open.clone()).await;
    world.better(&updated, &[(1, true)], false).await;
    world.stored().await;
    let mut world = world.restart(&[user("amy", MonitorRights::All)]).await;
    world.router.ping().await.unwrap();
    world.ordered();
    let request = world.watched.try_recv().unwrap();
    assert_eq!(request.event, EventId(11));
    assert!(world.watched.try_recv().is_err(), "of the other the update was decided");
    let read = Alarm { at: request.at, ..open };
    world.better(&read, &[], true).await;
    world.better(&Alarm { at: request.at, ..updated }, &[], true).await;
    let phases: Vec<_> = world.ordered().into_iter().map(|(event, phase, ..)| (event, phase)).collect();
    assert_eq!(phases, [(11, Phase::Update)]);
}
