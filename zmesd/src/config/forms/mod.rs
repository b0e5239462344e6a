//! The kinds of values that keys take: each checks one value by itself and knows nothing of other keys or of files.

mod cluster;
mod labels;
mod mqtt;
mod network;
mod picture;
mod rules;
mod servers;
mod targets;
mod watchdog;

pub(super) use cluster::{NODE_ADDRESS, NODE_NAME, node_name};
pub(super) use labels::{LABEL_NAMES, LABEL_SOURCES};
pub(super) use mqtt::{BROKER_URL, CLIENT_ID, OPTIONAL_TOPIC, TOPIC};
pub(super) use network::SOCKET_PATH_MAX;
pub(super) use network::{
    GATEWAY, LISTENERS, Listing, METRICS_ADDRESS, NETWORKS, ORIGINS, PICTURE_URL, WEB_URL,
};
pub(super) use picture::{BASE_URL, PICTURE_NAMES};
pub(super) use rules::{
    CHANNELS, MONITOR_NAMES, RECEIVER_NAMES, RULE_NAME, TEXTS, WINDOWS, Weekdays, ZONE_NAME,
};
pub(super) use servers::{ServerChoice, ServerNumber};
pub(super) use targets::{
    BODY, CHAT, Expected, Headers, PHASES, SNOOZE_BUTTONS, TARGET_NAME, TEMPLATE, parsed,
};
pub(super) use watchdog::{PING_SUFFIX, WATCHDOG_RECEIVERS};

use std::fmt::{Debug, Display};
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use zmes_shared::duration;
use zmes_zoneminder::ZmVersion;

use super::problem::quotable;
use super::section::{Complaint, Form, Literal};
use super::shown::{HIDDEN, Shown};
use super::size;

/// Longest text, in bytes; names, paths and URLs are shorter.
const TEXT_MAX: usize = 4096;

/// The levels of the log, most severe first.
const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// `true` or `false`.
#[derive(Debug)]
pub(super) struct Flag;

impl Form for Flag {
    type Value = bool;

    fn read(&self, literal: Literal<'_>) -> Result<bool, Complaint> {
        let Literal::Flag(flag) = literal else {
            let quoted = matches!(literal, Literal::Text("true" | "false"));
            let mismatch = self.mismatch(literal);
            return Err(if quoted { mismatch.hint("remove the quotes") } else { mismatch });
        };
        Ok(flag)
    }

    fn show(&self, value: &Self::Value) -> Shown {
        Shown::toml(value)
    }

    fn describe(&self) -> String {
        "true or false".to_owned()
    }
}

/// A whole number in a range.
#[derive(Debug)]
pub(super) struct Number<T> {
    pub(super) min: T,
    pub(super) max: T,
}

impl<T: TryFrom<i64> + Copy + PartialOrd + Display + Debug + Sync> Form for Number<T> {
    type Value = T;

    fn read(&self, literal: Literal<'_>) -> Result<T, Complaint> {
        let Literal::Number(number) = literal else { return Err(self.mismatch(literal)) };
        let fitting = T::try_from(number).ok().filter(|number| (self.min..=self.max).contains(number));
        fitting.ok_or_else(|| out_of_range(&number.to_string(), self.min, self.max))
    }

    fn show(&self, value: &Self::Value) -> Shown {
        Shown::toml(value)
    }

    fn describe(&self) -> String {
        format!("a number from {} to {}", self.min, self.max)
    }
}

fn out_of_range(given: &str, min: impl Display, max: impl Display) -> Complaint {
    Complaint::new(format!("{given} is out of range: it must be from {min} to {max}"))
}

/// A duration in a range.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) min: Duration,
    pub(super) max: Duration,
}

impl Form for Span {
    type Value = Duration;

    fn read(&self, literal: Literal<'_>) -> Result<Duration, Complaint> {
        let text = with_unit(self, literal, &["s", "ms"])?;
        let span = duration::parse(text)
            .map_err(|error| Complaint::new(format!("`{}` is {error}", quotable(text))))?;
        if (self.min..=self.max).contains(&span) {
            return Ok(span);
        }
        Err(out_of_range(&quotable(text), duration::format(self.min), duration::format(self.max)))
    }

    fn show(&self, value: &Self::Value) -> Shown {
        Shown::text(&duration::format(*value))
    }

    fn describe(&self) -> String {
        format!("a duration from {} to {}", duration::format(self.min), duration::format(self.max))
    }
}

