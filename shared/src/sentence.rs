//! Sentences with times: programs get them as text, people see the times in their own time zone.

use std::fmt;

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use serde::{Deserialize, Serialize};

/// A sentence for people, in pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sentence(Vec<SentencePart>);

/// A piece of a sentence: text, or `{"time":"…"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum SentencePart {
    /// A time, shown to people in their own time zone.
    Time {
        /// The time, in whole seconds.
        time: Timestamp,
    },
    /// Literal text.
    Text(String),
}

impl Sentence {
    /// Returns the sentence of a view: `parts`, or `detail` if there are none.
    pub fn of(detail: &str, parts: &[SentencePart]) -> Self {
        if parts.is_empty() { Self::from(detail) } else { Self(parts.to_vec()) }
    }

    /// Adds text.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(SentencePart::Text(last)) => last.push_str(&text),
            Some(SentencePart::Time { .. }) | None => self.0.push(SentencePart::Text(text)),
        }
        self
    }

    /// Adds a time, truncated to whole seconds as in tables, so that both show the same second.
    #[must_use]
    pub fn time(mut self, at: Timestamp) -> Self {
        let cut = TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Floor);
        self.0.push(SentencePart::Time { time: at.round(cut).unwrap_or(at) });
        self
    }

    /// Adds another sentence.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        other.0.into_iter().fold(self, |sentence, part| match part {
            SentencePart::Text(text) => sentence.text(text),
            SentencePart::Time { time } => sentence.time(time),
        })
    }

    /// Formats the sentence; `told` formats its times.
    pub fn render(&self, told: impl Fn(Timestamp) -> String) -> String {
        let pieces = self.0.iter().map(|part| match part {
            SentencePart::Text(text) => text.clone(),
            SentencePart::Time { time } => told(*time),
        });
        pieces.collect()
    }

    /// Returns the form for views: the whole sentence as text, and its parts if they contain times.
    pub fn into_parts(self) -> (String, Vec<SentencePart>) {
        let detail = self.to_string();
        let timed = self.0.iter().any(|part| matches!(part, SentencePart::Time { .. }));
        (detail, if timed { self.0 } else { Vec::new() })
    }
}

impl From<&str> for Sentence {
    fn from(text: &str) -> Self {
        Self::default().text(text)
    }
}

impl From<String> for Sentence {
    fn from(text: String) -> Self {
        Self::default().text(text)
    }
}

/// Formats times for programs: RFC 3339.
impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            SentencePart::Text(text) => f.write_str(text),
            SentencePart::Time { time } => write!(f, "{time}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn since() -> Sentence {
        let at = "2026-11-02T09:00:00.987654321Z".parse().unwrap();
        Sentence::from("it has failed").text(" since ").time(at).text("").text(": no route")
    }

    #[test]
    fn programs_read_a_text_and_people_their_own_times() {
        assert_eq!(since().to_string(), "it has failed since 2026-11-02T09:00:00Z: no route");
        let local = since().render(|at| at.strftime("%H:%M").to_string());
        assert_eq!(local, "it has failed since 09:00: no route");
    }

    #[test]
    fn parts_are_there_only_where_there_are_times() {
        let (detail, parts) = since().into_parts();
        assert_eq!(
            serde_json::to_string(&parts).unwrap(),
            r#"["it has failed since ",{"time":"2026-11-02T09:00:00Z"},": no route"]"#
        );
        assert_eq!(Sentence::of(&detail, &parts), since());
        assert_eq!(Sentence::from("done").into_parts(), ("done".to_owned(), Vec::new()));
        assert_eq!(Sentence::of("done", &[]), Sentence::from("done"));
    }

    #[test]
    fn sentences_are_joined() {
        let joined = Sentence::from("push: ").join(since()).text("; and 1 other");
        assert_eq!(
            joined.to_string(),
            "push: it has failed since 2026-11-02T09:00:00Z: no route; and 1 other"
        );
        assert_eq!(joined.into_parts().1.len(), 3);
    }
}
