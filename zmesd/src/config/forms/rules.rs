//! The values of `[[rule]]`.

use jiff::tz::TimeZone;

use super::{Listing, Text, bounded};
use crate::config::problem::quotable;
use crate::config::section::{Complaint, Form, Literal};
use crate::config::shown::Shown;
use crate::rules::{Channel, Days, MonitorName, ReceiverName, Window};

/// Longest name of a rule, in characters.
const NAME_MAX: usize = 32;
/// Most entries of one list.
const ENTRIES_MAX: usize = 256;

const NAMES: &str = "a name of 1 to 32 characters from a-z, 0-9 and -, the first one a letter or digit";

/// The name of a rule; empty where the entry is still to be filled in.
pub(in crate::config) const RULE_NAME: Text<String> =
    Text { takes: NAMES, read: rule_name, show: |name| Shown::text(name) };

fn rule_name(text: &str) -> Result<String, Complaint> {
    let plain = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let fits = text.len() <= NAME_MAX
        && text.chars().all(|character| plain(character) || character == '-')
        && !text.starts_with('-');
    if fits {
        return Ok(text.to_owned());
    }
    Err(Complaint::new(format!("must be {NAMES}, but is `{}`", quotable(text))))
}

pub(in crate::config) const MONITOR_NAMES: Listing<MonitorName> = Listing {
    takes: "a list of names or ids of monitors",
    read: |texts| entries(texts, |text| Ok(MonitorName::parse(text))),
};

pub(in crate::config) const RECEIVER_NAMES: Listing<ReceiverName> = Listing {
    takes: "a list of users, handles of tokens or targets, \"ios\", \"android\" or \"target\"",
    read: |texts| entries(texts, |text| Ok(ReceiverName::parse(text))),
};

pub(in crate::config) const TEXTS: Listing<String> =
    Listing { takes: "a list of strings", read: |texts| entries(texts, |text| Ok(text.to_owned())) };

pub(in crate::config) const CHANNELS: Listing<Channel> = Listing {
    takes: "a list of \"push\", \"websocket\" and \"mqtt\"",
    read: |texts| entries(texts, channel),
};

fn channel(text: &str) -> Result<Channel, Complaint> {
    let unknown = || Complaint::new(format!("`{}` is not a channel", quotable(text)));
    Channel::parse(text).ok_or_else(|| unknown().hint("write \"push\", \"websocket\" or \"mqtt\""))
}

pub(in crate::config) const WINDOWS: Listing<Window> =
    Listing { takes: "a list of times such as \"22:00-06:00\"", read: |texts| entries(texts, window) };

fn window(text: &str) -> Result<Window, Complaint> {
    text.parse().map_err(|_| {
        Complaint::new(format!("`{}` is not a time of the day", quotable(text)))
            .hint("write when it begins and ends, from 00:00 to 24:00: \"22:00-06:00\"")
    })
}

pub(super) fn entries<T>(
    texts: &[&str],
    read: impl Fn(&str) -> Result<T, Complaint>,
) -> Result<Vec<T>, Complaint> {
    if texts.len() > ENTRIES_MAX {
        return Err(Complaint::new(format!("has {} entries: the limit is {ENTRIES_MAX}", texts.len())));
    }
    let entry = |text: &&str| match bounded(text)? {
        "" => Err(Complaint::new("has an empty entry").hint("an empty list, [], is no condition")),
        text => read(text),
    };
    texts.iter().map(entry).collect()
}

/// Days of the week; all where the list is empty.
#[derive(Debug)]
pub(in crate::config) struct Weekdays;

impl Form for Weekdays {
    type Value = Days;

    fn read(&self, literal: Literal<'_>) -> Result<Days, Complaint> {
        let Literal::List(texts) = literal else { return Err(self.mismatch(literal)) };
        Days::parse(texts.iter().copied()).map_err(|text| {
            Complaint::new(format!("`{}` is not a day", quotable(text)))
                .hint("write mon, tue, wed, thu, fri, sat or sun")
        })
    }

    fn describe(&self) -> String {
        "a list of days: \"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"".to_owned()
    }

    fn show(&self, value: &Days) -> Shown {
        let words: Vec<_> = if *value == Days::ALL { Vec::new() } else { value.words().collect() };
        Shown::list(&words)
    }
}

/// A time zone by its IANA name; `None`: the machine's.
pub(in crate::config) const ZONE_NAME: Text<Option<TimeZone>> = Text {
    takes: "the name of a time zone such as \"Europe/Berlin\"",
    read: zone_name,
    show: |zone| Shown::text(zone.as_ref().and_then(TimeZone::iana_name).unwrap_or_default()),
};

fn zone_name(text: &str) -> Result<Option<TimeZone>, Complaint> {
    if text.is_empty() {
        return Ok(None);
    }
    TimeZone::get(text).map(Some).map_err(|_| {
        Complaint::new(format!("`{}` is not a time zone that this machine knows", quotable(text)))
            .hint("write a name such as \"Europe/Berlin\" (`timedatectl list-timezones`); the names come with the package tzdata")
    })
}
