//! What of an output counts: times, durations, ports and process ids are different in each run, and the gaps between
//! columns depend on them.

use serde_json::Value;

/// Numbers that say how long something took or which process it was.
const MEASURED: [&str; 4] = ["pid", "ms", "age_s", "rss_kib"];
/// Words for units of time, and of files that grow.
const UNITS: [&str; 10] = ["ms", "s", "min", "h", "day", "days", "second", "seconds", "KiB", "MiB"];
/// Ids of synthetic alarms begin here.
const TEST_EVENTS: u64 = 4_000_000_000;

/// Returns an output without what differs from run to run.
pub(crate) fn output(lines: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = lines.iter().map(|text| line(text)).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// Returns one line without what differs from run to run.
pub(crate) fn line(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(mut value @ (Value::Object(_) | Value::Array(_))) => {
            json(&mut value);
            value.to_string()
        }
        Ok(_) | Err(_) => words(text),
    }
}

/// Takes from JSON what differs from run to run.
pub(crate) fn json(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                if member.is_number() && is_measured(key) {
                    *member = Value::from(0);
                } else {
                    json(member);
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(json),
        Value::String(text) => *text = words(text),
        Value::Number(number) if number.as_u64() >= Some(TEST_EVENTS) => *value = Value::from(TEST_EVENTS),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_measured(key: &str) -> bool {
    MEASURED.contains(&key) || key.ends_with("_ms")
}

fn words(text: &str) -> String {
    let mut found: Vec<String> = Vec::new();
    let mut words = text.split_whitespace().peekable();
    let (mut before, mut performance) = ("", false);
    while let Some(word) = words.next() {
        let (head, core, tail) = punctuation(word);
        let unit = words.peek().map(|next| punctuation(next)).filter(|(_, unit, _)| UNITS.contains(unit));
        // The rest is performance data for Nagios: measured values.
        performance |= word == "|";
        let masked = if performance {
            word.chars().filter(|character| !character.is_ascii_digit() && *character != '.').collect()
        } else if is_time(core) {
            format!("{head}TIME{tail}")
        } else if let (true, Some((_, _, tail))) = (is_number(core), unit) {
            words.next();
            format!("{head}SPAN{tail}")
        } else if core == "now" {
            if found.last().is_none_or(|last| last != "SPAN") {
                found.push(format!("{head}SPAN"));
            }
            format!("ago{tail}")
        } else if is_number(core) && (before == "pid" || is_measured(before)) {
            format!("{head}N{tail}")
        } else if core.parse().is_ok_and(|id: u64| id >= TEST_EVENTS) {
            format!("{head}TEST{tail}")
        } else if core.contains("-MariaDB") {
            format!("{head}DATABASE{tail}")
        } else {
            attached(word)
        };
        // "3 min 5 s" is one span, "2026-11-02 10:00:00" one time.
        let same = found.last().is_some_and(|last| last == &masked);
        if !(same && ["TIME", "SPAN"].contains(&masked.as_str())) {
            found.push(masked);
        }
        before = core;
    }
    found.join(" ")
}

/// Returns the parts before, inside and after a word.
fn punctuation(word: &str) -> (&str, &str, &str) {
    let plain = |character: char| character.is_alphanumeric();
    let start = word.find(plain).unwrap_or(word.len());
    let end = word.rfind(plain).map_or(start, |at| at + word[at..].chars().next().map_or(1, char::len_utf8));
    (&word[..start], &word[start..end], &word[end..])
}

fn is_number(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    digits > 0 && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b',')
}

/// `10:00:00`, `2026-11-02`, `2026-11-02T10:00:00.123Z`
fn is_time(word: &str) -> bool {
    let shape: String =
        word.chars().map(|character| if character.is_ascii_digit() { '0' } else { character }).collect();
    let clock = |shape: &str| shape.starts_with("00:00:00") && !shape[8..].contains(':');
    let date = shape.starts_with("0000-00-00");
    clock(&shape) || date && (shape.len() == 10 || shape.get(10..11) == Some("T"))
}

/// Masks numbers directly followed by their unit (`=3ms`), loopback ports, and temporary names.
fn attached(word: &str) -> String {
    if let Some(at) = word.find("127.0.0.1:") {
        let port = word[at + 10..].trim_start_matches(|digit: char| digit.is_ascii_digit());
        return format!("{}ADDRESS{port}", &word[..at]);
    }
    if let Some((before, behind)) = word.split_once("zmesd-demo-") {
        return format!("{before}zmesd-demo-{}", behind.get(6..).unwrap_or_default());
    }
    let mut masked = String::new();
    let mut rest = word;
    while let Some(start) = rest.find(|character: char| character.is_ascii_digit()) {
        let number = &rest[start..];
        let inner = |character: char| character.is_ascii_digit() || character == '.';
        let end = number.find(|character| !inner(character)).unwrap_or(number.len());
        let unit: String = number[end..].chars().take_while(|character| character.is_alphabetic()).collect();
        masked.push_str(&rest[..start]);
        let alone = start == 0 || !rest[..start].ends_with(char::is_alphanumeric);
        masked.push_str(if alone && ["ms", "s"].contains(&unit.as_str()) { "N" } else { &number[..end] });
        rest = &number[end..];
    }
    masked + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_spans_and_ports_are_all_the_same() {
        for (one, other) in [
            (
                "up 4 h 12 min (since 2026-11-02 05:48:00, pid 812)",
                "up 3 s (since 2026-11-03 05:48:01, pid 9)",
            ),
            ("token  sent   112 ms  3 min ago", "token sent 7 ms now"),
            ("at 2026-11-27 15:31:30 (9 s ago): Motion", "at 2026-11-27 15:31:31 (now): Motion"),
            ("09:59:50.000  x", "12:00:00.123  x"),
            ("answers (10.11.14-MariaDB-0+deb12u2,", "answers (11.8.3-MariaDB,"),
            ("at 2026-11-02T09:59:50Z,", "at 2026-11-02T09:59:50.123Z,"),
            ("OK | time=3ms;;", "OK | time=12ms;;"),
            ("OK | size=98304B;; age=0.1s", "OK | size=102400B;; age=12s"),
            ("from 127.0.0.1:4000)", "from 127.0.0.1:41234)"),
            ("\"uptime_ms\": 12,", "\"uptime_ms\": 345,"),
            (
                r#"{"at":"2026-11-02T09:59:50Z","latency_ms":3}"#,
                r#"{"at":"2026-11-03T09:59:50Z","latency_ms":4}"#,
            ),
        ] {
            assert_eq!(line(one), line(other));
        }
    }

    #[test]
    fn everything_else_counts() {
        for (one, other) in [
            ("event 32910", "event 32911"),
            ("1 sent", "2 sent"),
            ("--for 1h", "--for 2h"),
            (r#"{"badge":3}"#, r#"{"badge":4}"#),
            ("1a2b95a1", "1a2b95a2"),
        ] {
            assert_ne!(line(one), line(other));
        }
    }
}
