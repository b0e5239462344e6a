//! Labels: objects detected in the pictures of an event.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Maximum number of labels of one event.
pub const MAX_LABELS: usize = 16;
/// Maximum length of a label's name in characters.
pub const LABEL_MAX: usize = 40;

/// One detected object: a person, with 95 % confidence.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Label {
    /// Its class, in the words of the detection: `person`.
    pub name: String,
    /// How sure the detection is, in percent; absent if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<u8>,
}

impl Label {
    /// Returns a label with this name, trimmed. `None` if the name is empty, too long, or has characters that labels
    /// cannot have. A confidence above 100 is ignored.
    pub fn new(name: &str, confidence: Option<u32>) -> Option<Self> {
        let name = name.trim();
        let fits = |character: char| character.is_alphanumeric() || " _-:".contains(character);
        let count = name.chars().take(LABEL_MAX + 1).count();
        if !(1..=LABEL_MAX).contains(&count)
            || !name.chars().all(fits)
            || !name.chars().any(char::is_alphanumeric)
        {
            return None;
        }
        let confidence = confidence.and_then(|percent| u8::try_from(percent).ok());
        Some(Self { name: name.to_owned(), confidence: confidence.filter(|percent| *percent <= 100) })
    }

    /// Returns whether the label has this name, ignoring case.
    pub fn is_called(&self, name: &str) -> bool {
        if self.name.is_ascii() && name.is_ascii() {
            return self.name.eq_ignore_ascii_case(name);
        }
        self.name.to_lowercase() == name.to_lowercase()
    }

    /// Adds it to labels with distinct names. If the name exists, the higher confidence stays. Returns whether anything
    /// changed: beyond [`MAX_LABELS`] nothing is added.
    pub fn merge_into(self, labels: &mut Vec<Self>) -> bool {
        if let Some(known) = labels.iter_mut().find(|known| known.is_called(&self.name)) {
            let higher = self.confidence > known.confidence;
            if higher {
                known.confidence = self.confidence;
            }
            return higher;
        }
        let room = labels.len() < MAX_LABELS;
        if room {
            labels.push(self);
        }
        room
    }

    /// Returns labels for people: `person 95 %, car`.
    pub fn listed(labels: &[Self]) -> String {
        labels.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.confidence {
            Some(percent) => write!(f, "{} {percent} %", self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(name: &str, confidence: Option<u32>) -> Label {
        Label::new(name, confidence).unwrap()
    }

    #[test]
    fn names_are_bounded_and_plain() {
        assert_eq!(label(" traffic light ", Some(80)).to_string(), "traffic light 80 %");
        assert_eq!(label("José", Some(101)).confidence, None);
        assert_eq!(label("face:amy", None).to_string(), "face:amy");
        for name in ["", "  ", ":::", "a\nb", "per\u{202e}son", "<b>", "\u{1b}[31m", &"x".repeat(41)] {
            assert_eq!(Label::new(name, None), None, "{name:?}");
        }
        assert!(Label::new(&"ä".repeat(40), None).is_some());
    }

    #[test]
    fn the_highest_confidence_of_a_name_stays() {
        let mut labels = Vec::new();
        assert!(label("person", None).merge_into(&mut labels));
        assert!(label("Person", Some(60)).merge_into(&mut labels));
        assert!(!label("person", Some(40)).merge_into(&mut labels));
        assert!(!label("person", None).merge_into(&mut labels));
        assert!(label("car", None).merge_into(&mut labels));
        assert_eq!(Label::listed(&labels), "person 60 %, car");
        for number in 0..20 {
            label(&format!("thing {number}"), None).merge_into(&mut labels);
        }
        assert_eq!(labels.len(), MAX_LABELS);
    }

    #[test]
    fn the_json_has_a_confidence_only_where_it_is_known() {
        let json = serde_json::to_string(&[label("person", Some(95)), label("car", None)]).unwrap();
        assert_eq!(json, r#"[{"name":"person","confidence":95},{"name":"car"}]"#);
    }
}
