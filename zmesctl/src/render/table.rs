//! Tables without lines: pleasant on a terminal, and easy to read with `awk`.
//!
//! Empty columns are omitted. If a terminal is too narrow, the least important columns are dropped first, and a remark
//! names them; then names are cut, and explanations wrapped. A pipe gets everything.

use std::fmt::Write;

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, CellAlignment, Color, ContentArrangement};
use zmes_shared::words::DeliveryState;

use super::{OutputStyle, Tone, clean, columns, cut, paint, wrap};

/// Spaces between columns.
const GAP: u16 = 2;
/// A column that wraps is not made narrower than this while other columns can still be dropped.
const WRAPPED: usize = 28;
/// The same for a column that is cut.
const CUT: usize = 16;
/// If no more columns can be dropped, any column may become this narrow.
const NARROWEST: usize = 3;

#[derive(Debug, Clone, Copy)]
pub struct Column {
    title: &'static str,
    right: bool,
    narrow: Narrow,
    /// 0: always shown; the highest is dropped first.
    spare: u8,
}

/// A column, and the function that returns its cell for a row.
pub type ColumnOf<'c, R> = (Column, &'c dyn Fn(&R) -> Cell);

/// How a column adapts if there is not enough room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Narrow {
    Stays,
    /// Wraps to the next line: for sentences.
    Wraps,
    /// Is cut, with a mark: for names.
    Cuts,
}

impl Column {
    /// Returns a column that is always shown, left-aligned, on one line.
    pub const fn new(title: &'static str) -> Self {
        Self { title, right: false, narrow: Narrow::Stays, spare: 0 }
    }

    /// Aligns it to the right: for numbers.
    #[must_use]
    pub const fn right(self) -> Self {
        Self { right: true, ..self }
    }

    /// Allows wrapping on a narrow terminal: for sentences.
    #[must_use]
    pub const fn wraps(self) -> Self {
        Self { narrow: Narrow::Wraps, ..self }
    }

    /// Allows cutting on a narrow terminal: for names.
    #[must_use]
    pub const fn cuts(self) -> Self {
        Self { narrow: Narrow::Cuts, ..self }
    }

    /// Allows dropping it on a narrow terminal; the highest rank goes first.
    #[must_use]
    pub const fn spare(self, rank: u8) -> Self {
        Self { spare: rank, ..self }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// Returns a cell with `text`, which may come from outside.
    pub fn new<T: ToString + ?Sized>(text: &T) -> Self {
        Self { text: clean(&text.to_string()).into_owned(), tone: Tone::Plain }
    }

    pub fn maybe<T: ToString>(text: Option<T>) -> Self {
        text.map_or_else(Self::default, |text| Self::new(&text))
    }

    /// Returns a cell for a decision about an alarm.
    pub fn decision(decision: DeliveryState) -> Self {
        Self::new(&decision).tone(Tone::of_decision(decision))
    }

    /// Returns the text to show, which is never empty.
    fn shown(&self) -> &str {
        if self.text.is_empty() { "-" } else { &self.text }
    }

    #[must_use]
    pub fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }
}

