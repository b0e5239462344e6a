//! Tables without lines: pleasant on a terminal, and `awk` reads them too.
//!
//! Columns without content are left out. Where a terminal is too narrow, the columns that matter least go first,
//! and a remark names them; what is still too wide is wrapped. A pipe gets everything.

use std::fmt::Write;

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, CellAlignment, Color, ColumnConstraint, ContentArrangement};

use super::{Look, Tone, clean, paint};

/// Spaces between columns.
const GAP: u16 = 2;
/// A column that wraps is not made narrower than this before others are left out.
const WRAPPED: u16 = 24;

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    title: &'static str,
    right: bool,
    wraps: bool,
    /// 0: always shown; the highest is left out first.
    spare: u8,
}

impl Column {
    /// Returns a column that is always shown, left-aligned, on one line.
    pub const fn new(title: &'static str) -> Self {
        Self { title, right: false, wraps: false, spare: 0 }
    }

    /// Aligns it to the right, as numbers are.
    #[must_use]
    pub const fn right(self) -> Self {
        Self { right: true, ..self }
    }

    /// Lets it wrap where the terminal is narrow.
    #[must_use]
    pub const fn wraps(self) -> Self {
        Self { wraps: true, ..self }
    }

    /// Lets it be left out where the terminal is narrow; the highest rank goes first.
    #[must_use]
    pub const fn spare(self, rank: u8) -> Self {
        Self { spare: rank, ..self }
    }
}

/// A cell.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// Returns a cell with `text`, which may come from anywhere.
    pub fn new<T: ToString + ?Sized>(text: &T) -> Self {
        Self { text: clean(&text.to_string()).into_owned(), tone: Tone::Plain }
    }

    /// Returns a cell for what may be missing.
    pub fn maybe<T: ToString + ?Sized>(text: Option<&T>) -> Self {
        text.map_or_else(Self::default, Self::new)
    }

    /// Gives it a tone.
    #[must_use]
    pub fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }
}

/// A table.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Returns a table without rows.
    pub fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; it has a cell for each column.
    pub fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        self.rows.push(cells.into());
    }

    /// Returns the table as text, without the newline at its end.
    pub fn render(&self, look: &Look) -> String {
        let mut shown: Vec<usize> =
            (0..self.columns.len()).filter(|&index| self.has_content(index)).collect();
        let mut left_out = Vec::new();
        let mut table = self.build(&shown, look);
        if let Some(width) = look.width {
            while self.least_width(&shown, &table) > width {
                let Some(index) = self.most_spare(&shown) else { break };
                shown.retain(|&other| other != index);
                left_out.push(index);
                table = self.build(&shown, look);
            }
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        let mut text = table.trim_fmt();
        if !left_out.is_empty() {
            left_out.sort_unstable();
            let titles: Vec<_> = left_out
                .iter()
                .filter_map(|&index| self.columns.get(index))
                .map(|column| column.title)
                .collect();
            let remark = format!("(a wider terminal also shows {})", titles.join(", "));
            let fits = look.width.is_none_or(|width| remark.chars().count() <= usize::from(width));
            let remark = if fits {
                remark
            } else {
                format!("(a wider terminal also shows {} more columns)", titles.len())
            };
            // Writing to a String cannot fail.
            write!(text, "\n{}", paint(look.color, Tone::Faint, &remark)).ok();
        }
        text
    }

    fn has_content(&self, index: usize) -> bool {
        self.rows.iter().any(|row| row.get(index).is_some_and(|cell| !cell.text.is_empty()))
    }

    /// Returns the width that the table has when all that wraps is wrapped.
    fn least_width(&self, shown: &[usize], table: &comfy_table::Table) -> u16 {
        let widths = table.column_max_content_widths();
        let gaps = u16::try_from(widths.len().saturating_sub(1)).unwrap_or(u16::MAX).saturating_mul(GAP);
        let columns = shown.iter().filter_map(|&index| self.columns.get(index));
        let least = widths.iter().zip(columns).map(
            |(&width, column)| {
                if column.wraps { width.min(WRAPPED) } else { width }
            },
        );
        least.fold(gaps, u16::saturating_add)
    }

    fn most_spare(&self, shown: &[usize]) -> Option<usize> {
        let spare = |index: &usize| self.columns.get(*index).map_or(0, |column| column.spare);
        shown.iter().copied().filter(|index| spare(index) > 0).max_by_key(spare)
    }

    fn build(&self, shown: &[usize], look: &Look) -> comfy_table::Table {
        let mut table = comfy_table::Table::new();
        // Width and colours are decided by `Look` alone.
        table.load_style(NOTHING).force_no_tty().set_content_arrangement(ContentArrangement::Disabled);
        if look.color {
            table.enforce_styling().style_text_only();
        }
        let columns = || shown.iter().filter_map(|&index| self.columns.get(index));
        table.set_header(
            columns()
                .map(|column| comfy_table::Cell::new(column.title).add_attribute(Attribute::Bold))
                .collect::<Vec<_>>(),
        );
        for row in &self.rows {
            let cells: Vec<_> = shown.iter().filter_map(|&index| row.get(index)).map(styled).collect();
            table.add_row(cells);
        }
        for (drawn, (index, column)) in table.column_iter_mut().zip(columns().enumerate()) {
            drawn.set_padding((0, if index + 1 == shown.len() { 0 } else { GAP }));
            if column.right {
                drawn.set_cell_alignment(CellAlignment::Right);
            }
            if !column.wraps {
                drawn.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        table
    }
}

fn styled(cell: &Cell) -> comfy_table::Cell {
    let text = if cell.text.is_empty() { "-" } else { &cell.text };
    let drawn = comfy_table::Cell::new(text);
    match cell.tone {
        Tone::Plain => drawn,
        Tone::Strong => drawn.add_attribute(Attribute::Bold),
        Tone::Faint => drawn.add_attribute(Attribute::Dim),
        Tone::Good => drawn.fg(Color::DarkGreen),
        Tone::Warning => drawn.fg(Color::DarkYellow),
        Tone::Bad => drawn.fg(Color::DarkRed),
    }
}

/// Labelled facts, one a line, the facts aligned.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    facts: Vec<(&'static str, String)>,
}

impl Facts {
    /// Adds a fact. The text must be clean; it may be painted.
    pub fn add(&mut self, label: &'static str, text: impl Into<String>) {
        self.facts.push((label, text.into()));
    }

    /// Returns the lines.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let width = self.facts.iter().map(|(label, _)| label.len()).max().unwrap_or_default();
        self.facts.iter().map(move |(label, text)| format!("{label:width$}  {text}"))
    }
}