/// A size in a range, in bytes.
#[derive(Debug)]
pub(super) struct Size {
    pub(super) min: u64,
    pub(super) max: u64,
}

impl Form for Size {
    type Value = u64;

    fn read(&self, literal: Literal<'_>) -> Result<u64, Complaint> {
        let text = with_unit(self, literal, &["MiB"])?;
        let size = size::parse(text).map_err(|error| Complaint::new(error.to_string()))?;
        if (self.min..=self.max).contains(&size) {
            return Ok(size);
        }
        Err(out_of_range(&quotable(text), size::format(self.min), size::format(self.max)))
    }

    fn show(&self, value: &Self::Value) -> Shown {
        Shown::text(&size::format(*value))
    }

    fn describe(&self) -> String {
        format!("a size from {} to {}", size::format(self.min), size::format(self.max))
    }
}

/// Parses a text with a unit; a bare number gets a hint how to add one.
fn with_unit<'t>(form: &impl Form, literal: Literal<'t>, units: &[&str]) -> Result<&'t str, Complaint> {
    form.text(literal).map_err(|complaint| match literal {
        Literal::Number(number) => {
            let examples: Vec<_> = units.iter().map(|unit| format!("\"{number}{unit}\"")).collect();
            complaint.hint(format!("write the unit, in quotes: {}", examples.join(" or ")))
        }
        Literal::Flag(_) | Literal::Text(_) | Literal::List(_) | Literal::Pairs(_) | Literal::Other(_) => {
            complaint
        }
    })
}

/// A string with its own way of being read and shown.
#[derive(Debug)]
pub(super) struct Text<T: 'static> {
    takes: &'static str,
    read: fn(&str) -> Result<T, Complaint>,
    show: fn(&T) -> Shown,
}

impl<T: Debug> Form for Text<T> {
    type Value = T;

    fn read(&self, literal: Literal<'_>) -> Result<T, Complaint> {
        (self.read)(self.text(literal)?)
    }

    fn show(&self, value: &T) -> Shown {
        (self.show)(value)
    }

    fn describe(&self) -> String {
        self.takes.to_owned()
    }
}

/// Any text.
pub(super) const WORDS: Text<String> =
    Text { takes: "a string", read: |text| bounded(text).map(str::to_owned), show: |text| Shown::text(text) };

/// A path; `None` if the text is empty.
pub(super) const PATH_NAME: Text<Option<PathBuf>> =
    Text { takes: "a path", read: path_name, show: |path| Shown::path(path.as_deref()) };

fn path_name(text: &str) -> Result<Option<PathBuf>, Complaint> {
    let text = bounded(text)?;
    if text.starts_with("~/") {
        let hint = "only shells expand `~`: write the full path";
        return Err(Complaint::new(format!("`{}` starts with `~`", quotable(text))).hint(hint));
    }
    Ok(Some(text).filter(|text| !text.is_empty()).map(PathBuf::from))
}

/// Where a secret comes from.
#[derive(Debug, Clone)]
pub(super) enum SecretSource {
    Unset,
    /// From `zmesd.toml` itself.
    Inline(SecretString),
    File(PathBuf),
}

/// A secret, or with `…-file` the file that holds it. Its value is never quoted.
#[derive(Debug)]
pub(super) struct Secret;

impl Form for Secret {
    type Value = SecretSource;

    const BY_FILE: bool = true;

    fn read(&self, literal: Literal<'_>) -> Result<SecretSource, Complaint> {
        match self.text(literal)? {
            "" => Ok(SecretSource::Unset),
            text => bounded(text).map(|text| SecretSource::Inline(text.into())),
        }
    }

    fn show(&self, value: &Self::Value) -> Shown {
        match value {
            SecretSource::Unset => Shown::secret(None),
            SecretSource::Inline(secret) => Shown::secret(Some(secret)),
            // Not read: what it belongs to is not enabled.
            SecretSource::File(_) => Shown::text(HIDDEN),
        }
    }

    fn describe(&self) -> String {
        "a string".to_owned()
    }

    fn by_file(&self, file: PathBuf) -> Option<SecretSource> {
        Some(SecretSource::File(file))
    }
}

