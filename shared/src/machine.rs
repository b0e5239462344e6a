//! The JSON in which programs receive alarms and troubles: `zmesctl hook` writes it to a command's standard input, and
//! other channels for programs send it.
//!
//! The order of members is fixed. An absent member is unknown, or does not apply to this kind. Members and kinds can be
//! added; [`VERSION`] changes only if an existing part changes its meaning.
//!
//! ```
//! use zmes_shared::control::WatchEvent;
//! use zmes_shared::machine::MachineMessage;
//!
//! let line = r#"{"at":"2026-11-02T10:00:07.512Z","type":"alarm","alarm":12,"event_id":32910,"monitor_id":2,
//!     "monitor":"Garage","cause":"Motion: door","origin":"poll","late":false}"#;
//! let event: WatchEvent = serde_json::from_str(line).unwrap();
//! let message = MachineMessage::of_watch(&event).unwrap();
//! assert_eq!(
//!     serde_json::to_string(&message).unwrap(),
//!     r#"{"v":1,"event_type":"alarm_start","id":"01M6DV7CJR000000100000104E","at":"2026-11-02T10:00:07.512Z","#
//!         .to_owned()
//!         + r#""late":false,"monitor":{"id":2,"name":"Garage"},"event":32910,"cause":"Motion: door"}"#
//! );
//! ```

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use crate::control::{WatchEvent, WatchKind};
use crate::text::{REPLACEMENT, bounded, is_hidden_in_name};
use crate::views::{Severity, TroubleView};
use crate::words::{MachineKind, Origin, Phase, TroubleKind};
use crate::{EventId, Label, MAX_LABELS, MonitorId};

/// Version of the message format: the member `v`.
pub const VERSION: u32 = 1;
/// Maximum length of `cause` in characters.
pub const CAUSE_MAX: usize = 512;
/// Maximum length of a monitor's name in characters.
pub const NAME_MAX: usize = 256;
/// Crockford's base 32, the alphabet of ids.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Number of digits in an id.
const DIGITS: usize = 26;
/// Number of leading digits that contain the time.
const TIME_DIGITS: usize = 10;

/// One alarm, its update or end, or a trouble, for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MachineMessage {
    /// Version of this format: 1.
    pub v: u32,
    /// What it is about.
    pub event_type: MachineKind,
    /// Identifies this alarm and phase, or this trouble and its change. It is the same on each repetition, after a
    /// restart, and for every receiver of an alarm. 26 digits and capital letters; ids sorted as text are in order of
    /// time.
    pub id: String,
    /// When it was found, in UTC, with milliseconds.
    #[serde(serialize_with = "milliseconds")]
    #[cfg_attr(feature = "schema", schemars(with = "Timestamp"))]
    pub at: Timestamp,
    /// It was found after the fact: zmesd was not running, or had no chance to see it.
    pub late: bool,
    /// The camera; absent for troubles that are not about a camera.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<MachineMonitor>,
    /// ZoneMinder's event, if it recorded one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventId>,
    /// Why, in ZoneMinder's words, or the sentence of a trouble: at most 512 characters, without control characters.
    pub cause: String,
    /// The labels of the event, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<Label>>,
    /// For an end: how long the alarm lasted, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// URL of a picture, for receivers that may have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// URL of the event's page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether a rule marks it as urgent; absent if no rule was checked, because there is no receiver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urgent: Option<bool>,
    /// It replaces this many alarms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<u64>,
    /// Whether pushes of this monitor are snoozed; absent if not, or if there is no receiver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snoozed: Option<bool>,
    /// Which trouble, for `trouble` and `resolved`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<MachineTrouble>,
}

/// The camera of a [`MachineMessage`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MachineMonitor {
    /// ZoneMinder's id.
    pub id: MonitorId,
    /// Its name: at most 256 characters, without control characters.
    pub name: String,
}

