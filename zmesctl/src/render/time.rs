//! Times and durations in a form for people.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use zmes_shared::views::Sentence;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Returns how long before `now` a time was: "now", "12 s ago", "3 min ago", "2 h ago", "5 days ago".
pub fn ago(now: Timestamp, at: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs();
    let text = coarse(seconds.unsigned_abs());
    match seconds {
        -1..=1 => "now".to_owned(),
        2.. => format!("{text} ago"),
        // The daemon runs on the same machine, but the clock may have been set back since.
        _ => format!("in {text}"),
    }
}

/// Returns a duration in its two largest units: "3 days 4 h", "12 min 5 s", "250 ms".
pub fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds == 0 {
        return format!("{} ms", duration.subsec_millis());
    }
    let (large, small) = match seconds {
        0..MINUTE => (seconds, 0),
        MINUTE..HOUR => (seconds - seconds % MINUTE, seconds % MINUTE),
        HOUR..DAY => (seconds - seconds % HOUR, seconds % HOUR / MINUTE * MINUTE),
        DAY.. => (seconds - seconds % DAY, seconds % DAY / HOUR * HOUR),
    };
    if small == 0 { coarse(large) } else { format!("{} {}", coarse(large), coarse(small)) }
}

/// Returns a latency: "112 ms", "4 s".
pub fn milliseconds(ms: u64) -> String {
    if ms < 10_000 { format!("{ms} ms") } else { span(Duration::from_millis(ms)) }
}

/// Returns the time of day with milliseconds, and the date if it differs from that of `now`.
pub fn clock(now: Timestamp, at: Timestamp, zone: &TimeZone) -> String {
    let at = at.to_zoned(zone.clone());
    let today = at.date() == now.to_zoned(zone.clone()).date();
    at.strftime(if today { "%H:%M:%S.%3f" } else { "%Y-%m-%d %H:%M:%S.%3f" }).to_string()
}

/// Returns date and time: "2026-11-02 10:00:00".
pub fn date(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Returns a sentence with its times in the reader's time zone.
pub fn told(sentence: &Sentence, zone: &TimeZone) -> String {
    sentence.render(|at| date(at, zone))
}

fn coarse(seconds: u64) -> String {
    match seconds {
        0..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..DAY => format!("{} h", seconds / HOUR),
        DAY.. if seconds < 2 * DAY => "1 day".to_owned(),
        DAY.. => format!("{} days", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_told_in_one_unit() {
        let now: Timestamp = "2026-11-02T10:00:00Z".parse().unwrap();
        let table = [
            ("2026-11-02T10:00:00Z", "now"),
            ("2026-11-02T09:59:48Z", "12 s ago"),
            ("2026-11-02T09:56:01Z", "3 min ago"),
            ("2026-11-02T07:30:00Z", "2 h ago"),
            ("2026-11-01T09:00:00Z", "1 day ago"),
            ("2026-10-28T09:00:00Z", "5 days ago"),
            ("2026-11-02T10:05:00Z", "in 5 min"),
        ];
        for (at, text) in table {
            assert_eq!(ago(now, at.parse().unwrap()), text);
        }
    }

    #[test]
    fn durations_are_told_in_two_units() {
        let table = [
            (250, "250 ms"),
            (5_000, "5 s"),
            (90_000, "1 min 30 s"),
            (600_000, "10 min"),
            (4 * 3_600_000 + 720_000, "4 h 12 min"),
            (76 * 3_600_000, "3 days 4 h"),
            (24 * 3_600_000 + 59_000, "1 day"),
        ];
        for (milliseconds, text) in table {
            assert_eq!(span(Duration::from_millis(milliseconds)), text);
        }
    }

    #[test]
    fn the_times_of_a_sentence_are_those_of_the_readers_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let sentence =
            Sentence::from("it began ").time("2026-11-02T23:59:50Z".parse().unwrap()).text(", not at 12:00Z");
        assert_eq!(told(&sentence, &zone), "it began 2026-11-03 01:59:50, not at 12:00Z");
    }

    #[test]
    fn another_day_shows_its_date() {
        let now: Timestamp = "2026-11-02T10:00:00Z".parse().unwrap();
        let at = "2026-11-02T09:59:48.25Z".parse().unwrap();
        assert_eq!(clock(now, at, &TimeZone::UTC), "09:59:48.250");
        let before = "2026-11-01T23:59:59Z".parse().unwrap();
        assert_eq!(clock(now, before, &TimeZone::UTC), "2026-11-01 23:59:59.000");
    }
}
