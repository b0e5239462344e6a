//! What the import has to know about the new file: the commented default file, and a check of values.

use std::fmt;

/// The new file before anything is filled in.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// The commented default file: comments first, then sections with each key on one line, `key = default`.
    pub defaults: String,
    /// Says whether a key accepts a value (section, key, value).
    pub check: fn(&str, &str, Proposal<'_>) -> Result<(), Objection>,
}

/// A value for a key.
#[derive(Debug, Clone, Copy)]
pub enum Proposal<'a> {
    /// `true` or `false`.
    Flag(bool),
    /// A string. May be a secret.
    Text(&'a str),
    /// An array of strings.
    List(&'a [String]),
}

impl fmt::Display for Proposal<'_> {
    /// Writes it as TOML on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::List(texts) => {
                let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
                write!(f, "[{}]", texts.join(", "))
            }
        }
    }
}

/// Writes a TOML basic string. It is a JSON string, but for U+007F, which TOML wants escaped.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

/// Why a value is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// What is wrong. May quote the value.
    pub message: String,
    /// What to do; `None`: use the default.
    pub hint: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Fill {
    pub(super) table: &'static str,
    pub(super) key: &'static str,
    /// Comments above it, each on one line.
    pub(super) comments: Vec<String>,
    /// The whole line: `key = value`.
    pub(super) line: String,
}

impl NewFile {
    pub(super) fn check(
        &self,
        table: &'static str,
        key: &'static str,
        value: Proposal<'_>,
    ) -> Result<(), Objection> {
        if self.default_of(table, key).is_none() {
            return Err(Objection { message: "there is no such key".to_owned(), hint: None });
        }
        (self.check)(table, key, value)
    }

    /// Returns the default of a key, as the file has it.
    pub(super) fn default_of(&self, table: &str, key: &str) -> Option<&str> {
        let here = |line: &DefaultLine<'_>| line.table == table && line.key == Some(key);
        self.lines().find(here).and_then(|line| Some(line.text.split_once(" = ")?.1))
    }

    /// Returns the file with another head and these values.
    pub(super) fn filled(&self, head: &str, fills: &[Fill]) -> String {
        let mut text = head.to_owned();
        for DefaultLine { text: line, table, key } in self.lines() {
            let fill = fills.iter().find(|fill| fill.table == table && Some(fill.key) == key);
            for comment in fill.map(|fill| fill.comments.as_slice()).unwrap_or_default() {
                text.extend(["# ", comment, "\n"]);
            }
            text.extend([fill.map_or(line, |fill| &fill.line), "\n"]);
        }
        text
    }

    /// Returns the lines behind the head, which ends with the first empty line.
    fn lines(&self) -> impl Iterator<Item = DefaultLine<'_>> {
        let body = self.defaults.lines().skip_while(|line| !line.is_empty());
        body.scan("", |table, text| {
            if text.starts_with('[') {
                *table = text.trim_matches(['[', ']']);
            }
            let key = text.split_once(" = ").map(|(key, _)| key).filter(|key| !key.starts_with('#'));
            Some(DefaultLine { text, table, key })
        })
    }
}

struct DefaultLine<'a> {
    text: &'a str,
    table: &'a str,
    key: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> NewFile {
        let defaults =
            "# Head.\n\n# About = this.\n[a]\n# Say x = 1.\nx = \"\"\ny = []\n\n[[a.b]]\nx = true\n";
        NewFile { defaults: defaults.to_owned(), check: |_, _, _| Ok(()) }
    }

    #[test]
    fn values_are_written_as_toml_on_one_line() {
        for text in ["", "plain", "with \"quotes\" and \\", "tab\tnew\nline\u{7f}\u{1b}", "ü€"] {
            let line = format!("key = {}", Proposal::Text(text));
            let table: toml::Table = line.parse().unwrap();
            assert_eq!((table["key"].as_str(), line.lines().count()), (Some(text), 1), "{line}");
        }
        let texts = ["a".to_owned(), "b\"".to_owned()];
        assert_eq!(Proposal::List(&texts).to_string(), r#"["a", "b\""]"#);
        assert_eq!(Proposal::Flag(true).to_string(), "true");
    }

    #[test]
    fn values_go_where_their_defaults_stood_and_all_else_stays() {
        let fill = |table, key, line: &str| Fill {
            table,
            key,
            comments: vec!["from a.ini:1".to_owned()],
            line: line.to_owned(),
        };
        let filled =
            file().filled("# New.\n", &[fill("a", "y", "y = [\"1\"]"), fill("a.b", "x", "x-file = \"f\"")]);
        assert_eq!(
            filled,
            "# New.\n\n# About = this.\n[a]\n# Say x = 1.\nx = \"\"\n# from a.ini:1\ny = [\"1\"]\n\n[[a.b]]\n\
             # from a.ini:1\nx-file = \"f\"\n"
        );
    }

    #[test]
    fn a_key_that_the_file_does_not_have_is_refused() {
        assert_eq!(file().default_of("a.b", "x"), Some("true"));
        assert!(file().check("a", "x", Proposal::Flag(true)).is_ok());
        assert!(file().check("a", "z", Proposal::Flag(true)).is_err());
    }
}
