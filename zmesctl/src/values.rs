//! What option values look like on the command line: durations, times, networks.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};
use zmes_shared::control::Since;
use zmes_shared::{EventId, MonitorId, duration};

/// Characters of the end of a token that name it.
const TAIL: usize = 10;
/// Longest text that names a token; longer than any token.
const MAX_SELECTION: usize = 4096;

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    duration::parse_positive(text).map_err(|error| error.to_string())
}

/// How long `alarm force` may keep an alarm: 1 s to 1 h.
pub(crate) fn alarm_duration(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if (Duration::from_secs(1)..=Duration::from_hours(1)).contains(&duration) {
        Ok(duration)
    } else {
        Err("must be between 1s and 1h".to_owned())
    }
}

/// What names a token: its handle, a prefix of it, or the token's last characters. The daemon gets it as it was
/// typed.
pub(crate) fn token(text: &str) -> Result<String, String> {
    let text = text.trim();
    let plain = |character: char| !character.is_control() && !character.is_whitespace();
    // No handle begins with a dash: what does is the end of a token, or a mistyped option.
    let option = text.starts_with('-') && text.len() < TAIL;
    if text.is_empty() || option || text.len() > MAX_SELECTION || !text.chars().all(plain) {
        return Err(
            "expected a handle as shown by `tokens list`, or the last 10 characters of a token".to_owned()
        );
    }
    Ok(text.to_owned())
}

/// A monitor as people name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MonitorArg {
    Id(MonitorId),
    Name(String),
}

impl FromStr for MonitorArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) if text.is_empty() => {
                Err("expected an id or a name as shown by `monitors list`".to_owned())
            }
            // A number that is out of range, not the name of a camera.
            Err(_) if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => {
                Err("not an id: ids are numbers up to 4294967295".to_owned())
            }
            Err(_) => Ok(Self::Name(text.to_owned())),
        }
    }
}

/// Reads an address or a network in CIDR notation; the daemon gets it as it was typed.
pub(crate) fn network(text: &str) -> Result<String, String> {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
    let address: IpAddr =
        address.parse().map_err(|_| "expected an address or network such as 192.0.2.7 or 2001:db8::/32")?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    match prefix.map(u8::from_str) {
        None => Ok(text.to_owned()),
        Some(Ok(prefix)) if prefix <= longest => Ok(text.to_owned()),
        Some(_) => Err(format!("the part after `/` must be between 0 and {longest}")),
    }
}

/// Returns a duration as milliseconds, as the control protocol has them.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A point in the past as people name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SinceArg {
    Event(EventId),
    Time(Timestamp),
    Ago(Duration),
}

impl FromStr for SinceArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(event) = text.parse() {
            return Ok(Self::Event(event));
        }
        if let Ok(time) = text.parse() {
            return Ok(Self::Time(time));
        }
        duration(text).map(Self::Ago).map_err(|_| {
            "expected an event id, a time such as 2026-11-02T10:00:00Z, or an age such as 10m".to_owned()
        })
    }
}

impl SinceArg {
    /// Returns the point as the daemon takes it.
    pub(crate) fn resolve(self, now: Timestamp) -> Since {
        match self {
            Self::Event(event) => Since::Event(event),
            Self::Time(time) => Since::Time(time),
            Self::Ago(ago) => {
                let ago = SignedDuration::try_from(ago).unwrap_or(SignedDuration::MAX);
                Since::Time(now.saturating_sub(ago).unwrap_or(Timestamp::MIN))
            }
        }
    }
}

/// A point in the future as people name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UntilArg {
    /// The next time that the clock shows it.
    Clock(civil::Time),
    Date(civil::DateTime),
    Time(Timestamp),
}

impl UntilArg {
    pub(crate) const HINT: &'static str = "for example --until 18:00, or --until '2026-12-01 08:00'";

    /// Returns the point in time, where `zone` is that of the person.
    pub(crate) fn resolve(self, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
        let told = |error: jiff::Error| error.to_string();
        match self {
            Self::Time(time) => Ok(time),
            Self::Date(date) => zone.to_timestamp(date).map_err(told),
            Self::Clock(clock) => {
                let today = now.to_zoned(zone.clone()).date();
                for date in [Ok(today), today.tomorrow()] {
                    let local = date.map_err(told)?.to_datetime(clock);
                    // When clocks are set back, a time comes twice.
                    let ambiguous = || zone.to_ambiguous_timestamp(local);
                    for at in [ambiguous().compatible(), ambiguous().later()] {
                        let at = at.map_err(told)?;
                        if at > now {
                            return Ok(at);
                        }
                    }
                }
                Err(format!("{clock} does not come within a day"))
            }
        }
    }
}

