//! The fields of a log line as text, with control characters escaped.
//!
//! Camera names, user names and app versions come from outside. A line feed in one of them would begin a forged log
//! line, an escape sequence would control the reader's terminal. The library's formatter lets both through in fields that are
//! displayed, so this one escapes every character that is not printable, wherever it comes from.

use std::error::Error;
use std::fmt::{self, Debug, Write};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;
use zmes_shared::text::is_hidden;

/// Formats fields as `message name=value name=value` without control characters.
#[derive(Debug, Clone, Copy)]
pub(super) struct HarmlessFields;

impl<'writer> FormatFields<'writer> for HarmlessFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut line = Line { writer, begun: false, result: Ok(()) };
        fields.record(&mut line);
        line.result
    }
}

struct Line<'writer> {
    writer: Writer<'writer>,
    begun: bool,
    result: fmt::Result,
}

impl Line<'_> {
    fn put(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if self.result.is_ok() {
            self.result = self.write(field.name(), value);
        }
    }

    fn write(&mut self, name: &str, value: fmt::Arguments<'_>) -> fmt::Result {
        // The fields of the `log` bridge are already in the line's head.
        if name.starts_with("log.") {
            return Ok(());
        }
        if std::mem::replace(&mut self.begun, true) {
            self.writer.write_char(' ')?;
        }
        if name != "message" {
            write!(self.writer, "{}=", name.trim_start_matches("r#"))?;
        }
        Escaping(&mut self.writer).write_fmt(value)
    }
}

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.put(field, format_args!("{value}"));
        } else {
            self.put(field, format_args!("{value:?}"));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, format_args!("\"{}\"", Chain(value)));
    }
}

/// An error and its causes: "cannot read x: permission denied".
#[derive(Debug)]
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Passes text on with control characters written as `\n`, `\u{1b}` and so on.
pub(super) struct Escaping<'a, W>(pub(super) &'a mut W);

impl<W: Write> Write for Escaping<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, character) in text.char_indices().filter(|&(_, character)| is_hidden(character)) {
            self.0.write_str(text.get(plain..at).unwrap_or_default())?;
            write!(self.0, "{}", character.escape_default())?;
            plain = at + character.len_utf8();
        }
        self.0.write_str(text.get(plain..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tracing_subscriber::layer::SubscriberExt;

    use super::super::tests::Lines;
    use super::*;

    fn logged(log: impl FnOnce()) -> String {
        let lines = Lines::default();
        let layer = super::super::text(false, lines.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        lines.text()
    }

    #[test]
    fn a_name_can_neither_forge_a_line_nor_command_the_terminal() {
        let name =
            "Porch\n2026-01-01 INFO forged\r\u{1b}[2J\u{9b}31m\u{7}\u{202e}\u{200b}\u{2066}\u{feff}\u{e0041}";
        let line = logged(|| {
            let span = tracing::info_span!("session", user = %name);
            let _entered = span.enter();
            tracing::info!(displayed = %name, debugged = ?name, text = name, "message about {name}");
        });
        assert_eq!(line.matches('\n').count(), 1, "{line:?}");
        assert!(!line.trim_end_matches('\n').chars().any(is_hidden), "{line:?}");
        assert!(line.contains(r"displayed=Porch\n2026-01-01 INFO forged\r\u{1b}[2J"), "{line:?}");
        assert!(line.contains(r"session{user=Porch\n"), "{line:?}");
    }

    #[test]
    fn an_error_is_shown_with_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read x")]
        struct Outer(#[source] io::Error);
        let error = Outer(io::Error::other("bad\ndisk"));
        let line = logged(|| tracing::warn!(error = &error as &dyn Error, monitor = 3, "degraded"));
        assert!(line.ends_with("degraded error=\"cannot read x: bad\\ndisk\" monitor=3\n"), "{line:?}");
    }
}
