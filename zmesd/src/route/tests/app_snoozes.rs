//! Snoozes that apps set with `control/snooze`: for their phone or their user, within limits.

use zmes_shared::words::SnoozeOrigin;
use zmes_zoneminder::{Monitor, Recording};

use super::*;
use crate::domain::{Snooze, SnoozeId, SnoozeScope};
use crate::protocol::{SnoozeRefusal, SnoozeStatement};

/// Returns a catalog of these users and of monitors 1 to 300.
fn house(users: &[User]) -> Arc<Catalog> {
    let monitor = |id: u32| Monitor {
        id: MonitorId(id),
        name: format!("Camera {id}").into(),
        recording: Recording::OnAlarm,
        alarm_opens_event: false,
        watched: Ok(()),
        on_demand: false,
        elsewhere: None,
    };
    let monitors = (1..=300).map(monitor).collect();
    Arc::new(Catalog { monitors, ..(*catalog(users)).clone() })
}

fn list(monitors: std::ops::RangeInclusive<u32>) -> String {
    monitors.map(|id| id.to_string()).collect::<Vec<_>>().join(",")
}

impl RouterWorld {
    async fn snooze(&self, client: &Client, monitors: &str, minutes: u32) -> Result<bool, SnoozeRefusal> {
        let monitors = MonitorFilter::parse(monitors, "").unwrap();
        let asked = self.router.app_snooze(client.id, SnoozeStatement { monitors, minutes }, None);
        asked.await.unwrap().map(|until| until.is_some())
    }

    /// Returns monitor and scope of each snooze.
    async fn scopes(&self) -> Vec<(Option<u32>, SnoozeScope)> {
        let set = self.router.snoozes().await.unwrap().into_iter();
        set.map(|one| (one.snooze.monitor.map(|monitor| monitor.0), one.snooze.scope)).collect()
    }
}

#[tokio::test]
async fn an_app_without_a_token_snoozes_the_phones_of_its_user_and_ends_that() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let users = [amy.clone()];
    let mut world = RouterWorld::start(directory.path().into(), &users).await;
    world.publish(house(&users)).await;
    let client = world.login(amy, None).await;
    assert_eq!(world.snooze(&client, "2,3", 10).await, Ok(true));
    assert_eq!(world.snooze(&client, "3", 20).await, Ok(true));
    assert_eq!(world.snooze(&client, "", 5).await, Ok(true));
    let scope = || SnoozeScope::User("amy".to_owned());
    assert_eq!(world.scopes().await, [(Some(2), scope()), (Some(3), scope()), (None, scope())]);
    assert_eq!(world.snooze(&client, "3,4", 0).await, Ok(false));
    assert_eq!(world.scopes().await, [(Some(2), scope()), (None, scope())]);
    assert_eq!(world.snooze(&client, "", 0).await, Ok(false), "all monitors: each of them");
    assert_eq!(world.scopes().await, []);
    world.register(&client, "A", |_| {}).await.unwrap();
    assert_eq!(world.snooze(&client, "2", 10).await, Ok(true));
    assert!(matches!(world.scopes().await.as_slice(), [(Some(2), SnoozeScope::Token(_))]));
}

#[tokio::test]
async fn what_a_user_may_not_see_cannot_be_told_from_what_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let only = MonitorRights::Only(Arc::new([MonitorId(1)].into()));
    let guest = user("guest", only);
    let users = [guest.clone()];
    let mut world = RouterWorld::start(directory.path().into(), &users).await;
    world.publish(house(&users)).await;
    let client = world.login(guest, None).await;
    for monitors in ["2", "301", "1,2", "0"] {
        assert_eq!(
            world.snooze(&client, monitors, 10).await,
            Err(SnoozeRefusal::BadMonitorList),
            "{monitors}"
        );
    }
    assert_eq!(world.scopes().await, [], "all that was named, or nothing");
    assert_eq!(world.snooze(&client, "1", 10).await, Ok(true));
}

#[tokio::test]
async fn apps_leave_room_for_admins() {
    let directory = tempfile::tempdir().unwrap();
    let users: Vec<_> = (0..6).map(|id| user(&format!("u{id}"), MonitorRights::All)).collect();
    let mut world = RouterWorld::start(directory.path().into(), &users).await;
    world.publish(house(&users)).await;
    let mut clients = Vec::new();
    for user in &users {
        clients.push(world.login(user.clone(), None).await);
    }
    assert_eq!(world.snooze(&clients[0], &list(1..=101), 10).await, Err(SnoozeRefusal::TooMany));
    assert_eq!(world.scopes().await, []);
    for client in &clients[..5] {
        assert_eq!(world.snooze(client, &list(1..=100), 10).await, Ok(true));
    }
    assert_eq!(world.snooze(&clients[0], &list(1..=100), 30).await, Ok(true), "what is there is changed");
    assert_eq!(world.snooze(&clients[0], "101", 10).await, Err(SnoozeRefusal::TooMany));
    assert_eq!(world.snooze(&clients[5], "1", 10).await, Err(SnoozeRefusal::TooMany), "500 of all users");
    let snooze = Snooze {
        id: SnoozeId(0),
        monitor: None,
        scope: SnoozeScope::Everybody,
        since: Timestamp::UNIX_EPOCH,
        until: Timestamp::from_second(T).unwrap(),
        hard: false,
        tell: false,
        by: "root".to_owned(),
        origin: SnoozeOrigin::Cli,
    };
    assert!(world.router.set_snooze(snooze).await.unwrap().is_ok());
}

#[tokio::test]
async fn while_push_is_off_there_is_nothing_to_snooze() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let push = PushRules { enabled: false, ..PUSH_ON };
    let mut world = RouterWorld::with_rules(directory.path().into(), std::slice::from_ref(&amy), push).await;
    let client = world.login(amy, None).await;
    assert_eq!(world.snooze(&client, "", 10).await, Err(SnoozeRefusal::PushDisabled));
}