/// The trouble of a [`MachineMessage`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MachineTrouble {
    /// Its name: `camera:3`, `push:fcm`, `database`.
    pub id: String,
    /// What it is about.
    pub kind: TroubleKind,
    /// How severe it is.
    pub severity: Severity,
    /// When the condition began.
    pub since: Timestamp,
    /// What to do about it, often a command.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

/// Facts about an alarm for a message.
#[derive(Debug, Clone, Copy)]
pub struct MachineAlarm<'a> {
    /// The kind of message: a start, an update, an end, or a test.
    pub kind: MachineKind,
    /// When this was found.
    pub at: Timestamp,
    /// It was found after the fact.
    pub late: bool,
    /// Its monitor.
    pub monitor: MonitorId,
    /// The monitor's name.
    pub name: &'a str,
    /// ZoneMinder's event, if there is one.
    pub event: Option<EventId>,
    /// Why.
    pub cause: &'a str,
    /// For an end: how long the alarm lasted, if known.
    pub lasted: Option<Duration>,
}

impl MachineMessage {
    /// Returns the message for an alarm. The caller sets the members that depend on the receiver (`picture`, `urgent`,
    /// …).
    pub fn of_alarm(alarm: MachineAlarm<'_>) -> Self {
        let MachineAlarm { kind, at, late, monitor, name, event, cause, lasted } = alarm;
        let at = in_milliseconds(at);
        Self {
            event_type: kind,
            id: id_of_alarm(kind, at, monitor, event),
            late,
            monitor: Some(MachineMonitor::of(monitor, name)),
            event,
            duration: lasted.filter(|_| kind == MachineKind::AlarmEnd).map(whole_seconds),
            ..Self::plain(kind, at, cause)
        }
    }

    /// Returns the message for a trouble (`raised`) or for its end. `at` is when it was raised or ended.
    pub fn of_trouble(
        raised: bool,
        at: Timestamp,
        monitor: Option<(MonitorId, &str)>,
        view: &TroubleView,
    ) -> Self {
        let kind = if raised { MachineKind::Trouble } else { MachineKind::Resolved };
        let at = in_milliseconds(at);
        let trouble = MachineTrouble {
            id: view.id.clone(),
            kind: view.kind,
            severity: view.severity,
            since: view.since,
            hint: bounded(&view.hint, CAUSE_MAX),
        };
        Self {
            id: id_of_trouble(kind, at, &view.id),
            monitor: monitor.map(|(id, name)| MachineMonitor::of(id, name)),
            trouble: Some(trouble),
            ..Self::plain(kind, at, &view.text)
        }
    }

    /// Returns the message for a line of `watch`. `None` for lines without a message: decisions, deliveries, the state
    /// at the start of a stream, types of a newer daemon.
    pub fn of_watch(line: &WatchEvent) -> Option<Self> {
        match &line.kind {
            WatchKind::Alarm {
                event_id,
                monitor_id,
                monitor,
                cause,
                origin,
                late,
                phase,
                lasted_ms,
                labels,
                ..
            } => {
                let kind = kind_of(*origin, *phase)?;
                let message = Self::of_alarm(MachineAlarm {
                    kind,
                    at: line.at,
                    late: *late,
                    monitor: *monitor_id,
                    name: monitor,
                    event: *event_id,
                    cause,
                    lasted: lasted_ms.map(Duration::from_millis),
                });
                let labels = labels.iter().take(MAX_LABELS).cloned().collect::<Vec<_>>();
                Some(Self { labels: Some(labels).filter(|labels| !labels.is_empty()), ..message })
            }
            WatchKind::Trouble { change, monitor_id, monitor, trouble } => {
                let raised = match change.as_str() {
                    "raised" => true,
                    "cleared" => false,
                    _ => return None,
                };
                let camera = monitor_id.map(|id| (id, monitor.as_deref().unwrap_or_default()));
                Some(Self::of_trouble(raised, line.at, camera, trouble))
            }
            WatchKind::Decision { .. }
            | WatchKind::Delivery { .. }
            | WatchKind::Session { .. }
            | WatchKind::Token { .. }
            | WatchKind::Monitor { .. }
            | WatchKind::Lagged { .. }
            | WatchKind::Unknown => None,
        }
    }

