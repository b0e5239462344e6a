//! Reads a parsed document by the table of keys, and reports unknown keys and values of the wrong kind.
//!
//! Reading goes on after a problem: it is added to the list with its line, and the default is used.

use std::borrow::Cow;
use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::SECTIONS;
use super::forms::{PATH_NAME, nearest};
use super::problem::{KeyPlace, Problems, quotable};
use super::section::{Complaint, Form, Literal, Section};

/// Reads one document.
pub(super) struct Reader<'d> {
    /// Offsets of the line feeds.
    line_ends: Vec<usize>,
    /// Lines that are not TOML: one problem per line is enough.
    broken_lines: BTreeSet<usize>,
    problems: &'d mut Problems,
}

impl<'d> Reader<'d> {
    /// Starts with what the parser complained of.
    pub(super) fn new(text: &str, errors: &[toml::de::Error], problems: &'d mut Problems) -> Self {
        let line_ends = text.match_indices('\n').map(|(offset, _)| offset).collect();
        let mut reader = Self { line_ends, broken_lines: BTreeSet::new(), problems };
        for error in errors {
            let line = error.span().map(|span| reader.line(span.start));
            // Further errors on the same line mostly follow from the first.
            if line.is_none_or(|line| reader.broken_lines.insert(line)) {
                let message = format!("not TOML: {}", quotable(error.message()));
                let hint = "put strings and durations in quotes; `zmesd default-config` prints every key with an example";
                reader.problems.push_whole(line, message, hint.to_owned());
            }
        }
        reader
    }

    /// Returns the line of a byte, from 1.
    fn line(&self, offset: usize) -> usize {
        1 + self.line_ends.partition_point(|end| *end < offset)
    }

    /// Returns the table of that dotted name, if the document has it.
    pub(super) fn table<'t>(root: &'t DeTable<'t>, path: &str) -> Option<&'t DeTable<'t>> {
        let mut table = root;
        for name in path.split('.') {
            let (_, value) = find(table, name)?;
            let DeValue::Table(inner) = value.get_ref() else { return None };
            table = inner;
        }
        Some(table)
    }

    /// Returns the tables of that dotted name, with their names: `path[0]`, `path[1]`, …
    pub(super) fn tables<'t>(root: &'t DeTable<'t>, path: &str) -> Vec<(&'t DeTable<'t>, String)> {
        let (parent, name) = match path.rsplit_once('.') {
            Some((parent, name)) => (Self::table(root, parent), name),
            None => (Some(root), path),
        };
        let Some((_, value)) = parent.and_then(|table| find(table, name)) else { return Vec::new() };
        let DeValue::Array(elements) = value.get_ref() else { return Vec::new() };
        let numbered = elements.iter().enumerate().filter_map(|(index, element)| {
            let DeValue::Table(table) = element.get_ref() else { return None };
            Some((table, format!("{path}[{index}]")))
        });
        numbered.collect()
    }

    /// Returns the value of a key with its position, or its default if the file does not set it or sets it wrongly.
    pub(super) fn value<F: Form>(
        &mut self,
        table: Option<&DeTable<'_>>,
        path: &str,
        name: &str,
        form: &F,
        default: Literal<'static>,
    ) -> (F::Value, KeyPlace) {
        if F::BY_FILE
            && let Some(named) = self.by_file(table, path, name, form)
        {
            return named;
        }
        let key = format!("{path}.{name}");
        let Some((spelt, value)) = table.and_then(|table| find(table, name)) else {
            return (default_of(form, default), KeyPlace { key, line: None });
        };
        let place = KeyPlace { key, line: Some(self.line(spelt.span().start)) };
        let value = read(form, value.get_ref()).unwrap_or_else(|complaint| {
            let hint = complaint
                .hint
                .unwrap_or_else(|| format!("write {}; the default is {default}", Form::describe(form)));
            self.complain(&place, complaint.message, hint);
            default_of(form, default)
        });
        (value, place)
    }

    /// Returns the value of a key's `…-file`, if it is set.
    fn by_file<F: Form>(
        &mut self,
        table: Option<&DeTable<'_>>,
        path: &str,
        name: &str,
        form: &F,
    ) -> Option<(F::Value, KeyPlace)> {
        let companion = format!("{name}-file");
        let (spelt, value) = find(table?, &companion)?;
        let place =
            KeyPlace { key: format!("{path}.{companion}"), line: Some(self.line(spelt.span().start)) };
        let file = match read(&PATH_NAME, value.get_ref()) {
            Ok(file) => file?,
            Err(complaint) => {
                let hint =
                    complaint.hint.unwrap_or_else(|| "write the path of the file, in quotes".to_owned());
                self.complain(&place, complaint.message, hint);
                return None;
            }
        };
        let inline = find(table?, name).is_some_and(|(_, value)| value.get_ref().as_str() != Some(""));
        if inline {
            let message = format!("`{name}` and `{companion}` are both given");
            self.complain(&place, message, "remove one of the two".to_owned());
        }
        form.by_file(file).map(|value| (value, place))
    }

    /// Finds unknown keys and tables, at every level.
    pub(super) fn check_names(&mut self, root: &DeTable<'_>) {
        self.check_table(root, "", "");
    }

    /// Checks one table. `path` is its name in the table of keys, `shown` the same with indices.
    fn check_table(&mut self, table: &DeTable<'_>, path: &str, shown: &str) {
        let section = SECTIONS.iter().find(|section| section.path == path);
        for (spelt, value) in table {
            let name = spelt.get_ref().as_ref();
            if section.is_some_and(|section| section.takes(name)) {
                continue;
            }
            let child = joined(path, name);
            let place =
                KeyPlace { key: quotable(&joined(shown, name)), line: Some(self.line(spelt.span().start)) };
            let below = format!("{child}.");
            let Some(known) = SECTIONS.iter().find(|s| s.path == child || s.path.starts_with(&below)) else {
                let (message, hint) = unknown(name, path, section);
                self.complain(&place, message, hint);
                continue;
            };
            self.check_section(value.get_ref(), &child, &place, known.repeated && known.path == child);
        }
    }

    /// Checks a value in the place of a section.
    fn check_section(&mut self, value: &DeValue<'_>, path: &str, place: &KeyPlace, repeated: bool) {
        if let (DeValue::Table(table), false) = (value, repeated) {
            self.check_table(table, path, &place.key);
        } else if let (DeValue::Array(elements), true) = (value, repeated) {
            for (index, element) in elements.iter().enumerate() {
                let key = format!("{}[{index}]", place.key);
                let place = KeyPlace { key, line: Some(self.line(element.span().start)) };
                self.check_section(element.get_ref(), path, &place, false);
            }
        } else {
            let wanted = if repeated { "a list of tables" } else { "a table" };
            let hint = if repeated { format!("write [[{path}]]") } else { format!("write [{path}]") };
            let found = literal(value, &mut Vec::new(), &mut Vec::new()).what();
            self.complain(place, format!("must be {wanted}, but is {found}"), hint);
        }
    }

    /// Adds a problem, unless its line is not TOML anyway.
    fn complain(&mut self, place: &KeyPlace, message: String, hint: String) {
        if !place.line.is_some_and(|line| self.broken_lines.contains(&line)) {
            self.problems.push_at(place, message, hint);
        }
    }
}

