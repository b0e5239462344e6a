//! Values as text: as TOML for people, secrets hidden, and exactly where more is compared than shown.

use std::fmt::Write;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

/// Replaces a secret in output.
pub(super) const HIDDEN: &str = "[hidden]";

#[derive(Debug, Clone)]
pub struct Shown {
    /// As TOML, secrets hidden.
    pub(super) toml: String,
    /// The value to compare, if it is more than the shown one.
    exact: Option<SecretString>,
}

impl Shown {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "numbers and fresh texts: a reference at each call says nothing"
    )]
    pub(super) fn toml(toml: impl ToString) -> Self {
        Self { toml: toml.to_string(), exact: None }
    }

    pub(super) fn text(text: &str) -> Self {
        Self::toml(toml_string(text))
    }

    pub(super) fn path(path: Option<&Path>) -> Self {
        Self::text(&path.map(Path::to_string_lossy).unwrap_or_default())
    }

    pub(super) fn list<T: ToString>(list: &[T]) -> Self {
        let texts: Vec<_> = list.iter().map(ToString::to_string).collect();
        Self::toml(toml_list(&texts))
    }

    pub(super) fn secret(secret: Option<&SecretString>) -> Self {
        secret.map_or_else(|| Self::text(""), |secret| Self::text(HIDDEN).exactly(secret.expose_secret()))
    }

    /// Compares `exact` instead of the shown value.
    pub(super) fn exactly(self, exact: &str) -> Self {
        Self { exact: Some(exact.into()), ..self }
    }

    /// Says whether two values are the same, secrets included.
    pub(super) fn same(&self, other: &Self) -> bool {
        let exact = |shown: &Self| {
            shown.exact.as_ref().map_or(shown.toml.clone(), |exact| exact.expose_secret().to_owned())
        };
        exact(self) == exact(other)
    }
}

pub(crate) fn toml_string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            character if character.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(character));
            }
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

pub(super) fn toml_list<T: AsRef<str>>(texts: &[T]) -> String {
    let quoted: Vec<_> = texts.iter().map(|text| toml_string(text.as_ref())).collect();
    format!("[{}]", quoted.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_compared_and_not_shown() {
        let (one, other) = (SecretString::from("hunter2"), SecretString::from("hunter3"));
        let shown = Shown::secret(Some(&one));
        assert_eq!(shown.toml, "\"[hidden]\"");
        assert!(!format!("{shown:?}").contains("hunter2"));
        assert!(shown.same(&Shown::secret(Some(&one))) && !shown.same(&Shown::secret(Some(&other))));
        assert!(!shown.same(&Shown::secret(None)));
    }
}