    fn plain(kind: MachineKind, at: Timestamp, cause: &str) -> Self {
        Self {
            v: VERSION,
            event_type: kind,
            id: String::new(),
            at,
            late: false,
            monitor: None,
            event: None,
            cause: bounded(cause, CAUSE_MAX),
            labels: None,
            duration: None,
            picture: None,
            url: None,
            urgent: None,
            digest: None,
            snoozed: None,
            trouble: None,
        }
    }
}

impl MachineMonitor {
    fn of(id: MonitorId, name: &str) -> Self {
        let shown = |letter| if is_hidden_in_name(letter) { REPLACEMENT } else { letter };
        Self { id, name: name.chars().take(NAME_MAX).map(shown).collect() }
    }
}

/// Returns the kind of message for an alarm; `None` if it is not an alarm, or its phase is from a newer version.
fn kind_of(origin: Origin, phase: Phase) -> Option<MachineKind> {
    match (origin, phase) {
        (Origin::Snooze | Origin::Trouble | Origin::Unknown, _) | (_, Phase::Unknown) => None,
        (Origin::Test, Phase::Start) => Some(MachineKind::Test),
        (Origin::Poll | Origin::Reconciled, Phase::Start) => Some(MachineKind::AlarmStart),
        (_, Phase::Update) => Some(MachineKind::AlarmUpdate),
        (_, Phase::End) => Some(MachineKind::AlarmEnd),
    }
}

/// Returns the id of an alarm and its phase, in the form of a ULID: 48 bits of time, then bits that distinguish
/// messages of the same millisecond.
///
/// It depends only on what the record of alarms keeps. So a line that is repeated from the record has the same id as it
/// had live, and all channels for programs agree without coordination. A counter would restart with a new state file,
/// and the number of an alarm in the stream with each start of the daemon. Nothing is hashed, so no two alarms share an
/// id: a monitor has at most one alarm per millisecond.
pub fn id_of_alarm(kind: MachineKind, at: Timestamp, monitor: MonitorId, event: Option<EventId>) -> String {
    /// Enough for test alarms, which have the highest event ids.
    const EVENT_BITS: u32 = 44;
    let event = event.map_or(0, |event| event.0);
    let event = (event ^ (event >> EVENT_BITS)) & ((1 << EVENT_BITS) - 1);
    ulid(kind, at, (u128::from(monitor.0) << EVENT_BITS) | u128::from(event))
}

/// Returns the id of a trouble and its change.
pub fn id_of_trouble(kind: MachineKind, at: Timestamp, trouble: &str) -> String {
    // FNV-1a: there are few names of troubles, and outsiders choose none of them.
    let hash = trouble.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    ulid(kind, at, hash.into())
}

/// Returns the time in an id; `None` if the id is not valid.
pub fn time_of_id(id: &str) -> Option<Timestamp> {
    let digits = id.bytes().map(|digit| ALPHABET.iter().position(|known| *known == digit));
    let digits: Vec<_> = digits.collect::<Option<_>>()?;
    let (time, rest) = digits.split_at_checked(TIME_DIGITS)?;
    if time.len() + rest.len() != DIGITS {
        return None;
    }
    let time = time
        .iter()
        .try_fold(0_i64, |time, digit| time.checked_mul(32)?.checked_add(i64::try_from(*digit).ok()?))?;
    Timestamp::from_millisecond(time).ok()
}

