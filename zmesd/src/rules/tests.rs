use jiff::civil::DateTime;
use proptest::prelude::*;
use zmes_providers::targets::TargetName;
use zmes_providers::{Platform, PushToken, TokenHandle};
use zmes_shared::{Label, MonitorId};

use super::fakes::rule;
use super::*;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

/// Returns the instant of a local time such as `2026-11-27 22:30`.
fn at(civil: &str, zone: &TimeZone) -> Timestamp {
    civil.parse::<DateTime>().unwrap().to_zoned(zone.clone()).unwrap().timestamp()
}

fn schedule(days: &[&str], windows: &[&str]) -> Schedule {
    let windows = windows.iter().map(|window| window.parse().unwrap()).collect();
    Schedule { days: Days::parse(days.iter().copied()).unwrap(), windows, zone: None }
}

fn covers(schedule: &Schedule, civil: &str) -> bool {
    let berlin = zone("Europe/Berlin");
    schedule.covers(AlarmTime { at: at(civil, &berlin), machine: &berlin })
}

#[test]
fn a_window_over_midnight_covers_both_halves_and_belongs_to_the_day_on_which_it_begins() {
    // 2026-11-27 is a Friday.
    let weeknights = schedule(&["mon", "tue", "wed", "thu", "fri"], &["22:00-06:00"]);
    for (civil, expected) in [
        ("2026-11-27T21:59:59", false),
        ("2026-11-27T22:00:00", true),
        ("2026-11-27T23:59:59", true),
        ("2026-11-28T00:00:00", true),
        ("2026-11-28T05:59:59", true),
        ("2026-11-28T06:00:00", false),
        ("2026-11-28T22:30:00", false),
        ("2026-11-29T05:00:00", false),
        ("2026-11-29T22:30:00", false),
        ("2026-11-30T05:00:00", false),
        ("2026-11-30T22:30:00", true),
    ] {
        assert_eq!(covers(&weeknights, civil), expected, "{civil}");
    }
}

#[test]
fn windows_within_a_day_whole_days_and_several_windows() {
    for (days, windows, civil, expected) in [
        (&[] as &[&str], &["09:00-17:00"] as &[&str], "2026-11-27T09:00:00", true),
        (&[], &["09:00-17:00"], "2026-11-27T17:00:00", false),
        (&[], &["9:00-10:00", "16:00-17:00"], "2026-11-27T16:30:00", true),
        (&[], &["9:00-10:00", "16:00-17:00"], "2026-11-27T12:00:00", false),
        (&[], &["00:00-24:00"], "2026-11-27T00:00:00", true),
        (&[], &["22:00-24:00"], "2026-11-27T23:59:59", true),
        (&[], &["22:00-24:00"], "2026-11-28T00:00:00", false),
        (&["sat"], &[], "2026-11-28T12:00:00", true),
        (&["sat"], &[], "2026-11-29T00:00:00", false),
        // From noon to noon.
        (&["sat"], &["12:00-12:00"], "2026-11-28T11:59:00", false),
        (&["sat"], &["12:00-12:00"], "2026-11-29T11:59:00", true),
        (&[], &[], "2026-11-27T03:00:00", true),
    ] {
        assert_eq!(covers(&schedule(days, windows), civil), expected, "{days:?} {windows:?} {civil}");
    }
}