/// One of a few words.
#[derive(Debug)]
pub(super) struct Choice<T: 'static>(pub(super) &'static [(&'static str, T)]);

impl<T: Debug + Copy + PartialEq + Sync> Form for Choice<T> {
    type Value = T;

    fn read(&self, literal: Literal<'_>) -> Result<T, Complaint> {
        let text = self.text(literal)?;
        let known = self.0.iter().find(|(word, _)| *word == text);
        known
            .map(|(_, value)| *value)
            .ok_or_else(|| not_offered(text, &Form::describe(self), self.0.iter().map(|(word, _)| *word)))
    }

    fn show(&self, value: &Self::Value) -> Shown {
        let word = self.0.iter().find(|(_, known)| known == value).map(|(word, _)| *word);
        Shown::text(word.unwrap_or_default())
    }

    fn describe(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        words.join(" or ")
    }
}

fn not_offered<'w>(text: &str, takes: &str, words: impl IntoIterator<Item = &'w str>) -> Complaint {
    Complaint::new(format!("must be {takes}, but is `{}`{}", quotable(text), nearest(text, words)))
}

/// `auto`, or a version of ZoneMinder.
pub(super) const ZONEMINDER_VERSION: Text<Option<ZmVersion>> = Text {
    takes: "\"auto\" or a version such as \"1.36.33\"",
    read: |text| match text {
        "auto" | "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            Complaint::new(format!("`{}` is not a ZoneMinder version such as 1.36.33", quotable(text)))
        }),
    },
    show: |version| version.map_or_else(|| Shown::text("auto"), |version| Shown::text(&version.to_string())),
};

/// The version announced to apps: numbers with dots, at least 6.0.
pub(super) const APP_VERSION: Text<String> = Text {
    takes: "a version of at least \"6.0\", such as \"7.0.0\"",
    read: app_version,
    show: |version| Shown::text(version),
};

fn app_version(text: &str) -> Result<String, Complaint> {
    let numbers: Result<Vec<u16>, _> = text.split('.').map(str::parse).collect();
    match numbers.as_deref() {
        Ok([major, _, ..]) if *major >= 6 && text.len() <= 16 => Ok(text.to_owned()),
        Ok([_, _, ..]) => Err(Complaint::new(format!("`{}` is too old", quotable(text)))
            .hint("apps expect at least 6.0 and warn or refuse otherwise")),
        Ok(_) | Err(_) => Err(Complaint::new(format!("`{}` is not a version", quotable(text)))),
    }
}

/// A log level, or directives such as `info,zmesd::ws=debug`.
pub(super) const LOG_DIRECTIVES: Text<String> = Text {
    takes: "a level (error, warn, info, debug, trace, off) or directives such as \"info,zmesd::ws=debug\"",
    read: |text| check_log_level(text).map(|()| text.to_owned()),
    show: |directives| Shown::text(directives),
};

/// Checks a level or directives. The log filter itself takes a misspelt level for the name of a module.
pub(super) fn check_log_level(text: &str) -> Result<(), Complaint> {
    for directive in bounded(text)?.split(',').map(str::trim) {
        let (target, level) = directive.rsplit_once('=').map_or((None, directive), |(t, l)| (Some(t), l));
        if !LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
            let meant = nearest(level, LEVELS);
            return Err(Complaint::new(format!("`{}` is not a log level{meant}", quotable(level))));
        }
        let module = |target: &str| {
            !target.is_empty() && target.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
        };
        if let Some(target) = target.filter(|target| !module(target)) {
            return Err(Complaint::new(format!("`{}` is not the name of a module", quotable(target))));
        }
    }
    Ok(())
}

/// Returns `, did you mean …?` where one of the words is near.
pub(super) fn nearest<'w>(text: &str, words: impl IntoIterator<Item = &'w str>) -> String {
    let text = text.trim().to_ascii_lowercase().replace('_', "-");
    let near = |word: &str| {
        let distance = strsim::damerau_levenshtein(&text, word);
        let tolerated = if word.chars().count() < 5 { 1 } else { 2 };
        // A word that contains the other is near, however long the rest: `cert` and `certificate`.
        let contained = text.len() >= 3 && (word.contains(&text) || (text.contains(word) && word.len() >= 3));
        (distance <= tolerated || contained).then_some(distance)
    };
    let best = words.into_iter().filter_map(|word| near(word).map(|distance| (distance, word))).min();
    best.map(|(_, word)| format!(", did you mean `{word}`?")).unwrap_or_default()
}

/// Refuses text that is too long or holds control characters.
fn bounded(text: &str) -> Result<&str, Complaint> {
    if text.len() > TEXT_MAX {
        return Err(Complaint::new(format!("is longer than {TEXT_MAX} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(Complaint::new("contains a control character").hint("remove it"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
