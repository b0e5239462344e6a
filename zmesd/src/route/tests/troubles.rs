//! Troubles sent to phones.

use std::collections::BTreeSet;

use zmes_providers::Urgency;
use zmes_shared::views::Severity;

use super::*;
use crate::domain::{SnoozeScope, TokenId};
use crate::route::fakes::snooze;
use crate::troubles::{Trouble, TroubleChange, TroubleId, TroubleNotice};

fn trouble(id: &str) -> Trouble {
    Trouble {
        id: TroubleId::parse(id).unwrap(),
        severity: Severity::Error,
        name: "Garage".to_owned(),
        text: "zmc is not running".into(),
        hint: "zmdc.pl restart zmc -m 1".to_owned(),
        since: Timestamp::from_second(14 * 3600 + 180).unwrap(),
    }
}

fn message(number: u64, change: TroubleChange, id: &str, tokens: &[TokenId]) -> TroubleMessage {
    TroubleMessage {
        number,
        notice: TroubleNotice { change, trouble: trouble(id) },
        tokens: tokens.iter().copied().collect(),
        viewers: false,
        avoid: BTreeSet::new(),
    }
}

impl RouterWorld {
    async fn tell(&self, message: TroubleMessage) -> Vec<TokenId> {
        self.router.tell_trouble(message).await.unwrap().unwrap()
    }

    async fn token_ids(&self) -> Vec<TokenId> {
        self.state.tokens().await.unwrap().into_iter().map(|row| row.token.id).collect()
    }

    /// Returns the pushes ordered for phones: text, urgency, number of tokens.
    fn notices(&mut self) -> Vec<(String, Urgency, usize)> {
        let mut found = Vec::new();
        while let Ok(order) = self.pushes.try_recv() {
            if let PushOrder::Alarm(batch) = order {
                let text = format!("{}: {}", batch.alarm.monitor_name, batch.alarm.cause);
                found.push((text, batch.deliveries[0].urgency, batch.deliveries.len()));
            }
        }
        found
    }
}

#[tokio::test]
async fn a_trouble_is_told_once_and_its_end_to_those_who_heard_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let users = [user("amy", MonitorRights::All), user("bob", MonitorRights::none())];
    let (mut world, _clients) = RouterWorld::with_two_phones(directory.path().into(), &users).await;
    world.stored().await;
    let ids = world.token_ids().await;

    let told = world.tell(message(1, TroubleChange::Raised, "camera:1", &ids)).await;
    assert_eq!(told, ids[..1], "bob may not see the camera");
    let again = world.tell(message(1, TroubleChange::Raised, "camera:1", &ids)).await;
    assert_eq!(again, told, "the same message, because its caller gave up");
    let text = "Garage: zmc is not running (since 14:03). zmdc.pl restart zmc -m 1".to_owned();
    assert_eq!(world.notices(), [(text, Urgency::Normal, 1)]);

    let everybody = world.tell(message(2, TroubleChange::Raised, "push:fcm", &ids)).await;
    assert_eq!(everybody, ids, "it concerns no camera");
    assert_eq!(world.notices()[0].1, Urgency::Urgent);
    let avoid = ids[..1].iter().copied().collect();
    let message_of_way = TroubleMessage { avoid, ..message(3, TroubleChange::Raised, "push:apns", &ids) };
    assert_eq!(world.tell(message_of_way).await, ids[1..]);
    world.notices();

    world.stored().await;
    let mut world = world.restart(&users).await;
    assert_eq!(world.tell(message(1, TroubleChange::Cleared, "camera:1", &told)).await, told);
    assert_eq!(
        world.notices(),
        [("Garage: resolved; since 14:03: zmc is not running".to_owned(), Urgency::Silent, 1)]
    );
    world.stored().await;
    let past = world.state.past_troubles(10).await.unwrap();
    assert_eq!(past.len(), 1);
    assert_eq!(past[0].record.trouble.id.to_string(), "camera:1");
    assert_eq!((past[0].told.as_slice(), past[0].cleared_at.is_some()), (told.as_slice(), true));
}

#[tokio::test]
async fn viewers_are_those_who_may_see_the_camera_and_a_snooze_withholds_it() {
    let directory = tempfile::tempdir().unwrap();
    let users = [user("amy", MonitorRights::All), user("bob", MonitorRights::none())];
    let (mut world, _clients) = RouterWorld::with_two_phones(directory.path().into(), &users).await;
    world.stored().await;
    let ids = world.token_ids().await;
    let viewers =
        |number| TroubleMessage { viewers: true, ..message(number, TroubleChange::Raised, "camera:1", &[]) };
    assert_eq!(world.tell(viewers(1)).await, ids[..1]);
    let now = SystemClock.now();
    let snooze = snooze(Some(1), SnoozeScope::Everybody, now + Duration::from_hours(1));
    world.router.set_snooze(snooze).await.unwrap().unwrap();
    assert_eq!(world.tell(viewers(2)).await, [], "snoozed");
    assert_eq!(world.tell(message(3, TroubleChange::Raised, "database", &ids)).await, ids, "no camera");
    assert_eq!(world.notices().len(), 2);
}