#[test]
fn a_window_around_a_change_of_clocks_follows_the_clock_on_the_wall() {
    let berlin = zone("Europe/Berlin");
    let minutes = |windows: &[&str], from: &str, to: &str| {
        let schedule = schedule(&[], windows);
        let (from, to) = (at(from, &berlin).as_second() / 60, at(to, &berlin).as_second() / 60);
        let covered = |minute: &i64| {
            let at = Timestamp::from_second(minute * 60).unwrap();
            schedule.covers(AlarmTime { at, machine: &berlin })
        };
        (from..to).filter(covered).count()
    };
    // 2026-03-29 has no 02:00 to 03:00, 2026-10-25 has it twice.
    let spring = ("2026-03-28T12:00:00", "2026-03-29T12:00:00");
    let autumn = ("2026-10-24T12:00:00", "2026-10-25T12:00:00");
    assert_eq!(minutes(&["22:00-06:00"], spring.0, spring.1), 7 * 60);
    assert_eq!(minutes(&["22:00-06:00"], autumn.0, autumn.1), 9 * 60);
    assert_eq!(minutes(&["02:00-03:00"], spring.0, spring.1), 0);
    assert_eq!(minutes(&["02:00-03:00"], autumn.0, autumn.1), 120);
    assert_eq!(minutes(&["02:30-03:30"], spring.0, spring.1), 30);
}

#[test]
fn a_time_zone_of_its_own_decides_over_that_of_the_machine() {
    let tokyo = Schedule { zone: Some(zone("Asia/Tokyo")), ..schedule(&["tue"], &["00:00-08:00"]) };
    let berlin = zone("Europe/Berlin");
    // Monday 20:00 in Berlin is Tuesday 04:00 in Tokyo.
    let time = AlarmTime { at: at("2026-11-30T20:00:00", &berlin), machine: &berlin };
    assert!(tokyo.covers(time));
    assert_eq!(tokyo.to_string(), "00:00-08:00, tue (Asia/Tokyo)");
    assert_eq!(tokyo.changes_after(time).unwrap().to_string(), "2026-12-01T08:00:00+09:00[Asia/Tokyo]");
}

#[test]
fn the_next_change_is_the_end_of_a_window_or_its_beginning() {
    let berlin = zone("Europe/Berlin");
    let change = |schedule: &Schedule, civil: &str| {
        let time = AlarmTime { at: at(civil, &berlin), machine: &berlin };
        schedule.changes_after(time).map(|zoned| zoned.datetime().to_string())
    };
    let weeknights = schedule(&["mon", "tue", "wed", "thu", "fri"], &["22:00-06:00"]);
    assert_eq!(change(&weeknights, "2026-11-27T23:00:00").as_deref(), Some("2026-11-28T06:00:00"));
    assert_eq!(change(&weeknights, "2026-11-28T12:00:00").as_deref(), Some("2026-11-30T22:00:00"));
    assert_eq!(
        change(&schedule(&["sun"], &[]), "2026-11-30T00:00:00").as_deref(),
        Some("2026-12-06T00:00:00")
    );
    assert_eq!(change(&Schedule::default(), "2026-11-27T23:00:00"), None);
}

#[test]
fn schedules_read_as_people_write_them() {
    for (days, windows, text) in [
        (&[] as &[&str], &[] as &[&str], "always"),
        (&["mon", "tue", "wed", "thu", "fri"], &["22:00-6:00"], "22:00-06:00, mon-fri"),
        (&["sat", "sun"], &[], "sat,sun"),
        (&[], &["0:00-24:00", "22:00-00:00"], "00:00-24:00 22:00-24:00"),
        (&["mon", "wed", "fri"], &["8:00-9:00", "10:00-11:00"], "08:00-09:00 10:00-11:00, mon,wed,fri"),
    ] {
        assert_eq!(schedule(days, windows).to_string(), text);
    }
    for text in ["", "-", "22:00", "25:00-01:00", "24:01-01:00", "1:5-2:00", "+1:00-02:00", "10:00:00-11:00"]
    {
        assert_eq!(text.parse::<Window>(), Err(InvalidTime), "{text}");
    }
    assert_eq!(Days::parse(["mon", "Tue"]), Err("Tue"));
}

fn receiver(user: &str) -> ReceiverFacts<'_> {
    ReceiverFacts { channel: Channel::Push, user, handle: None, platform: Some(Platform::Ios) }
}

