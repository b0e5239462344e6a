//! Output of answers: tables and sentences for people, the views' own JSON for programs.
//!
//! [`Out`] fixes format, colour and width once; a [`View`] defines how one answer looks to people.

mod clean;
mod fit;
mod style;
mod table;
pub mod time;

use std::fmt;
use std::io::{self, BufWriter, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;

pub use clean::{clean, json_safe};
pub use fit::{columns, cut, wrap};
pub use style::{Tone, paint};
pub use table::{Cell, Column, ColumnOf, Facts, Table, Terminal, terminal_width};

use crate::exit::Exit;
use crate::options::Format;

/// Indent of continuation lines.
const HANG: usize = 2;

/// An answer that can be shown.
pub trait View: Serialize {
    /// Writes it for people.
    fn human(&self, out: &mut Out) -> io::Result<()>;

    /// The member whose elements `--jsonl` prints, one per line; `None` if the whole answer is one line.
    const LIST: Option<&'static str> = None;

    /// Returns the values that `--jsonl` prints, one per line.
    fn elements(&self) -> serde_json::Result<Vec<Value>> {
        let mut whole = serde_json::to_value(self)?;
        match Self::LIST.and_then(|name| whole.get_mut(name)?.as_array_mut()) {
            Some(elements) => Ok(std::mem::take(elements)),
            None => Ok(vec![whole]),
        }
    }

    /// Returns the names of a list's elements, which `--quiet` prints, one per line; `None` if they have none.
    fn names(&self) -> Option<Vec<String>> {
        None
    }

    /// Returns whether this is a requested document, which is printed with `--quiet`, too.
    fn is_document(&self) -> bool {
        false
    }

    fn exit(&self) -> Exit {
        Exit::Done
    }
}

/// The style of the output, fixed at the start.
#[derive(Debug, Clone)]
pub struct OutputStyle {
    pub format: Format,
    /// Print nothing on success.
    pub quiet: bool,
    pub color: bool,
    /// Width of the terminal; `None` if lines may have any length.
    pub width: Option<u16>,
    /// The time from which "3 min ago" is computed.
    pub now: Timestamp,
    pub zone: TimeZone,
}

/// The output of one run, buffered.
pub struct Out {
    sink: Box<dyn Write>,
    look: OutputStyle,
}

impl fmt::Debug for Out {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Out").field("look", &self.look).finish_non_exhaustive()
    }
}

impl Out {
    pub fn new(sink: Box<dyn Write>, look: OutputStyle) -> Self {
        Self { sink, look }
    }

    pub fn to_stdout(look: OutputStyle) -> Self {
        Self::new(Box::new(BufWriter::new(io::stdout().lock())), look)
    }

    pub fn format(&self) -> Format {
        self.look.format
    }

    pub fn look(&self) -> &OutputStyle {
        &self.look
    }

    pub fn show(&mut self, view: &impl View) -> io::Result<()> {
        if self.look.quiet && view.exit() == Exit::Done && !view.is_document() {
            match (view.names(), self.look.format) {
                (Some(names), Format::Human) => {
                    return names.iter().try_for_each(|name| self.raw(&clean(name)));
                }
                // A list in JSON is printed in full.
                (Some(_), Format::Json | Format::Jsonl) => {}
                (None, _) => return Ok(()),
            }
        }
        match self.look.format {
            Format::Human => view.human(self),
            Format::Json => self.json(&serde_json::to_string_pretty(view)?),
            Format::Jsonl => view.elements()?.iter().try_for_each(|element| self.document(element)),
        }
    }

    /// Shows one element of a stream, unbuffered.
    pub fn item(&mut self, view: &impl View) -> io::Result<()> {
        if self.look.quiet {
            return Ok(());
        }
        match self.look.format {
            Format::Human => view.human(self)?,
            Format::Json | Format::Jsonl => self.document(view)?,
        }
        self.flush()
    }

    /// Writes one value as one line of JSON, in any format.
    pub fn document(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.json(&serde_json::to_string(value)?)
    }

    /// Writes one line for people. If the terminal is too narrow, it is wrapped with a small indent.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        let begin = text.len() - text.trim_start_matches(' ').len();
        self.hanging(text, begin + HANG)
    }

    /// Writes one line for people. If the terminal is too narrow, it is wrapped below column `indent`.
    pub fn hanging(&mut self, text: &str, indent: usize) -> io::Result<()> {
        match self.look.width {
            Some(width) => writeln!(self.sink, "{}", wrap(text, width.into(), indent)),
            None => self.raw(text),
        }
    }

    /// Writes text unchanged, whatever its length: for the content of files.
    pub fn raw(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.sink, "{text}")
    }

    pub fn table(&mut self, table: &Table) -> io::Result<()> {
        let text = table.render(&self.look);
        self.raw(&text)
    }

    pub fn facts(&mut self, facts: &Facts) -> io::Result<()> {
        let indent = facts.indent();
        facts.lines().try_for_each(|line| self.hanging(&line, indent))
    }

    /// Returns `text` in a tone, if the output has colours. `text` must be clean.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        paint(self.look.color, tone, text)
    }

    /// Returns how long ago `at` was: "3 min ago".
    pub fn ago(&self, at: Timestamp) -> String {
        time::ago(self.look.now, at)
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }

    fn json(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.sink, "{}", json_safe(text))
    }
}