impl FromStr for UntilArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let expected = || {
            "expected a time of the day such as 18:00, a date with a time such as 2026-12-01 08:00, or an RFC 3339 time"
                .to_owned()
        };
        let is_clock = text.contains(':') && text.chars().all(|char| char.is_ascii_digit() || char == ':');
        if is_clock {
            return text.parse().map(Self::Clock).map_err(|_| expected());
        }
        if let Ok(time) = text.parse() {
            return Ok(Self::Time(time));
        }
        // jiff would pass over an offset or a zone behind it.
        let plain = |char: char| char.is_ascii_digit() || "-: T".contains(char);
        let date = text.len() <= "2026-12-01 08:00:00".len() && text.contains(':') && text.chars().all(plain);
        if date { text.parse().map(Self::Date).map_err(|_| expected()) } else { Err(expected()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(text: &str, now: &str, zone: &TimeZone) -> Option<String> {
        let at = text.parse::<UntilArg>().ok()?.resolve(now.parse().unwrap(), zone).unwrap();
        Some(at.to_string())
    }

    #[test]
    fn a_time_of_the_day_is_the_next_one() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for (text, now, expected) in [
            ("18:00", "2026-11-30T09:00:00Z", "2026-11-30T17:00:00Z"),
            ("18:00", "2026-11-30T17:00:00Z", "2026-12-01T17:00:00Z"),
            ("0:00", "2026-11-30T22:59:00Z", ""),
            ("00:00", "2026-11-30T22:59:00Z", "2026-11-30T23:00:00Z"),
            ("07:30:15", "2026-12-31T20:00:00Z", "2027-01-01T06:30:15Z"),
            // Skipped that night: an hour later.
            ("02:30", "2027-03-27T20:00:00Z", "2027-03-28T01:30:00Z"),
            // Comes twice that night.
            ("02:30", "2026-10-24T20:00:00Z", "2026-10-25T00:30:00Z"),
            ("02:30", "2026-10-25T00:45:00Z", "2026-10-25T01:30:00Z"),
            ("02:30", "2026-10-25T01:45:00Z", "2026-10-26T01:30:00Z"),
            ("2026-12-01 08:00", "2026-11-30T09:00:00Z", "2026-12-01T07:00:00Z"),
            ("2026-12-01T08:00:30", "2026-11-30T09:00:00Z", "2026-12-01T07:00:30Z"),
            ("2026-12-01T08:00:00+03:00", "2026-11-30T09:00:00Z", "2026-12-01T05:00:00Z"),
            ("2020-01-01 08:00", "2026-11-30T09:00:00Z", "2020-01-01T07:00:00Z"),
        ] {
            let expected = (!expected.is_empty()).then(|| expected.to_owned());
            assert_eq!(until(text, now, &zone), expected, "{text} after {now}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for wrong in [
            "",
            "18",
            "1800",
            "25:00",
            "18:61",
            "tomorrow",
            "2026-12-01",
            "2026-13-01 08:00",
            "2026-12-01 08:00[Europe/Berlin]",
            "2h",
        ] {
            assert!(wrong.parse::<UntilArg>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("20ms"), Ok(Duration::from_millis(20)));
        assert_eq!(duration("10m"), Ok(Duration::from_mins(10)));
        assert_eq!(duration("14d"), Ok(Duration::from_hours(14 * 24)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_mins(90)));
        for wrong in ["5", "", "-5s", "0s", "5 parsecs", "1mo", "99999999999999999999s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_forced_alarm_is_bounded() {
        assert!(alarm_duration("1h").is_ok());
        assert!(alarm_duration("61m").is_err());
        assert!(alarm_duration("999ms").is_err());
    }

    #[test]
    fn a_token_is_named_by_one_word() {
        for right in ["1a2b3c4d", "1", " kFLJu6sg_x ", "APA91:kFLJ", "-LJu6sg_xy"] {
            assert_eq!(token(right).as_deref(), Ok(right.trim()));
        }
        for wrong in ["", " ", "1a2b 3c4d", "1a\n2b", "--dryrun", "-x", &"x".repeat(4097)] {
            assert!(token(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn networks_are_addresses_with_or_without_a_prefix() {
        for right in ["192.0.2.7", "192.0.2.0/24", "::1", "2001:db8::/32"] {
            assert_eq!(network(right).as_deref(), Ok(right));
        }
        for wrong in ["192.0.2.0/33", "garden", "192.0.2.7/", "::/129", "1.2.3"] {
            assert!(network(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn since_is_an_event_a_time_or_an_age() {
        let now: Timestamp = "2026-11-02T10:00:00Z".parse().unwrap();
        let since = |text: &str| text.parse::<SinceArg>().map(|since| since.resolve(now));
        assert_eq!(since("32910"), Ok(Since::Event(EventId(32910))));
        assert_eq!(since("10m"), Ok(Since::Time("2026-11-02T09:50:00Z".parse().unwrap())));
        assert_eq!(
            since("2026-11-02T01:00:00+01:00"),
            Ok(Since::Time("2026-11-02T00:00:00Z".parse().unwrap()))
        );
        assert!(since("yesterday").is_err());
    }
}
