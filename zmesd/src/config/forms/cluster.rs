//! The values of `[cluster]`.

use super::{BASE_URL, Text, bounded};
use crate::config::problem::quotable;
use crate::config::section::Complaint;
use crate::config::shown::Shown;

/// Longest name of a node, and longest address, in characters: what the ledger takes.
const NAME_MAX: usize = 64;
const ADDRESS_MAX: usize = 255;

/// The name of a node, without white space; it may be empty.
pub(in crate::config) const NODE_NAME: Text<String> =
    Text { takes: "a name without spaces", read: node_name, show: |name| Shown::text(name) };

/// Where other nodes reach this one, without a slash at its end; `None` where the text is empty.
pub(in crate::config) const NODE_ADDRESS: Text<Option<String>> = Text {
    takes: "a URL such as \"https://nvr1.example.org:9000\"",
    read: node_address,
    show: |url| Shown::text(url.as_deref().unwrap_or_default()),
};

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

fn node_address(text: &str) -> Result<Option<String>, Complaint> {
    let Some(url) = (BASE_URL.read)(bounded(text)?)? else { return Ok(None) };
    at_most(&url, ADDRESS_MAX).map(Some)
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

    #[test]
    fn an_address_is_where_a_picture_can_be_asked_for() {
        let read = |text: &str| node_address(text).ok();
        assert_eq!(
            read("https://nvr1.example.org:9000/"),
            Some(Some("https://nvr1.example.org:9000".to_owned()))
        );
        assert_eq!(read("http://192.0.2.11:9000"), Some(Some("http://192.0.2.11:9000".to_owned())));
        assert_eq!(read(""), Some(None));
        for bad in ["nvr1", "ftp://nvr1", &format!("https://{}.org", "n".repeat(250))] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
