//! The values of `[[rule]]`.

use std::fmt::{Debug, Display};

use jiff::tz::TimeZone;

use super::bounded;
use crate::config::problem::quotable;
use crate::config::section::{Complaint, Form, Literal};
use crate::config::shown::Shown;
use crate::rules::{Channel, Days, MonitorName, ReceiverName, TimeOfDay, Window};

/// Longest name of a rule, in characters.
const NAME_MAX: usize = 32;
/// Most entries of one list.
const ENTRIES_MAX: usize = 256;

/// The name of a rule; empty where the entry is still to be filled in.
#[derive(Debug)]
pub(in crate::config) struct RuleName;

impl Form for RuleName {
    type Value = String;

    fn read(&self, literal: Literal<'_>) -> Result<String, Complaint> {
        let Literal::Text(text) = literal else { return Err(self.mismatch(literal)) };
        let plain = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
        let fits = text.len() <= NAME_MAX
            && text.chars().all(|character| plain(character) || character == '-')
            && !text.starts_with('-');
        if fits { Ok(text.to_owned()) } else { Err(self.mismatch(literal)) }
    }

    fn describe(&self) -> String {
        format!(
            "a name of at most {NAME_MAX} characters from a-z, 0-9 and -, beginning with a letter or digit"
        )
    }

    fn show(&self, value: &String) -> Shown {
        Shown::text(value)
    }

    fn mismatch(&self, literal: Literal<'_>) -> Complaint {
        let found = if let Literal::Text(text) = literal {
            format!("`{}`", quotable(text))
        } else {
            literal.what().to_owned()
        };
        Complaint::new(format!("must be {}, but is {found}", Form::describe(self)))
    }
}

/// One entry of a list.
pub(in crate::config) trait Entry: Debug + Display + Clone + Sync + Sized {
    /// What a list of them is: "a list of days".
    const LIST: &'static str;

    /// Reads one; says what is wrong with it.
    fn entry(text: &str) -> Result<Self, Complaint>;
}

/// A list; empty where there is no condition.
#[derive(Debug)]
pub(in crate::config) struct Entries<T>(std::marker::PhantomData<fn() -> T>);

impl<T> Entries<T> {
    pub(in crate::config) const NEW: Self = Self(std::marker::PhantomData);
}

impl<T: Entry> Form for Entries<T> {
    type Value = Vec<T>;

    fn read(&self, literal: Literal<'_>) -> Result<Vec<T>, Complaint> {
        let texts = match literal {
            Literal::List(texts) => texts,
            Literal::Text(text) => {
                return Err(self.mismatch(literal).hint(format!("write [\"{}\"]", quotable(text))));
            }
            Literal::Flag(_) | Literal::Number(_) | Literal::Other(_) => return Err(self.mismatch(literal)),
        };
        if texts.len() > ENTRIES_MAX {
            return Err(Complaint::new(format!("has {} entries: the limit is {ENTRIES_MAX}", texts.len())));
        }
        texts.iter().map(|text| bounded(text).and_then(T::entry)).collect()
    }

    fn describe(&self) -> String {
        T::LIST.to_owned()
    }

    fn show(&self, value: &Vec<T>) -> Shown {
        Shown::list(value)
    }
}

fn no_empty(text: &str) -> Result<&str, Complaint> {
    if text.trim().is_empty() { Err(Complaint::new("has an empty entry")) } else { Ok(text) }
}

impl Entry for MonitorName {
    const LIST: &'static str = "a list of names or ids of monitors";

    fn entry(text: &str) -> Result<Self, Complaint> {
        no_empty(text).map(Self::parse)
    }
}

impl Entry for ReceiverName {
    const LIST: &'static str = "a list of users, handles of tokens, \"ios\" or \"android\"";

    fn entry(text: &str) -> Result<Self, Complaint> {
        no_empty(text).map(Self::parse)
    }
}

impl Entry for String {
    const LIST: &'static str = "a list of strings";

    fn entry(text: &str) -> Result<Self, Complaint> {
        no_empty(text).map(str::to_owned)
    }
}

impl Entry for Channel {
    const LIST: &'static str = "a list of \"push\" and \"websocket\"";

    fn entry(text: &str) -> Result<Self, Complaint> {
        Self::parse(text).ok_or_else(|| Complaint::new(format!("`{}` is not a channel", quotable(text))))
    }
}

impl Entry for Window {
    const LIST: &'static str = "a list of times such as \"22:00-06:00\"";

    fn entry(text: &str) -> Result<Self, Complaint> {
        text.parse().map_err(|_| {
            let example = TimeOfDay::MIDNIGHT;
            Complaint::new(format!("`{}` is not a time such as \"22:00-06:00\"", quotable(text)))
                .hint(format!("write from and to as hours and minutes, from {example} to 24:00"))
        })
    }
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
                .hint("write mon, tue, wed, thu, fri, sat, sun")
        })
    }

    fn describe(&self) -> String {
        "a list of days: \"mon\", \"tue\", …".to_owned()
    }

    fn show(&self, value: &Days) -> Shown {
        let words: Vec<_> = if *value == Days::ALL { Vec::new() } else { value.words().collect() };
        Shown::list(&words)
    }
}

/// A time zone by its IANA name; `None`: the machine's.
#[derive(Debug)]
pub(in crate::config) struct ZoneName;

impl Form for ZoneName {
    type Value = Option<TimeZone>;

    fn read(&self, literal: Literal<'_>) -> Result<Option<TimeZone>, Complaint> {
        let Literal::Text(text) = literal else { return Err(self.mismatch(literal)) };
        if text.is_empty() {
            return Ok(None);
        }
        let unknown = || {
            Complaint::new(format!("`{}` is not a time zone that this machine knows", quotable(text)))
                .hint("write a name such as \"Europe/Berlin\" (`timedatectl list-timezones`); Debian's package is tzdata")
        };
        TimeZone::get(text).map(Some).map_err(|_| unknown())
    }

    fn describe(&self) -> String {
        "the name of a time zone such as \"Europe/Berlin\"".to_owned()
    }

    fn show(&self, value: &Option<TimeZone>) -> Shown {
        Shown::text(value.as_ref().and_then(TimeZone::iana_name).unwrap_or_default())
    }
}
