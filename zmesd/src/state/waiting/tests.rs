use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use zmes_providers::{App, Platform, PushToken, Urgency};
use zmes_shared::{EventId, MonitorId};

use super::*;
use crate::domain::{Decision, MonitorFilter, Origin, Phase, SkipReason, Token};
use crate::state::{Attempt, DeviceNote, LastFilter, Outcome, TokenDecision};

/// An alarm that no phone gets.
const NONE: std::ops::RangeInclusive<i64> = std::ops::RangeInclusive::new(1, 0);

fn bounded(bound: usize) -> Waiting {
    Waiting { bound, ..Waiting::default() }
}

fn token(id: i64, badge: u32) -> Note {
    let secret = PushToken::parse(&format!("secret-{id}")).unwrap();
    let token = Token::new(TokenId(id), secret, Platform::Android, Timestamp::UNIX_EPOCH);
    Note::Token(Arc::new(Token { badge, ..token }))
}

fn announced(event: u64, deliveries: std::ops::RangeInclusive<i64>) -> Note {
    let alarm = Alarm {
        monitor: MonitorId(1),
        monitor_name: "Garage".into(),
        event: Some(EventId(event)),
        cause: "Motion".into(),
        labels: crate::domain::AlarmLabels::default(),
        at: Timestamp::UNIX_EPOCH,
        detected: Instant::now(),
        origin: Origin::Poll,
        phase: Phase::Start,
        span: None,
        elsewhere: None,
        stands_for_event: false,
    };
    let decided = |id| TokenDecision {
        id: DeliveryId(id),
        token: TokenId(1),
        decision: Decision::Send,
        badge: 1,
        by: None,
        urgency: Urgency::Normal,
        start: None,
    };
    Note::Announced(Arc::new(alarm), deliveries.map(decided).collect())
}

fn sent(deliveries: std::ops::RangeInclusive<i64>) -> Note {
    let attempt = |id| Attempt {
        delivery: DeliveryId(id),
        token: TokenId(1),
        at: Timestamp::UNIX_EPOCH,
        transport: "proxy".into(),
        attempts: 1,
        took: Duration::ZERO,
        outcome: Outcome::Skipped(SkipReason::Rights),
    };
    Note::Attempts(deliveries.map(attempt).collect())
}

fn released(event: u64, start: i64, end: i64) -> Note {
    let [start, end] = [start, end].map(|id| {
        let Note::Announced(alarm, decisions) = announced(event, id..=id) else { panic!() };
        (alarm, decisions)
    });
    Note::Released(Arc::clone(&start.0), vec![start, end])
}

/// Returns what waits, in words.
fn words(waiting: &Waiting) -> Vec<String> {
    let word = |note: &Note| match note {
        Note::Token(token) => format!("token {} badge {}", token.id.0, token.badge),
        Note::Announced(alarm, decisions) => {
            format!("alarm {} for {}", alarm.event.unwrap().0, decisions.len())
        }
        Note::Attempts(attempts) => format!("outcomes {}", attempts.len()),
        Note::Devices(many) => format!("{} filters", many.len()),
        Note::Released(alarm, messages) => {
            format!("alarm {} released, {}", alarm.event.unwrap().0, messages.len())
        }
        Note::Held(..)
        | Note::Cluster(_)
        | Note::Decided(..)
        | Note::GivenUp(_)
        | Note::Mqtt(_)
        | Note::RuleHits(..)
        | Note::Updated(_)
        | Note::Labels(..)
        | Note::Snooze(_)
        | Note::SnoozeEnded(..)
        | Note::Ended(_)
        | Note::Trouble(_)
        | Note::LinkKeys(..)
        | Note::Sent(..)
        | Note::Tokens(_)
        | Note::TokenSent(..)
        | Note::TokenUntold(_)
        | Note::Withdrawn(..)
        | Note::Barrier(_) => format!("{note:?}"),
    };
    waiting.notes.iter().map(word).collect()
}

fn fill(waiting: &mut Waiting, notes: impl IntoIterator<Item = Note>) {
    notes.into_iter().for_each(|note| waiting.push(note));
}

#[test]
fn of_a_token_the_newest_state_stays_where_it_was_said() {
    let mut waiting = bounded(4);
    fill(&mut waiting, [token(1, 5), announced(7, 1..=1), token(2, 0), token(1, 0)]);
    assert!(waiting.is_full());
    assert_eq!(waiting.shrink(), Dropped::default());
    assert_eq!(words(&waiting), ["alarm 7 for 1", "token 2 badge 0", "token 1 badge 0"]);
}

#[test]
fn the_log_goes_before_the_alarms_and_tokens_stay() {
    let mut waiting = bounded(20);
    fill(&mut waiting, [token(1, 5), announced(7, 1..=8), sent(1..=8), announced(8, 9..=12), sent(9..=10)]);
    let dropped = waiting.shrink();
    assert_eq!((dropped.deliveries, dropped.notes, dropped.outcomes), (8, 0, 1));
    assert_eq!(words(&waiting), ["token 1 badge 5", "alarm 7 for 0", "alarm 8 for 4", "outcomes 2"]);
    assert!(!waiting.is_full());
}

#[test]
fn an_alarm_that_waited_counts_with_its_end_and_stays_decided_when_the_log_goes() {
    let mut waiting = bounded(8);
    fill(&mut waiting, [released(7, 1, 2), released(8, 3, 4)]);
    assert_eq!(waiting.rows, 10);
    let dropped = waiting.shrink();
    assert_eq!((dropped.deliveries, dropped.notes), (2, 0));
    assert_eq!(words(&waiting), ["alarm 7 released, 0", "alarm 8 released, 2"]);
}

#[test]
fn where_only_alarms_wait_the_oldest_go_and_tokens_still_stay() {
    let mut waiting = bounded(8);
    fill(&mut waiting, [token(1, 5)]);
    fill(&mut waiting, (1..=12).map(|event| announced(event, NONE)));
    let amy = Device { user: "amy".to_owned(), kind: App::ZmNinja, app: "1.8.001".to_owned() };
    let last = Some(LastFilter { filter: MonitorFilter::All, broken_at: None });
    fill(&mut waiting, [Note::Devices(vec![DeviceNote { device: amy, last, forget_intervals: false }])]);
    let dropped = waiting.shrink();
    assert_eq!((dropped.deliveries, dropped.notes), (0, 6));
    let left = words(&waiting);
    assert_eq!((left[0].as_str(), left[1].as_str()), ("token 1 badge 5", "alarm 7 for 0"));
    assert_eq!(left.last().map(String::as_str), Some("1 filters"));
}

#[test]
fn what_cannot_be_written_is_put_back_in_its_order() {
    let mut waiting = Waiting::default();
    fill(&mut waiting, (1..=300).map(|event| announced(event, 1..=1)));
    let before = words(&waiting);
    let group = waiting.take();
    assert_eq!((group.len(), waiting.len()), (GROUP, 300 - GROUP));
    waiting.put_back(group);
    assert_eq!((words(&waiting), waiting.rows), (before, 600));
}

#[test]
fn a_barrier_for_which_nobody_waits_takes_no_room() {
    let mut waiting = bounded(1);
    let (reply, kept) = tokio::sync::oneshot::channel();
    fill(&mut waiting, [Note::Barrier(reply), Note::Barrier(tokio::sync::oneshot::channel().0)]);
    waiting.shrink();
    // A barrier may go like any other note where there is no room at all; who waits for it then hears so.
    assert!(waiting.len() <= 1);
    drop(kept);
}
