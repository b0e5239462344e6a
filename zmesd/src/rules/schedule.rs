//! When a rule applies: days of the week and times of day, in the local time of a time zone.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use super::AlarmTime;

/// How far [`Schedule::changes_after`] looks ahead: within this time, a weekly schedule always changes.
const DAYS_AHEAD: i64 = 8;
/// How many clock changes [`Schedule::changes_after`] considers: Morocco has four a year, two of them a month apart.
const CLOCK_CHANGES: usize = 2;

/// Days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days(u8);

impl Days {
    /// All seven days.
    pub const ALL: Self = Self(0x7F);

    /// From Monday, in the numbering of `jiff::civil::Weekday`.
    const WORDS: [&'static str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    /// Parses words (`mon`, …); fails with the first unknown one. No words mean all days.
    pub fn parse<'t>(words: impl IntoIterator<Item = &'t str>) -> Result<Self, &'t str> {
        let mut days = Self(0);
        for word in words {
            let known = Self::WORDS.iter().position(|known| *known == word);
            days.0 |= 1 << known.ok_or(word)?;
        }
        Ok(if days.0 == 0 { Self::ALL } else { days })
    }

    /// Returns the words of the days, from Monday.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let marked = Self::WORDS.iter().enumerate().filter(move |(bit, _)| self.0 >> bit & 1 == 1);
        marked.map(|(_, word)| *word)
    }

    fn has(self, date: Date) -> bool {
        self.0 >> date.weekday().to_monday_zero_offset() & 1 == 1
    }
}

impl fmt::Display for Days {
    /// Writes `mon-fri`, `sat,sun` or `daily`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ALL {
            return f.write_str("daily");
        }
        let (first, count) = (self.0.trailing_zeros(), self.0.count_ones());
        let words: Vec<_> = self.words().collect();
        match words.as_slice() {
            [from, .., to] if count > 2 && self.0 >> first == (1 << count) - 1 => write!(f, "{from}-{to}"),
            words => f.write_str(&words.join(",")),
        }
    }
}

/// A text is not a time of day, or not a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time of day from 00:00 to 24:00")]
pub struct InvalidTime;

/// A minute of the day. Midnight at the end of a day equals midnight at the beginning of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(Time);

impl TimeOfDay {
    pub const MIDNIGHT: Self = Self(Time::midnight());
}

impl FromStr for TimeOfDay {
    type Err = InvalidTime;

    /// Parses `22:00`, `6:30` or `24:00`.
    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let (hour, minute) = text.split_once(':').ok_or(InvalidTime)?;
        let digits = |part: &str, longest| {
            let plain = part.bytes().all(|byte| byte.is_ascii_digit());
            if plain && !part.is_empty() && part.len() <= longest { part.parse::<i8>().ok() } else { None }
        };
        let hour = digits(hour, 2).ok_or(InvalidTime)?;
        let minute = digits(minute, 2).filter(|_| minute.len() == 2).ok_or(InvalidTime)?;
        let hour = if (hour, minute) == (24, 0) { 0 } else { hour };
        Time::new(hour, minute, 0, 0).map(Self).map_err(|_| InvalidTime)
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

/// A part of the day, including `from` and excluding `to`. If `to` is not after `from`, it crosses midnight; if both
/// are equal, it lasts a whole day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub from: TimeOfDay,
    pub to: TimeOfDay,
}

impl Window {
    const DAY: Self = Self { from: TimeOfDay::MIDNIGHT, to: TimeOfDay::MIDNIGHT };

    /// Returns whether it covers this time on this date, if it begins on one of `days`.
    fn covers(&self, days: Days, date: Date, time: Time) -> bool {
        if self.from.0 < self.to.0 {
            return days.has(date) && self.from.0 <= time && time < self.to.0;
        }
        let began_today = time >= self.from.0 && days.has(date);
        let began_yesterday = time < self.to.0 && date.yesterday().is_ok_and(|yesterday| days.has(yesterday));
        began_today || began_yesterday
    }
}

impl FromStr for Window {
    type Err = InvalidTime;

    /// Parses `22:00-06:00`.
    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let (from, to) = text.split_once('-').ok_or(InvalidTime)?;
        Ok(Self { from: from.trim().parse()?, to: to.trim().parse()? })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As an end, midnight is written 24:00.
        if self.to == TimeOfDay::MIDNIGHT {
            return write!(f, "{}-24:00", self.from);
        }
        write!(f, "{}-{}", self.from, self.to)
    }
}