fn alarm<'a>(cause: &'a str, machine: &'a TimeZone) -> AlarmFacts<'a> {
    let time = AlarmTime { at: at("2026-11-27T22:30:00", machine), machine };
    AlarmFacts { monitor: MonitorId(4), monitor_name: "Garden", cause, labels: None, time }
}

#[test]
fn each_condition_is_named_where_it_does_not_hold() {
    let utc = TimeZone::UTC;
    let plain = || rule("r", RuleAction::Mute);
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let monitors = |names: &[&str]| names.iter().map(|name| MonitorName::parse(name)).collect::<Vec<_>>();
    let receivers = |names: &[&str]| names.iter().map(|name| ReceiverName::parse(name)).collect::<Vec<_>>();
    let cases = [
        (plain(), Ok(())),
        (Rule { monitors: monitors(&["4"]), ..plain() }, Ok(())),
        (Rule { monitors: monitors(&["Door", "garden"]), ..plain() }, Ok(())),
        (Rule { monitors: monitors(&["5", "Gard"]), ..plain() }, Err(Mismatch::Monitor)),
        (Rule { schedule: schedule(&["sat"], &[]), ..plain() }, Err(Mismatch::Schedule)),
        (Rule { cause_has: texts(&["PERSON", "motion"]), ..plain() }, Ok(())),
        (Rule { cause_has: texts(&["person"]), ..plain() }, Err(Mismatch::CauseHas)),
        (Rule { cause_lacks: texts(&["motion"]), ..plain() }, Err(Mismatch::CauseLacks)),
        (Rule { cause_lacks: texts(&["person"]), ..plain() }, Ok(())),
        (Rule { channels: vec![Channel::WebSocket], ..plain() }, Err(Mismatch::Channel)),
        (Rule { receivers: receivers(&["AMY"]), ..plain() }, Ok(())),
        (Rule { receivers: receivers(&["ios"]), ..plain() }, Ok(())),
        (Rule { receivers: receivers(&["user:ios", "bob"]), ..plain() }, Err(Mismatch::Receiver)),
    ];
    for (rule, expected) in cases {
        let set = RuleSet::new(vec![rule.clone()]);
        let alarm = alarm("Motion: Lawn", &utc);
        let examined = set.examine(&alarm, &receiver("amy"));
        assert_eq!(examined, [(&rule, expected)]);
        let decided = set.candidates(&alarm).decide(&receiver("amy")).is_some();
        assert_eq!(decided, expected.is_ok(), "{rule:?}");
    }
}

#[test]
fn labels_count_from_their_confidence_on_and_decide_nothing_while_they_are_unknown() {
    let utc = TimeZone::UTC;
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let plain = || rule("r", RuleAction::Mute);
    let of = |labels: &[&str], lack: &[&str], min_confidence| Rule {
        labels: texts(labels),
        labels_lack: texts(lack),
        min_confidence,
        ..plain()
    };
    let label = |name: &str, percent| Label::new(name, percent).unwrap();
    let known = [label("person", Some(60)), label("cat", None)];
    for (rule, unknown, expected) in [
        (plain(), Ok(()), Ok(())),
        (Rule { min_confidence: 99, ..plain() }, Ok(()), Ok(())),
        (of(&["Person"], &[], 0), Err(Mismatch::LabelsUnknown), Ok(())),
        (of(&["person"], &[], 60), Err(Mismatch::LabelsUnknown), Ok(())),
        (of(&["person"], &[], 61), Err(Mismatch::LabelsUnknown), Err(Mismatch::Labels)),
        (of(&["dog", "cat"], &[], 90), Err(Mismatch::LabelsUnknown), Ok(())),
        (of(&["dog"], &[], 0), Err(Mismatch::LabelsUnknown), Err(Mismatch::Labels)),
        (of(&[], &["dog"], 0), Err(Mismatch::LabelsUnknown), Ok(())),
        (of(&[], &["PERSON"], 0), Err(Mismatch::LabelsUnknown), Err(Mismatch::LabelsLack)),
        (of(&[], &["person"], 80), Err(Mismatch::LabelsUnknown), Ok(())),
        (of(&["cat"], &["person"], 0), Err(Mismatch::LabelsUnknown), Err(Mismatch::LabelsLack)),
    ] {
        let holds = |labels| {
            let alarm = AlarmFacts { labels, ..alarm("Motion", &utc) };
            rule.holds_for(&alarm, &mut LocalTimes::new(alarm.time))
        };
        assert_eq!((holds(None), holds(Some(&known[..]))), (unknown, expected), "{rule:?}");
    }
    assert!(!of(&["person"], &[], 0).is_unconditional());
}

