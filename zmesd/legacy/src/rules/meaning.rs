//! What the conditions of an old rule mean: times, days, and the patterns that are lists of words.

use std::fmt;

use super::text;
use crate::report::Fate;
use crate::yaml::YamlNode;

/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// Most words of a pattern that are taken over.
const MAX_WORDS: usize = 64;
/// `time_format` where a rule has none.
const DEFAULT_FORMAT: &str = "%I:%M %p";
/// Formats of times that people write. Another one may mean something else.
const FORMATS: [&str; 6] = ["%I:%M %p", "%I:%M%p", "%I %p", "%H:%M", "%H:%M:%S", "%R"];

/// Why a rule is not taken over.
#[derive(Debug)]
pub(super) struct Untaken(Fate);

impl Untaken {
    /// Something is lost.
    pub(super) fn missing(why: String) -> Self {
        let instead = "write a [[rule]] yourself: docs/fewer-notifications.md".to_owned();
        Self(Fate::Missing { why, instead })
    }

    pub(super) fn needless(why: &str) -> Self {
        Self(Fate::Needless(why.to_owned()))
    }

    pub(super) fn fate(self) -> Fate {
        self.0
    }
}

/// A part of the day, in minutes since midnight, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OldWindow {
    from: u16,
    to: u16,
    /// The old server applied only the part after midnight.
    pub(super) over_midnight: bool,
}

impl OldWindow {
    /// Reads `from` and `to`; both belonged to the time.
    pub(super) fn of(rule: &YamlNode) -> Result<Option<Self>, Untaken> {
        let (from, to) = (text(rule, "from"), text(rule, "to"));
        if rule.get("from").is_none() && rule.get("to").is_none() {
            return Ok(None);
        }
        let format = Some(text(rule, "time_format")).filter(|format| !format.is_empty());
        if !FORMATS.contains(&format.unwrap_or(DEFAULT_FORMAT)) {
            return Err(Untaken::missing("its time_format is not known".to_owned()));
        }
        let (Some(from), Some(last)) = (minute(from), minute(to)) else {
            return Err(Untaken::missing("its times cannot be read".to_owned()));
        };
        Ok(Some(Self { from, to: last + 1, over_midnight: last < from }))
    }
}

impl fmt::Display for OldWindow {
    /// Writes `21:30-01:01`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, .. } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

/// Reads `9:30 pm`, `1 am`, `21:30` or `21:30:00` as minutes since midnight.
fn minute(text: &str) -> Option<u16> {
    let lower = text.trim().to_ascii_lowercase();
    let (clock, half) = match (lower.strip_suffix("am"), lower.strip_suffix("pm")) {
        (Some(clock), _) => (clock, Some(0)),
        (_, Some(clock)) => (clock, Some(12)),
        (None, None) => (lower.as_str(), None),
    };
    let mut parts = clock.trim().split(':');
    let number = |part: &str| {
        let digits = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse::<u16>().ok()).flatten()
    };
    let hour = number(parts.next()?)?;
    let minute = match (parts.next(), half) {
        (Some(part), _) => number(part)?,
        (None, Some(_)) => 0,
        (None, None) => return None,
    };
    let seconds = parts.next().map_or(Some(0), number)?;
    if parts.next().is_some() || minute > 59 || seconds > 59 {
        return None;
    }
    let hour = match half {
        Some(half) if (1..=12).contains(&hour) => hour % 12 + half,
        Some(_) => return None,
        None => hour,
    };
    Some(hour * 60 + minute).filter(|minute| *minute < DAY)
}

/// Reads `daysofweek`, which had only to contain the day's short name.
pub(super) fn days(rule: &YamlNode) -> Result<Vec<&'static str>, Untaken> {
    const DAYS: [(&str, &str); 7] = [
        ("Mon", "mon"),
        ("Tue", "tue"),
        ("Wed", "wed"),
        ("Thu", "thu"),
        ("Fri", "fri"),
        ("Sat", "sat"),
        ("Sun", "sun"),
    ];
    let Some(node) = rule.get("daysofweek") else { return Ok(Vec::new()) };
    let Some(text) = node.text() else {
        return Err(Untaken::missing("its daysofweek is not a text".to_owned()));
    };
    let days: Vec<_> = DAYS.iter().filter(|(name, _)| text.contains(name)).map(|(_, word)| *word).collect();
    match days.len() {
        0 if text.is_empty() => Ok(Vec::new()),
        0 => Err(Untaken::needless("it never applied: daysofweek names no day as Mon, Tue, …")),
        7 => Ok(Vec::new()),
        _ => Ok(days),
    }
}

/// `cause_has`, a pattern of Perl, as lists of words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CauseWords {
    Any,
    Has(Vec<String>),
    Lacks(Vec<String>),
}

impl CauseWords {
    pub(super) fn of(rule: &YamlNode) -> Result<Self, Untaken> {
        let Some(node) = rule.get("cause_has") else { return Ok(Self::Any) };
        let read = node.text().and_then(Self::read);
        read.ok_or_else(|| Untaken::missing("its cause_has is a pattern that zmesd does not have".to_owned()))
    }