/// Days and times of a rule, in local time. On a day when clocks are set forward, a window is an hour shorter; when
/// they are set back, an hour longer.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Days on which a window may begin.
    pub days: Days,
    /// Empty means the whole day.
    pub windows: Vec<Window>,
    /// `None` means the machine's.
    pub zone: Option<TimeZone>,
}

impl Default for Schedule {
    /// Always.
    fn default() -> Self {
        Self { days: Days::ALL, windows: Vec::new(), zone: None }
    }
}

impl Schedule {
    /// Returns whether the schedule covers the time of an alarm.
    pub fn covers(&self, time: AlarmTime<'_>) -> bool {
        self.covers_civil(&self.local(time))
    }

    /// As [`Self::covers`], if many schedules are checked for one alarm.
    pub fn covers_at(&self, times: &mut LocalTimes<'_>) -> bool {
        *self == Self::default() || self.covers_civil(times.in_zone(self.zone.as_ref()))
    }

    /// Returns when the result of [`Self::covers`] changes next; `None` if never.
    ///
    /// That is at an end of a window, which occurs twice if clocks are set back, or at a clock change.
    pub fn changes_after(&self, time: AlarmTime<'_>) -> Option<Zoned> {
        let now = self.local(time);
        let covered = self.covers_civil(&now);
        let zone = now.time_zone();
        let limits: Vec<Time> = self
            .windows()
            .flat_map(|window| [window.from.0, window.to.0])
            .chain([Time::midnight()])
            .collect();
        let dates = (0..=DAYS_AHEAD).filter_map(|ahead| now.date().checked_add(ahead.days()).ok());
        let limits = dates.flat_map(|date| limits.iter().map(move |limit| date.to_datetime(*limit)));
        let limits = limits.map(|limit| zone.to_ambiguous_timestamp(limit));
        let clock_is_set =
            zone.following(now.timestamp()).map(|transition| transition.timestamp()).take(CLOCK_CHANGES);
        let mut moments: Vec<Timestamp> = limits
            .flat_map(|limit| [limit.earlier(), limit.later()])
            .flatten()
            .chain(clock_is_set)
            .filter(|moment| *moment > now.timestamp())
            .collect();
        moments.sort_unstable();
        let mut moments = moments.into_iter().map(|moment| moment.to_zoned(zone.clone()));
        moments.find(|moment| self.covers_civil(moment) != covered)
    }

    fn local(&self, time: AlarmTime<'_>) -> Zoned {
        time.at.to_zoned(self.zone.as_ref().unwrap_or(time.machine).clone())
    }

    fn windows(&self) -> impl Iterator<Item = &Window> {
        let all_day = self.windows.is_empty().then_some(&Window::DAY);
        self.windows.iter().chain(all_day)
    }

    fn covers_civil(&self, moment: &Zoned) -> bool {
        self.windows().any(|window| window.covers(self.days, moment.date(), moment.time()))
    }
}

/// The time of one alarm in the time zones of the rules; each is computed once.
#[derive(Debug)]
pub struct LocalTimes<'a> {
    time: AlarmTime<'a>,
    /// `None` is the machine's zone.
    known: Vec<(Option<TimeZone>, Zoned)>,
}

impl<'a> LocalTimes<'a> {
    pub fn new(time: AlarmTime<'a>) -> Self {
        Self { time, known: Vec::new() }
    }

    fn in_zone(&mut self, zone: Option<&TimeZone>) -> &Zoned {
        let place = self.known.iter().position(|(known, _)| known.as_ref() == zone);
        let place = place.unwrap_or_else(|| {
            let local = self.time.at.to_zoned(zone.unwrap_or(self.time.machine).clone());
            self.known.push((zone.cloned(), local));
            self.known.len() - 1
        });
        &self.known[place].1
    }
}

impl fmt::Display for Schedule {
    /// Writes `22:00-06:00, mon-fri (Europe/Berlin)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.windows.is_empty() && self.days == Days::ALL {
            return f.write_str("always");
        }
        let windows: Vec<String> = self.windows.iter().map(ToString::to_string).collect();
        write!(f, "{}", windows.join(" "))?;
        if self.windows.is_empty() {
            write!(f, "{}", self.days)?;
        } else if self.days != Days::ALL {
            write!(f, ", {}", self.days)?;
        }
        match self.zone.as_ref().and_then(TimeZone::iana_name) {
            Some(zone) => write!(f, " ({zone})"),
            None => Ok(()),
        }
    }
}