#[test]
fn the_first_rule_that_holds_decides() {
    let utc = TimeZone::UTC;
    let others = Rule { receivers: vec![ReceiverName::parse("bob")], ..rule("others", RuleAction::Urgent) };
    let set = RuleSet::new(vec![others, rule("quiet", RuleAction::Mute), rule("late", RuleAction::Notify)]);
    let candidates = set.candidates(&alarm("", &utc));
    let name = |user| candidates.decide(&receiver(user)).map(|rule| rule.name.to_string());
    assert_eq!(name("amy").as_deref(), Some("quiet"));
    assert_eq!(name("bob").as_deref(), Some("others"));
    let examined = set.examine(&alarm("", &utc), &receiver("amy"));
    assert_eq!(examined.len(), 2, "later rules were not asked");
}

#[test]
fn a_handle_names_a_token_by_its_first_digits() {
    let handle = PushToken::parse(&"a".repeat(40)).unwrap().handle();
    let digits = handle.digits();
    let of = |text: &str| {
        ReceiverName::parse(text).names(&ReceiverFacts { handle: Some(handle), ..receiver("amy") })
    };
    assert!(of(&digits[..8]) && of(&digits.to_uppercase()));
    assert!(!of("00000000") && !of(&digits[..7]));
}

#[test]
fn names_are_the_same_in_upper_and_lower_case() {
    assert!(is_same_name("Amy", "aMY") && is_same_name("JÜRGEN", "jürgen") && is_same_name("", ""));
    assert!(!is_same_name("amy", "am") && !is_same_name("jurgen", "jürgen"));
}

fn guard() -> TokenHandle {
    PushToken::of_target(TargetName::parse("guard").unwrap()).handle()
}

#[test]
fn a_rule_can_name_all_targets_or_one() {
    let of = |text: &str, handle, platform| {
        ReceiverName::parse(text).names(&ReceiverFacts { handle, platform, ..receiver("amy") })
    };
    let target = |text| of(text, Some(guard()), Some(Platform::Target));
    assert!(target("target") && target("@guard") && !target("@guards") && !target("ios"));
    assert!(!of("target", None, Some(Platform::Ios)) && !of("target", None, None));
    assert_eq!(ReceiverName::parse("user:target"), ReceiverName::User("target".to_owned()));
}

/// Returns a rule that names some of these receivers on some channels, by the bits of two numbers.
fn rule_for((names, channels): (usize, usize)) -> Rule {
    let handle = PushToken::parse(&"a".repeat(40)).unwrap().handle().digits();
    let phones = ["amy", "JÜRGEN", "user:ios", "ios", "android", &handle[..8], &handle[..12], "00000000"];
    let known = [&phones[..], &["target", "@guard"]].concat();
    let receivers = known.iter().enumerate().filter(|(bit, _)| names >> bit & 1 == 1);
    let channels = Channel::ALL.into_iter().enumerate().filter(|(bit, _)| channels >> bit & 1 == 1);
    Rule {
        receivers: receivers.map(|(_, name)| ReceiverName::parse(name)).collect(),
        channels: channels.map(|(_, channel)| channel).collect(),
        ..rule("r", RuleAction::Mute)
    }
}

