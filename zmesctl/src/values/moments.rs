//! Parses points in time. A time without a zone is local time.

use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use zmes_shared::EventId;
use zmes_shared::control::Since;

use super::duration;

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MomentArg {
    Instant(Timestamp),
    Local(DateTime),
    /// A time of day: the option decides whether it is today's, the next or the last one.
    Clock(Time),
}

impl FromStr for MomentArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let expected = "expected a time such as 18:00, '2026-12-01 08:00' or 2026-12-01T08:00:00Z";
        if let Ok(instant) = text.parse() {
            return Ok(Self::Instant(instant));
        }
        // jiff would ignore an offset or a zone after it, and parses a bare number of four digits as a time.
        let plain =
            text.contains(':') && text.chars().all(|char| char.is_ascii_digit() || "-: T".contains(char));
        let moment = if !plain {
            None
        } else if text.contains('-') {
            text.parse().ok().map(Self::Local)
        } else {
            text.parse().ok().map(Self::Clock)
        };
        moment.ok_or_else(|| expected.to_owned())
    }
}

impl MomentArg {
    /// Returns the moment; a time of day means today. `None` if it is out of range.
    pub(crate) fn today(self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Instant(at) => Some(at),
            Self::Local(local) => zone.to_timestamp(local).ok(),
            Self::Clock(time) => zone.to_timestamp(now.to_zoned(zone.clone()).date().to_datetime(time)).ok(),
        }
    }

    /// Returns the moment; a time of day means the next one.
    pub(crate) fn next(self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let Self::Clock(time) = self else { return self.today(now, zone) };
        let today = now.to_zoned(zone.clone()).date();
        let dates = [Some(today), today.tomorrow().ok()];
        // When clocks are set back, a time occurs twice.
        let both = dates.into_iter().flatten().flat_map(|date| {
            let ambiguous = || zone.to_ambiguous_timestamp(date.to_datetime(time));
            [ambiguous().compatible(), ambiguous().later()]
        });
        both.flatten().find(|at| *at > now)
    }

    /// Returns the moment; a time of day means the last one.
    fn last(self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let Self::Clock(time) = self else { return self.today(now, zone) };
        let today = now.to_zoned(zone.clone()).date();
        let on = |date: Date| zone.to_timestamp(date.to_datetime(time)).ok().filter(|at| *at <= now);
        on(today).or_else(|| on(today.yesterday().ok()?))
    }
}

/// A point in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PastArg {
    Moment(MomentArg),
    /// The beginning of a day.
    Day(Date),
    Ago(Duration),
}

impl FromStr for PastArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(moment) = text.parse() {
            return Ok(Self::Moment(moment));
        }
        if let Ok(day) = text.parse() {
            return Ok(Self::Day(day));
        }
        duration(text).map(Self::Ago).map_err(|_| {
            "expected a time such as 2026-11-02T10:00:00Z, \"2026-11-02 22:00\" or 22:00, or an age such as 10m"
                .to_owned()
        })
    }
}

impl PastArg {
    /// Returns the moment. A date out of range becomes the end of the calendar.
    pub(crate) fn resolve(self, now: Timestamp, zone: &TimeZone) -> Timestamp {
        let moment = match self {
            Self::Moment(moment) => moment.last(now, zone),
            Self::Day(day) => zone.to_timestamp(day.to_datetime(Time::midnight())).ok(),
            Self::Ago(ago) => {
                let ago = SignedDuration::try_from(ago).unwrap_or(SignedDuration::MAX);
                Some(now.saturating_sub(ago).unwrap_or(Timestamp::MIN))
            }
        };
        moment.unwrap_or(Timestamp::MAX)
    }
}

/// A point in the past, or an event.
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
    /// Converts to the form of the control protocol.
    pub(crate) fn resolve(self, now: Timestamp, zone: &TimeZone) -> Since {
        match self {
            Self::Event(event) => Since::Event(event),
            Self::At(past) => Since::Time(past.resolve(now, zone)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let moment = text.parse::<MomentArg>().unwrap().today(now, &zone).unwrap();
            assert_eq!(moment.to_string(), expected, "{text}");
        }
        for wrong in [
            "",
            "23",
            "2300",
            "2027-01-05",
            "25:00",
            "18:61",
            "tomorrow",
            "2h",
            "2027-13-01 10:00",
            "18:00+02:00",
            "2027-01-05 08:00[Europe/Berlin]",
        ] {
            assert!(wrong.parse::<MomentArg>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_of_the_day_is_the_next_one() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for (text, now, expected) in [
            ("18:00", "2026-11-30T09:00:00Z", "2026-11-30T17:00:00Z"),
            ("18:00", "2026-11-30T17:00:00Z", "2026-12-01T17:00:00Z"),
            ("00:00", "2026-11-30T22:59:00Z", "2026-11-30T23:00:00Z"),
            ("07:30:15", "2026-12-31T20:00:00Z", "2027-01-01T06:30:15Z"),
            // Skipped that night: becomes an hour later.
            ("02:30", "2027-03-27T20:00:00Z", "2027-03-28T01:30:00Z"),
            // Occurs twice that night.
            ("02:30", "2026-10-24T20:00:00Z", "2026-10-25T00:30:00Z"),
            ("02:30", "2026-10-25T00:45:00Z", "2026-10-25T01:30:00Z"),
            ("02:30", "2026-10-25T01:45:00Z", "2026-10-26T01:30:00Z"),
            ("2026-12-01 08:00", "2026-11-30T09:00:00Z", "2026-12-01T07:00:00Z"),
            ("2020-01-01 08:00", "2026-11-30T09:00:00Z", "2020-01-01T07:00:00Z"),
        ] {
            let moment = text.parse::<MomentArg>().unwrap().next(now.parse().unwrap(), &zone).unwrap();
            assert_eq!(moment.to_string(), expected, "{text} after {now}");
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
    fn what_is_past_is_the_last_of_its_kind() {
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