/// Writes 48 bits of time, 4 bits of the kind and 76 bits of `rest` in Crockford's alphabet.
fn ulid(kind: MachineKind, at: Timestamp, rest: u128) -> String {
    // These numbers never change: receivers remember ids.
    let kind: u128 = match kind {
        MachineKind::AlarmStart => 0,
        MachineKind::AlarmUpdate => 1,
        MachineKind::AlarmEnd => 2,
        MachineKind::Trouble => 3,
        MachineKind::Resolved => 4,
        MachineKind::Test => 5,
        MachineKind::SnoozeEnd => 6,
        MachineKind::Unknown => 15,
    };
    let time = u128::try_from(at.as_millisecond()).unwrap_or(0) & ((1 << 48) - 1);
    let bits = (time << 80) | (kind << 76) | (rest & ((1 << 76) - 1));
    let digit = |place: usize| {
        let index = usize::try_from((bits >> (5 * place)) & 31).unwrap_or_default();
        char::from(ALPHABET.get(index).copied().unwrap_or(b'0'))
    };
    (0..DIGITS).rev().map(digit).collect()
}

fn whole_seconds(lasted: Duration) -> u64 {
    lasted.saturating_add(Duration::from_millis(500)).as_secs()
}

/// Returns the time as stored in the record, in milliseconds.
fn in_milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

