//! What option values look like on the command line: durations, times, networks.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
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
    At(PastArg),
}

impl FromStr for SinceArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(event) = text.parse() {
            return Ok(Self::Event(event));
        }
        text.parse().map(Self::At).map_err(|_: String| {
            "expected an event id, a time such as 2026-11-02T10:00:00Z or 22:00, or an age such as 10m"
                .to_owned()
        })
    }
}

impl SinceArg {
    /// Returns the point as the daemon takes it.
    pub(crate) fn resolve(self, now: Timestamp, zone: &TimeZone) -> Since {
        match self {
            Self::Event(event) => Since::Event(event),
            Self::At(past) => Since::Time(past.resolve(now, zone)),
        }
    }
}

/// A time in the past as people name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PastArg {
    Time(Timestamp),
    /// Local date and time.
    Local(DateTime),
    /// Local time of day: its last occurrence.
    Clock(Time),
    Ago(Duration),
}

impl FromStr for PastArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(time) = text.parse() {
            return Ok(Self::Time(time));
        }
        // jiff reads a date as midnight, and a bare number of four digits as a time of day.
        if text.contains('-')
            && let Ok(local) = text.parse()
        {
            return Ok(Self::Local(local));
        }
        if text.contains(':')
            && let Ok(clock) = text.parse()
        {
            return Ok(Self::Clock(clock));
        }
        duration(text).map(Self::Ago).map_err(|_| {
            "expected a time such as 2026-11-02T10:00:00Z, \"2026-11-02 22:00\" or 22:00, or an age such as 10m"
                .to_owned()
        })
    }
}

impl PastArg {
    pub(crate) fn resolve(self, now: Timestamp, zone: &TimeZone) -> Timestamp {
        let local = |local: DateTime| local.to_zoned(zone.clone()).as_ref().map(Zoned::timestamp).ok();
        match self {
            Self::Time(time) => time,
            // A local time that cannot be told is at the end of the calendar.
            Self::Local(at) => local(at).unwrap_or(Timestamp::MAX),
            Self::Clock(clock) => {
                let today = now.to_zoned(zone.clone()).date();
                let on = |date: civil::Date| local(date.to_datetime(clock)).filter(|at| *at <= now);
                on(today).or_else(|| on(today.yesterday().ok()?)).unwrap_or(now)
            }
            Self::Ago(ago) => {
                let ago = SignedDuration::try_from(ago).unwrap_or(SignedDuration::MAX);
                now.saturating_sub(ago).unwrap_or(Timestamp::MIN)
            }
        }
    }
}

/// A time in the future or the past as people name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MomentArg {
    Instant(Timestamp),
    /// A day and a time, without a zone.
    Civil(DateTime),
    /// A time of today.
    Today(Time),
}

impl FromStr for MomentArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let instant = || text.parse().ok().map(Self::Instant);
        let today = || text.parse().ok().filter(|_| text.contains(':')).map(Self::Today);
        let civil = || text.parse().ok().filter(|_| text.contains(':')).map(Self::Civil);
        instant().or_else(civil).or_else(today).ok_or_else(|| {
            "expected a time such as 23:10, '2027-01-05 23:10' or 2027-01-05T23:10:00Z".to_owned()
        })
    }
}

impl MomentArg {
    /// Returns the moment in that time zone; `None`: it is beyond all time.
    pub(crate) fn resolve(self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let civil = match self {
            Self::Instant(at) => return Some(at),
            Self::Civil(civil) => civil,
            Self::Today(time) => now.to_zoned(zone.clone()).date().to_datetime(time),
        };
        civil.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn moments_are_read_as_people_write_them() {
        let now = "2027-01-05T12:00:00Z".parse().unwrap();
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        for (text, expected) in [
            ("23:10", "2027-01-05T22:10:00Z"),
            ("2027-01-06 23:10", "2027-01-06T22:10:00Z"),
            ("2027-01-06T23:10:30", "2027-01-06T22:10:30Z"),
            ("2027-01-05T23:10:00Z", "2027-01-05T23:10:00Z"),
            ("2027-01-05T23:10:00+01:00", "2027-01-05T22:10:00Z"),
        ] {
            let moment = text.parse::<MomentArg>().unwrap().resolve(now, &zone).unwrap();
            assert_eq!(moment.to_string(), expected, "{text}");
        }
        for wrong in ["", "23", "2027-01-05", "25:00", "noon", "2027-13-01 10:00"] {
            assert!(wrong.parse::<MomentArg>().is_err(), "{wrong}");
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
        let since = |text: &str| text.parse::<SinceArg>().map(|since| since.resolve(now, &TimeZone::UTC));
        assert_eq!(since("32910"), Ok(Since::Event(EventId(32910))));
        assert_eq!(since("10m"), Ok(Since::Time("2026-11-02T09:50:00Z".parse().unwrap())));
        assert_eq!(
            since("2026-11-02T01:00:00+01:00"),
            Ok(Since::Time("2026-11-02T00:00:00Z".parse().unwrap()))
        );
        assert!(since("yesterday").is_err());
    }

    #[test]
    fn times_without_a_zone_are_local() {
        let now: Timestamp = "2026-11-02T10:00:00Z".parse().unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let past = |text: &str| {
            text.parse::<PastArg>().map(|past| past.resolve(now, &zone).to_string()).unwrap_or_default()
        };
        for (text, at) in [
            ("12:00", "2026-11-02T10:00:00Z"),
            ("12:01", "2026-11-01T10:01:00Z"),
            ("00:30:05", "2026-11-01T22:30:05Z"),
            ("2026-11-01 22:00", "2026-11-01T20:00:00Z"),
            ("2026-11-01T22:00:01", "2026-11-01T20:00:01Z"),
            ("2026-11-01", "2026-10-31T22:00:00Z"),
            ("2026-11-01T22:00:00Z", "2026-11-01T22:00:00Z"),
            ("6h", "2026-11-02T04:00:00Z"),
            ("2200", ""),
            ("25:00", ""),
            ("32910", ""),
            ("", ""),
        ] {
            assert_eq!(past(text), at, "{text}");
        }
    }
}