#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Returns a table with one row for each element of `rows`.
    pub fn of<R>(rows: &[R], columns: &[ColumnOf<'_, R>]) -> Self {
        let cells = |row| columns.iter().map(|(_, cell)| cell(row)).collect();
        let titles = columns.iter().map(|(column, _)| *column).collect();
        Self { columns: titles, rows: rows.iter().map(cells).collect() }
    }

    /// Adds a row, which must have a cell for each column.
    pub fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        self.rows.push(cells.into());
    }

    /// Returns the table as text, without a newline at the end.
    pub fn render(&self, look: &OutputStyle) -> String {
        let mut shown: Vec<usize> =
            (0..self.columns.len()).filter(|&index| self.has_content(index)).collect();
        let mut left_out = Vec::new();
        let mut widths = Vec::new();
        if let Some(width) = look.width.map(usize::from) {
            let sizes: Vec<_> = (0..self.columns.len()).map(|index| self.size(index)).collect();
            let of = |shown: &[usize]| shown.iter().filter_map(|&index| sizes.get(index).copied()).collect();
            let mut kept: Vec<Size> = of(&shown);
            while kept.iter().map(|size| size.least).sum::<usize>() + gaps(&shown) > width {
                let Some(index) = self.most_spare(&shown) else { break };
                shown.retain(|&other| other != index);
                left_out.push(index);
                kept = of(&shown);
            }
            // The last one dropped was the most important, but another one may fit into its room.
            let mut again = std::mem::take(&mut left_out);
            again.sort_by_key(|&index| self.columns.get(index).map_or(0, |column| column.spare));
            for index in again {
                let mut more = shown.clone();
                more.insert(more.partition_point(|&other| other < index), index);
                let sizes: Vec<Size> = of(&more);
                if sizes.iter().map(|size| size.least).sum::<usize>() + gaps(&more) <= width {
                    (shown, kept) = (more, sizes);
                } else {
                    left_out.push(index);
                }
            }
            widths = fit(&kept, width.saturating_sub(gaps(&shown)));
        }
        let table = self.build(&shown, &widths, look);
        let mut text = table.trim_fmt();
        if !left_out.is_empty() {
            left_out.sort_unstable();
            let titles: Vec<_> = left_out
                .iter()
                .filter_map(|&index| self.columns.get(index))
                .map(|column| column.title)
                .collect();
            let remark = format!("(a wider terminal also shows {})", titles.join(", "));
            let fits = look.width.is_none_or(|width| columns(&remark) <= usize::from(width));
            let remark = if fits {
                remark
            } else {
                format!("(a wider terminal also shows {} more columns)", titles.len())
            };
            let remark = wrap(&remark, look.width.map_or(usize::MAX, usize::from), 0);
            // Writing to a String cannot fail.
            write!(text, "\n{}", paint(look.color, Tone::Faint, &remark)).ok();
        }
        text
    }

    fn has_content(&self, index: usize) -> bool {
        self.rows.iter().any(|row| row.get(index).is_some_and(|cell| !cell.text.is_empty()))
    }

    /// Returns how wide a column is, and how narrow it may become.
    fn size(&self, index: usize) -> Size {
        let column = self.columns.get(index);
        let title = column.map_or(0, |column| columns(column.title));
        let cells = self.rows.iter().filter_map(|row| row.get(index)).map(|cell| columns(&cell.text));
        let natural = cells.max().unwrap_or_default().max(title);
        let least = match column.map(|column| column.narrow) {
            Some(Narrow::Wraps) => natural.min(WRAPPED),
            Some(Narrow::Cuts) => natural.min(CUT),
            Some(Narrow::Stays) | None => natural,
        };
        Size { natural, least }
    }

    fn most_spare(&self, shown: &[usize]) -> Option<usize> {
        let spare = |index: &usize| self.columns.get(*index).map_or(0, |column| column.spare);
        shown.iter().copied().filter(|index| spare(index) > 0).max_by_key(spare)
    }

    /// Builds the table with these widths, or without widths as wide as the content.
    fn build(&self, shown: &[usize], widths: &[usize], look: &OutputStyle) -> comfy_table::Table {
        let mut table = comfy_table::Table::new();
        // Width and colours are decided by `OutputStyle` alone.
        table.load_style(NOTHING).force_no_tty().set_content_arrangement(ContentArrangement::Disabled);
        if look.color {
            table.enforce_styling().style_text_only();
        }
        let columns = || shown.iter().filter_map(|&index| self.columns.get(index));
        let fitted = |text: &str, place: usize| -> String {
            let narrow = columns().nth(place).map_or(Narrow::Stays, |column| column.narrow);
            match (widths.get(place), narrow) {
                (None, _) => text.to_owned(),
                (Some(&width), Narrow::Wraps) => wrap(text, width, 0).into_owned(),
                (Some(&width), Narrow::Cuts | Narrow::Stays) => cut(text, width).into_owned(),
            }
        };
        let titles = columns().enumerate().map(|(place, column)| fitted(column.title, place));
        table.set_header(titles.map(|title| comfy_table::Cell::new(title).add_attribute(Attribute::Bold)));
        for row in &self.rows {
            let cells = shown.iter().filter_map(|&index| row.get(index)).enumerate();
            table.add_row(cells.map(|(place, cell)| styled(cell, &fitted(cell.shown(), place))));
        }
        for (drawn, (place, column)) in table.column_iter_mut().zip(columns().enumerate()) {
            drawn.set_padding((0, if place + 1 == shown.len() { 0 } else { GAP }));
            if column.right {
                drawn.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }
}

/// How wide a column is, and how narrow it may become.
#[derive(Debug, Clone, Copy)]
struct Size {
    natural: usize,
    least: usize,
}

/// Distributes the room: all shrinking columns get the same width, but none more than it needs.
fn fit(sizes: &[Size], room: usize) -> Vec<usize> {
    let shared = |level: usize, least: fn(&Size) -> usize| -> Vec<usize> {
        sizes.iter().map(|size| size.natural.min(least(size).max(level))).collect()
    };
    let best = |least: fn(&Size) -> usize| {
        let mut levels = (0..=room).rev().map(|level| shared(level, least));
        levels.find(|widths| widths.iter().sum::<usize>() <= room)
    };
    best(|size| size.least).or_else(|| best(|_| NARROWEST)).unwrap_or_else(|| shared(NARROWEST, |_| 0))
}

/// Returns the total number of spaces between these columns.
fn gaps(shown: &[usize]) -> usize {
    shown.len().saturating_sub(1) * usize::from(GAP)
}

fn styled(cell: &Cell, text: &str) -> comfy_table::Cell {
    let drawn = comfy_table::Cell::new(text);
    // An empty cell is neither good nor bad.
    let tone = if cell.text.is_empty() { Tone::Plain } else { cell.tone };
    match tone {
        Tone::Plain => drawn,
        Tone::Strong => drawn.add_attribute(Attribute::Bold),
        Tone::Faint => drawn.add_attribute(Attribute::Dim),
        Tone::Good => drawn.fg(Color::DarkGreen),
        Tone::Warning => drawn.fg(Color::DarkYellow),
        Tone::Bad => drawn.fg(Color::DarkRed),
    }
}

/// Labelled facts, one per line, with the facts aligned.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    facts: Vec<(&'static str, String)>,
}