    /// Reads `person`, `(person|car)`, `^.*person.*$` or `^(?!.*(plant|cat)).*$`.
    fn read(pattern: &str) -> Option<Self> {
        let pattern = pattern.trim();
        if ["", ".*", "^.*$"].contains(&pattern) {
            return Some(Self::Any);
        }
        if let Some(rest) = pattern.strip_prefix("^(?!.*") {
            let rest = [".*$", ".+$", ".*", "$", ""]
                .into_iter()
                .find_map(|end| rest.strip_suffix(end)?.strip_suffix(')'));
            let rest = rest?;
            return alternatives(rest.strip_suffix(".*").unwrap_or(rest)).map(Self::Lacks);
        }
        // An anchor means something only where nothing may stand before it.
        let inner = pattern.strip_prefix("^.*").or_else(|| pattern.strip_prefix(".*")).unwrap_or(pattern);
        let inner = inner.strip_suffix(".*$").or_else(|| inner.strip_suffix(".*")).unwrap_or(inner);
        alternatives(inner).map(Self::Has)
    }
}

/// Reads `a|b`, with parentheses around all of it or without; `None`: it is more than a list of words.
fn alternatives(pattern: &str) -> Option<Vec<String>> {
    let grouped = pattern.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let inner = grouped.map_or(pattern, |inner| inner.strip_prefix("?:").unwrap_or(inner));
    let plain = |char: char| char.is_alphanumeric() || " _:,-".contains(char);
    let words: Vec<_> = inner.split('|').map(str::to_owned).collect();
    let fits = words.len() <= MAX_WORDS
        && words.iter().all(|word| !word.trim().is_empty() && word.chars().all(plain));
    fits.then_some(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_read_as_people_wrote_them() {
        for (text, expected) in [
            ("9:30 pm", Some(21 * 60 + 30)),
            ("09:30 PM", Some(21 * 60 + 30)),
            ("1 am", Some(60)),
            ("12:00 am", Some(0)),
            ("12:30 pm", Some(12 * 60 + 30)),
            ("8:00am", Some(8 * 60)),
            ("21:30", Some(21 * 60 + 30)),
            ("23:59:59", Some(23 * 60 + 59)),
            ("24:00", None),
            ("13:00 pm", None),
            ("0:30 am", None),
            ("7", None),
            ("", None),
            ("+7:00", None),
            ("7:60", None),
            ("7:00:00:00", None),
        ] {
            assert_eq!(minute(text), expected, "{text}");
        }
    }

    #[test]
    fn patterns_of_words_are_lists_and_no_others() {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        for (pattern, expected) in [
            ("", Some(CauseWords::Any)),
            (".*", Some(CauseWords::Any)),
            ("person", Some(CauseWords::Has(words(&["person"])))),
            ("(person|car)", Some(CauseWords::Has(words(&["person", "car"])))),
            ("(?:person|car)", Some(CauseWords::Has(words(&["person", "car"])))),
            ("^.*(person|dog walker).*$", Some(CauseWords::Has(words(&["person", "dog walker"])))),
            (".*Motion: All.*", Some(CauseWords::Has(words(&["Motion: All"])))),
            ("^(?!.*(plant|cat|dog)).*$", Some(CauseWords::Lacks(words(&["plant", "cat", "dog"])))),
            ("^(?!.*person)", Some(CauseWords::Lacks(words(&["person"])))),
            ("^(?!.*(person).*).*$", Some(CauseWords::Lacks(words(&["person"])))),
            ("^person", None),
            ("person$", None),
            ("pers?on", None),
            ("(person|)", None),
            ("person|(car)", None),
            ("^(?!.*(a)).*b", None),
            ("(?!.*person)", None),
            ("\\bcar\\b", None),
            ("[ab]", None),
        ] {
            assert_eq!(CauseWords::read(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn the_end_of_a_time_belonged_to_it() {
        let window = |from, last: u16| OldWindow { from, to: last + 1, over_midnight: last < from };
        assert_eq!(window(21 * 60 + 30, 60).to_string(), "21:30-01:01");
        assert_eq!(window(0, 23 * 60 + 59).to_string(), "00:00-24:00");
        assert!(window(21 * 60, 60).over_midnight && !window(60, 60).over_midnight);
    }

    proptest! {
        #[test]
        fn any_text_is_a_time_of_the_day_or_none(text in "\\PC{0,12}") {
            prop_assert!(minute(&text).is_none_or(|minute| minute < DAY));
        }

        #[test]
        fn words_that_are_taken_stand_in_the_pattern(pattern in "[a-z|()^.*?!$: ]{0,24}") {
            if let Some(CauseWords::Has(words) | CauseWords::Lacks(words)) = CauseWords::read(&pattern) {
                prop_assert!(!words.is_empty() && words.iter().all(|word| pattern.contains(word.as_str())));
            }
        }
    }
}