/// Returns a key of a table with its value.
fn find<'t>(
    table: &'t DeTable<'t>,
    name: &str,
) -> Option<(&'t Spanned<Cow<'t, str>>, &'t Spanned<DeValue<'t>>)> {
    table.iter().find(|(spelt, _)| spelt.get_ref() == name)
}

/// Joins the parts of a dotted name.
fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Words the problem of an unknown name, with a suggestion.
fn unknown(name: &str, path: &str, section: Option<&Section>) -> (String, String) {
    let below = if path.is_empty() { String::new() } else { format!("{path}.") };
    let tables = SECTIONS.iter().filter_map(|section| section.path.strip_prefix(&below));
    let tables = tables.filter_map(|rest| rest.split('.').next());
    let mut known: Vec<_> = section.map(Section::names).unwrap_or_default();
    known.extend(tables.map(str::to_owned));
    known.dedup();
    let meant = nearest(name, known.iter().map(String::as_str));
    let elsewhere = SECTIONS.iter().find(|section| section.takes(name));
    let hint = match elsewhere {
        Some(section) if meant.is_empty() => format!("`{name}` belongs to [{}]", section.path),
        Some(_) | None if path.is_empty() => format!("tables are: {}", known.join(", ")),
        Some(_) | None => format!("[{path}] takes: {}", known.join(", ")),
    };
    (format!("unknown key{meant}"), hint)
}

/// Has the form read a value of the document.
fn read<F: Form>(form: &F, value: &DeValue<'_>) -> Result<F::Value, Complaint> {
    let (mut texts, mut pairs) = (Vec::new(), Vec::new());
    form.read(literal(value, &mut texts, &mut pairs))
}

/// Returns a value of the document as a literal; a list's texts are kept in `texts`, a table's in `pairs`.
fn literal<'t>(
    value: &'t DeValue<'t>,
    texts: &'t mut Vec<&'t str>,
    pairs: &'t mut Vec<(&'t str, &'t str)>,
) -> Literal<'t> {
    match value {
        DeValue::String(text) => Literal::Text(text),
        DeValue::Boolean(flag) => Literal::Flag(*flag),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Literal::Other("a number that is too large"), Literal::Number),
        DeValue::Float(_) => Literal::Other("a number with a fraction"),
        DeValue::Datetime(_) => Literal::Other("a date or a time"),
        DeValue::Table(table) => {
            for (name, value) in table {
                let Some(text) = value.get_ref().as_str() else {
                    return Literal::Other("a table whose values are not all strings");
                };
                pairs.push((name.get_ref().as_ref(), text));
            }
            Literal::Pairs(pairs)
        }
        DeValue::Array(elements) => {
            for element in elements {
                match element.get_ref() {
                    DeValue::String(text) => texts.push(text),
                    // Ids among names.
                    DeValue::Integer(number) if number.radix() == 10 => texts.push(number.as_str()),
                    DeValue::Integer(_)
                    | DeValue::Float(_)
                    | DeValue::Boolean(_)
                    | DeValue::Datetime(_)
                    | DeValue::Array(_)
                    | DeValue::Table(_) => {
                        return Literal::Other("a list whose elements are not all strings");
                    }
                }
            }
            Literal::List(texts)
        }
    }
}

/// Returns the value of a default.
#[expect(
    clippy::panic,
    reason = "a default that its own form refuses is a mistake in the table that every test meets"
)]
fn default_of<F: Form>(form: &F, default: Literal<'static>) -> F::Value {
    form.read(default)
        .unwrap_or_else(|complaint| panic!("invariant: default {default} {}", complaint.message))
}