impl Facts {
    /// Adds a fact. The text must be clean; it may be painted.
    pub fn add(&mut self, label: &'static str, text: impl Into<String>) {
        self.facts.push((label, text.into()));
    }

    pub fn lines(&self) -> impl Iterator<Item = String> {
        let width = self.widest();
        self.facts.iter().map(move |(label, text)| format!("{label:width$}  {text}"))
    }

    /// Returns the column at which the facts begin.
    pub fn indent(&self) -> usize {
        self.widest() + usize::from(GAP)
    }

    fn widest(&self) -> usize {
        self.facts.iter().map(|(label, _)| label.len()).max().unwrap_or_default()
    }
}

/// A standard stream that may be a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terminal {
    Output,
    Errors,
}

/// Returns the width of the terminal behind a stream; `None` if it is not a terminal.
pub fn terminal_width(stream: Terminal) -> Option<u16> {
    let mut table = comfy_table::Table::new();
    if stream == Terminal::Errors {
        table.use_stderr();
    }
    // A terminal that does not know its width reports 0.
    table.width().filter(|&width| width > 0)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::options::Format;

    fn look(width: Option<u16>, color: bool) -> OutputStyle {
        let (now, zone) = (Timestamp::UNIX_EPOCH, TimeZone::UTC);
        OutputStyle { format: Format::Human, quiet: false, color, width, now, zone }
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
    fn names_are_cut_and_numbers_stay() {
        let mut table =
            Table::new(&[Column::new("ID").right(), Column::new("NAME").cuts(), Column::new("STATE")]);
        table.row(["4000000001", "Garden behind the house", "idle"].map(Cell::new));
        table.row(["2", "玄関カメラの前にある庭", "alarm"].map(Cell::new));
        let text = table.render(&look(Some(35), false));
        let expected = "        ID  NAME              STATE\n\
                        4000000001  Garden behind t…  idle\n\
                        \x20        2  玄関カメラの前…   alarm";
        assert_eq!(text, expected);
        for width in 13..40 {
            let text = table.render(&look(Some(width), false));
            assert!(text.lines().all(|line| columns(line) <= width.into()), "{width}:\n{text}");
        }
    }

    #[test]
    fn colours_are_used_where_asked_for_alone() {
        let mut table = Table::new(&[Column::new("STATE")]);
        table.row([Cell::new("alarm").tone(Tone::Bad)]);
        assert!(!table.render(&look(None, false)).contains('\u{1b}'));
        assert!(table.render(&look(None, true)).contains("\u{1b}[38;5;1malarm"));
    }
}