#[test]
fn a_window_in_the_hour_that_a_clock_skips_or_repeats_changes_when_the_clock_is_set() {
    let zone = zone("America/New_York");
    // (window, now, when it changes next)
    for (window, now, next) in [
        // At 02:00 the clock is set to 03:00: a window from 02:01 has begun by then.
        ("2:01-3:02", "2027-03-14T06:43:00Z", "2027-03-14T07:00:00Z"),
        // At 02:00 the clock is set to 01:00: a window from 01:30 ends then, and begins a second time.
        ("1:30-1:45", "2027-11-07T05:50:00Z", "2027-11-07T06:30:00Z"),
        ("1:30-2:00", "2027-11-07T05:50:00Z", "2027-11-07T06:00:00Z"),
    ] {
        let schedule = schedule(&["sun"], &[window]);
        let time = AlarmTime { at: now.parse().unwrap(), machine: &zone };
        let change = schedule.changes_after(time).map(|change| change.timestamp().to_string());
        assert_eq!(change.as_deref(), Some(next), "{window} at {now}");
    }
}

proptest! {
    #[test]
    fn the_index_finds_the_first_rule_that_is_for_a_receiver(
        bits in proptest::collection::vec((0_usize..1024, 0_usize..8), 0..MAX_RULES),
        user in prop::sample::select(vec!["amy", "Amy", "AMY", "jürgen", "Jürgen", "ios", "bob", "", "\u{212a}"]),
        (handle, platform, channel) in (0_usize..4, 0_usize..4, prop::sample::select(Channel::ALL.to_vec())),
    ) {
        let rules: Vec<Rule> = bits.into_iter().map(rule_for).collect();
        let receiver = ReceiverFacts {
            channel,
            user,
            handle: [
                None,
                Some(PushToken::parse(&"a".repeat(40)).unwrap().handle()),
                Some(guard()),
                Some(PushToken::of_target(TargetName::parse("pager").unwrap()).handle()),
            ][handle],
            platform: [None, Some(Platform::Ios), Some(Platform::Android), Some(Platform::Target)][platform],
        };
        let expected = rules.iter().position(|rule| rule.is_for(&receiver).is_ok());
        let (set, utc) = (RuleSet::new(rules), TimeZone::UTC);
        let candidates = set.candidates(&alarm("", &utc));
        let decided = candidates.decide(&receiver).map(|decided| set.iter().position(|rule| std::ptr::eq(rule, decided)));
        prop_assert_eq!(decided, expected.map(Some));
    }

    #[test]
    fn any_receivers_entry_is_written_as_it_was_read(text in "\\PC{0,40}") {
        let read = ReceiverName::parse(&text);
        prop_assert_eq!(ReceiverName::parse(&read.to_string()), read);
    }

    #[test]
    fn a_schedule_never_says_that_it_changes_where_it_does_not(
        seconds in 1_700_000_000_i64..1_900_000_000,
        (from, to) in (0_u16..1440, 0_u16..1440),
        days in 1_usize..128,
    ) {
        let words = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let days: Vec<&str> = (0..7).filter(|bit| days >> bit & 1 == 1).map(|bit| words[bit]).collect();
        let window = format!("{}:{:02}-{}:{:02}", from / 60, from % 60, to / 60, to % 60);
        let schedule = schedule(&days, &[&window]);
        let zone = zone("America/New_York");
        let time = AlarmTime { at: Timestamp::from_second(seconds).unwrap(), machine: &zone };
        let covered = schedule.covers(time);
        if let Some(change) = schedule.changes_after(time) {
            let changed = AlarmTime { at: change.timestamp(), ..time };
            prop_assert_ne!(schedule.covers(changed), covered);
            let before = change.timestamp() - std::time::Duration::from_mins(1);
            if before > time.at {
                prop_assert_eq!(schedule.covers(AlarmTime { at: before, ..time }), covered);
            }
        }
    }
}
