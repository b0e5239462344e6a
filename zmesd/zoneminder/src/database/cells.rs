//! Reads single values of rows whose types differ between releases.

use sqlx::Row;
use sqlx::mysql::MySqlRow;
use tracing::warn;
use zmes_shared::text::is_hidden_in_name;

/// Maximum length of a name or cause, in characters.
pub(super) const MAX_TEXT: usize = 255;

/// A column whose value is unexpected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("column `{0}` has an unexpected value")]
pub(super) struct Odd(pub(super) &'static str);

/// The cells of a row, by column name. NULL, and a column that this ZoneMinder does not have, is `None`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cells<'r>(pub(super) &'r MySqlRow);

impl Cells<'_> {
    /// Returns an integer, whatever its width, sign or spelling.
    pub(super) fn integer(self, column: &'static str) -> Result<Option<i128>, Odd> {
        if let Ok(value) = self.0.try_get::<Option<u64>, _>(column) {
            return Ok(value.map(i128::from));
        }
        if let Ok(value) = self.0.try_get::<Option<i64>, _>(column) {
            return Ok(value.map(i128::from));
        }
        let Some(text) = self.text(column)? else { return Ok(None) };
        text.trim().parse().map(Some).map_err(|_| Odd(column))
    }

    /// Returns an integer that fits `T` and is not NULL.
    pub(super) fn id<T: TryFrom<i128>>(self, column: &'static str) -> Result<T, Odd> {
        let value = self.integer(column)?.ok_or(Odd(column))?;
        T::try_from(value).map_err(|_| Odd(column))
    }

    /// Says whether an integer is there and not 0.
    pub(super) fn flag(self, column: &'static str) -> Result<bool, Odd> {
        Ok(self.integer(column)?.is_some_and(|value| value != 0))
    }

    /// Returns a text; what is not UTF-8 in it is replaced.
    pub(super) fn text(self, column: &'static str) -> Result<Option<String>, Odd> {
        let bytes = self.0.try_get::<Option<Vec<u8>>, _>(column).map_err(|_| Odd(column))?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Returns a text fit to be shown: see [`clean`].
    pub(super) fn shown(self, column: &'static str) -> Result<Option<String>, Odd> {
        Ok(self.text(column)?.map(|text| clean(&text, MAX_TEXT)))
    }
}

/// Makes a text safe for logs, terminals and JSON: at most `limit` characters, control characters and changes of the
/// writing direction replaced. Anyone who may edit a monitor or send a trigger can choose names and causes.
pub(super) fn clean(text: &str, limit: usize) -> String {
    text.chars()
        .take(limit)
        .map(|char| if is_hidden_in_name(char) { char::REPLACEMENT_CHARACTER } else { char })
        .collect()
}

/// Returns the rows that can be read; one warning counts the others.
pub(super) fn readable<T>(
    table: &'static str,
    rows: &[MySqlRow],
    read: impl Fn(Cells<'_>) -> Result<T, Odd>,
) -> Vec<T> {
    let mut odd = Vec::new();
    let values =
        rows.iter().filter_map(|row| read(Cells(row)).map_err(|error| odd.push(error)).ok()).collect();
    if let Some(first) = odd.first() {
        warn!(table, rows = odd.len(), error = %first, "left out rows that cannot be read");
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_or_turns_the_text_is_replaced() {
        assert_eq!(clean("Front\x1b[31m\nDoor", 99), "Front\u{fffd}[31m\u{fffd}Door");
        assert_eq!(clean("abc\u{202e}gpj\u{9b}", 99), "abc\u{fffd}gpj\u{fffd}");
        assert_eq!(clean("Gärten 🏡", 99), "Gärten 🏡");
    }

    #[test]
    fn the_length_counts_characters_not_bytes() {
        assert_eq!(clean("ääää", 3), "äää");
    }
}