fn milliseconds<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{at:.3}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn line(value: &serde_json::Value) -> WatchEvent {
        serde_json::from_value(value.clone()).unwrap()
    }

    fn alarm(origin: &str) -> serde_json::Value {
        json!({"at": "2026-11-02T10:00:07.512999Z", "type": "alarm", "alarm": 12, "event_id": 32910, "monitor_id": 2,
            "monitor": "Ga\u{1b}rage", "cause": "Motion:\ndoor", "origin": origin, "late": origin == "reconciled"})
    }

    #[test]
    fn an_alarm_is_told_in_this_order_and_form() {
        let message = MachineMessage::of_watch(&line(&alarm("poll"))).unwrap();
        assert_eq!(
            serde_json::to_string(&message).unwrap(),
            concat!(
                r#"{"v":1,"event_type":"alarm_start","id":"01M6DV7CJR000000100000104E","#,
                r#""at":"2026-11-02T10:00:07.512Z","late":false,"monitor":{"id":2,"name":"Ga"#,
                "\u{fffd}",
                r#"rage"},"event":32910,"cause":"Motion:"#,
                "\u{fffd}",
                r#"door"}"#
            )
        );
    }

    #[test]
    fn what_comes_from_the_record_has_the_id_that_it_had_live() {
        let live = MachineMessage::of_watch(&line(&alarm("poll"))).unwrap();
        let mut recorded = alarm("poll");
        recorded["at"] = json!("2026-11-02T10:00:07.512Z");
        recorded["alarm"] = json!(0);
        assert_eq!(MachineMessage::of_watch(&line(&recorded)).unwrap(), live);
    }

    #[test]
    fn a_test_and_a_late_alarm_say_so_and_notices_are_none() {
        let of = |origin| MachineMessage::of_watch(&line(&alarm(origin)));
        assert_eq!(of("test").unwrap().event_type, MachineKind::Test);
        let late = of("reconciled").unwrap();
        assert_eq!((late.event_type, late.late), (MachineKind::AlarmStart, true));
        for origin in ["snooze", "trouble", "of a newer version"] {
            assert_eq!(of(origin), None, "{origin}");
        }
    }

    #[test]
    fn an_end_says_how_long_it_lasted_and_an_unknown_phase_is_nothing() {
        let mut end = alarm("poll");
        end["phase"] = json!("end");
        end["lasted_ms"] = json!(41_600);
        let told = MachineMessage::of_watch(&line(&end)).unwrap();
        assert_eq!((told.event_type, told.duration), (MachineKind::AlarmEnd, Some(42)));
        let start = MachineMessage::of_watch(&line(&alarm("poll"))).unwrap();
        assert!(told.id != start.id && start.duration.is_none());
        end["phase"] = json!("of a newer version");
        assert_eq!(MachineMessage::of_watch(&line(&end)), None);
    }

    #[test]
    fn an_update_has_the_labels() {
        let mut update = alarm("poll");
        update["phase"] = json!("update");
        update["labels"] = json!([{"name": "person", "confidence": 95}]);
        let told = MachineMessage::of_watch(&line(&update)).unwrap();
        let labels = vec![Label::new("person", Some(95)).unwrap()];
        assert_eq!((told.event_type, told.labels), (MachineKind::AlarmUpdate, Some(labels)));
        update["labels"] = json!([]);
        assert_eq!(MachineMessage::of_watch(&line(&update)).unwrap().labels, None);
    }

    #[test]
    fn a_trouble_and_its_end_are_told_with_what_to_do() {
        let mut trouble = json!({"at": "2026-11-02T10:02:00Z", "type": "trouble", "change": "raised", "monitor_id": 3,
            "monitor": "Gate", "trouble": {"id": "camera:3", "kind": "camera", "severity": "error",
            "since": "2026-11-02T10:00:00Z", "cleared_at": null, "text": "Gate: zmc is not running",
            "hint": "zmdc.pl restart zmc -m 3"}});
        let message = MachineMessage::of_watch(&line(&trouble)).unwrap();
        assert_eq!(
            serde_json::to_value(&message).unwrap(),
            json!({"v": 1, "event_type": "trouble", "id": message.id, "at": "2026-11-02T10:02:00.000Z", "late": false,
                "monitor": {"id": 3, "name": "Gate"}, "cause": "Gate: zmc is not running",
                "trouble": {"id": "camera:3", "kind": "camera", "severity": "error", "since": "2026-11-02T10:00:00Z",
                "hint": "zmdc.pl restart zmc -m 3"}})
        );
        trouble["change"] = json!("cleared");
        let resolved = MachineMessage::of_watch(&line(&trouble)).unwrap();
        assert_eq!(resolved.event_type, MachineKind::Resolved);
        assert_ne!(resolved.id, message.id);
        trouble["change"] = json!("present");
        assert_eq!(MachineMessage::of_watch(&line(&trouble)), None, "what stands is no news");
    }

    #[test]
    fn long_causes_are_cut() {
        let mut long = alarm("poll");
        long["cause"] = json!("ä".repeat(2000));
        assert_eq!(MachineMessage::of_watch(&line(&long)).unwrap().cause.chars().count(), CAUSE_MAX);
    }

    #[test]
    fn ids_are_of_one_kind_one_monitor_one_event_and_one_moment() {
        let mut ids = BTreeSet::new();
        let mut count = 0;
        for kind in MachineKind::ALL {
            for at in [0, 1, 1_793_613_607_512, 4_102_444_800_000] {
                for monitor in [0, 1, 2, u32::MAX] {
                    for event in [0, 1, 32_910, 9_000_000_000_001] {
                        let at = Timestamp::from_millisecond(at).unwrap();
                        ids.insert(id_of_alarm(*kind, at, MonitorId(monitor), Some(EventId(event))));
                        count += 1;
                    }
                }
            }
        }
        assert_eq!(ids.len(), count);
        assert!(ids.iter().all(|id| id.len() == DIGITS));
        for wrong in [
            "",
            "x",
            "01M6DV7CJR000000100000104",
            "01M6DV7CJR000000100000104EE",
            "01M6DV7CJR000000100000104I",
        ] {
            assert_eq!(time_of_id(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn sorted_ids_are_in_order_of_time(earlier in 0_i64..1 << 45, later in 0_i64..1 << 45, monitor: u32, event: u64) {
            let id = |at| {
                let at = Timestamp::from_millisecond(at).unwrap();
                id_of_alarm(MachineKind::AlarmStart, at, MonitorId(monitor), Some(EventId(event)))
            };
            prop_assert_eq!(earlier.cmp(&later), id(earlier).cmp(&id(later)));
            prop_assert_eq!(time_of_id(&id(later)).map(Timestamp::as_millisecond), Some(later));
        }
    }
}