/// Returns the columns of the terminal behind the standard output.
pub fn terminal_width() -> Option<u16> {
    comfy_table::Table::new().width()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::super::Format;
    use super::*;

    fn look(width: Option<u16>, color: bool) -> Look {
        let (now, zone) = (Timestamp::UNIX_EPOCH, TimeZone::UTC);
        Look { format: Format::Human, quiet: false, color, width, now, zone }
    }

    fn sample() -> Table {
        let columns = [
            Column::new("ID").right(),
            Column::new("NAME").wraps(),
            Column::new("EMPTY"),
            Column::new("STATE").spare(1),
            Column::new("NOTE").spare(2),
        ];
        let mut table = Table::new(&columns);
        table.row(["7", "a garden\nbehind the house", "", "idle", "fine"].map(Cell::new));
        table.row(["12", "gate", "", "alarm", ""].map(Cell::new));
        table
    }

    #[test]
    fn a_pipe_gets_every_column_with_content_and_no_trailing_blanks() {
        let text = sample().render(&look(None, false));
        let expected = "ID  NAME                        STATE  NOTE\n\
                        \x20\x207  a garden\\nbehind the house  idle   fine\n\
                        12  gate                        alarm  -";
        assert_eq!(text, expected.replacen("\x20\x207", " 7", 1));
    }

    #[test]
    fn a_narrow_terminal_loses_what_matters_least_and_says_so() {
        let text = sample().render(&look(Some(38), false));
        assert!(text.starts_with("ID  NAME                        STATE\n"), "{text}");
        assert!(text.ends_with("(a wider terminal also shows NOTE)"), "{text}");
    }

    #[test]
    fn what_is_still_too_wide_is_wrapped() {
        let text = sample().render(&look(Some(18), false));
        let table = text.lines().filter(|line| !line.starts_with('(')).collect::<Vec<_>>();
        assert!(table.iter().all(|line| line.len() <= 18), "{text}");
        assert!(text.contains("the house"), "{text}");
    }

    #[test]
    fn colours_are_used_where_asked_for_alone() {
        let mut table = Table::new(&[Column::new("STATE")]);
        table.row([Cell::new("alarm").tone(Tone::Bad)]);
        assert!(!table.render(&look(None, false)).contains('\u{1b}'));
        assert!(table.render(&look(None, true)).contains("\u{1b}[38;5;1malarm"));
    }
}
