//! The values of `[cluster]`.

use super::{Text, bounded};
use crate::config::problem::quotable;
use crate::config::section::Complaint;
use crate::config::shown::Shown;

/// Longest name of a node, and longest address, in characters: what the ledger takes.
const NAME_MAX: usize = 64;
const ADDRESS_MAX: usize = 255;

/// The name of a node, without white space; it may be empty.
pub(in crate::config) const NODE_NAME: Text<String> =
    Text { takes: "a name without spaces", read: node_name, show: |name| Shown::text(name) };

/// One line of text.
pub(in crate::config) const PLAIN_WORDS: Text<String> =
    Text { takes: "a string", read: plain_words, show: |text| Shown::text(text) };

pub(in crate::config) fn node_name(text: &str) -> Result<String, Complaint> {
    let text = bounded(text)?;
    if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return Err(Complaint::new(format!("`{}` has spaces", quotable(text)))
            .hint("write a name such as \"nvr1\": it is typed in commands"));
    }
    if text.starts_with('-') {
        return Err(Complaint::new(format!("`{}` begins with `-`", quotable(text)))
            .hint("commands would take it for an option: write a name such as \"nvr1\""));
    }
    at_most(text, NAME_MAX)
}

fn plain_words(text: &str) -> Result<String, Complaint> {
    let text = bounded(text)?;
    if text.chars().any(char::is_control) {
        return Err(Complaint::new("has control characters").hint("write one line of text"));
    }
    at_most(text, ADDRESS_MAX)
}

fn at_most(text: &str, most: usize) -> Result<String, Complaint> {
    if text.chars().count() > most {
        return Err(Complaint::new(format!("has more than {most} characters")).hint("shorten it"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_node_can_be_typed() {
        for good in ["", "nvr1", "garage.example.org", "Küche"] {
            assert_eq!(node_name(good).ok().as_deref(), Some(good));
        }
        for bad in ["a b", "-x", "a\nb", &"n".repeat(65)] {
            assert!(node_name(bad).is_err(), "{bad}");
        }
    }
}
