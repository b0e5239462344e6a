//! Entries in systemd's journal: the whole line as the message, and each field by its own name as well.
//!
//! The message alone is what `journalctl` shows, so an error must be in it; the fields are what it filters by
//! (`journalctl ZMESD_MONITOR=3`). The protocol is the native one of systemd-journald: one datagram per entry, one
//! `NAME=value` a line, which works without length prefixes because no value holds a line feed.

use std::fmt::{self, Debug, Write};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter};
use tracing_subscriber::registry::{LookupSpan, Scope};

use super::fields::{Chain, Escaping, HarmlessFields};

pub(super) const SOCKET: &str = "/run/systemd/journal/socket";
/// Tags the entries, whatever name the daemon was started under.
const IDENTIFIER: &str = "zmesd";
/// Prefix of the daemon's fields, so that none is taken for one of the journal's own.
const PREFIX: &str = "ZMESD_";
/// Limit for an entry that is too long for a datagram, in bytes.
const CUT: usize = 48 * 1024;
/// How long an entry waits for a journal that does not read. After that it is dropped.
const PATIENCE: Duration = Duration::from_millis(200);

#[derive(Debug, Clone)]
pub(super) struct Journal {
    socket: Arc<UnixDatagram>,
    path: Arc<Path>,
}

impl Journal {
    /// Opens the journal; fails where none listens.
    ///
    /// The socket stays unconnected: a connection would break when journald restarts.
    pub(super) fn connect(path: &Path) -> io::Result<Self> {
        UnixDatagram::unbound()?.connect(path)?;
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket: Arc::new(socket), path: path.into() })
    }

    pub(super) fn complain(&self, text: &str) {
        let priority = priority(Level::ERROR);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let entry = format!("PRIORITY={priority}\nSYSLOG_IDENTIFIER={IDENTIFIER}\nMESSAGE={line}\n");
            self.socket.send_to(entry.as_bytes(), &self.path).ok();
        }
    }
}

impl<'a> MakeWriter<'a> for Journal {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl io::Write for Journal {
    /// Sends one entry. The formatter writes each in one piece.
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        match self.socket.send_to(entry, &self.path) {
            Err(_) if entry.len() > CUT => {
                let mut head = entry.get(..CUT).unwrap_or_default().to_vec();
                head.push(b'\n');
                self.socket.send_to(&head, &self.path)?;
            }
            sent => drop(sent?),
        }
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct JournalEntry;

impl<S> FormatEvent<S, HarmlessFields> for JournalEntry
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, HarmlessFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let priority = priority(*metadata.level());
        write!(writer, "PRIORITY={priority}\nSYSLOG_IDENTIFIER={IDENTIFIER}\nMESSAGE=")?;
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            write!(writer, "{}", span.name())?;
            let extensions = span.extensions();
            match extensions.get::<FormattedFields<HarmlessFields>>() {
                Some(fields) if !fields.is_empty() => write!(writer, "{{{fields}}}: ")?,
                Some(_) | None => writer.write_str(": ")?,
            }
        }
        context.format_fields(writer.by_ref(), event)?;
        write!(writer, "\n{PREFIX}TARGET={}\n", metadata.target())?;
        let mut fields = Fields { writer, result: Ok(()) };
        event.record(&mut fields);
        fields.result
    }
}

/// syslog's numbers: notice for what tells of the daemon's life, so that `journalctl -p notice` shows it.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 5,
        Level::DEBUG => 6,
        Level::TRACE => 7,
    }
}

struct Fields<'writer> {
    writer: Writer<'writer>,
    result: fmt::Result,
}

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let name = field.name();
        if self.result.is_ok() && name != "message" && !name.starts_with("log.") {
            self.result = self.write(name, value);
        }
    }

    fn write(&mut self, name: &str, value: fmt::Arguments<'_>) -> fmt::Result {
        self.writer.write_str(PREFIX)?;
        for character in name.trim_start_matches("r#").chars() {
            let known = character.is_ascii_alphanumeric();
            self.writer.write_char(if known { character.to_ascii_uppercase() } else { '_' })?;
        }
        self.writer.write_char('=')?;
        Escaping(&mut self.writer).write_fmt(value)?;
        self.writer.write_char('\n')
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, format_args!("{}", Chain(value)));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Receives as a journal at the other end of the socket does.
    fn entry(log: impl FnOnce()) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let journald = UnixDatagram::bind(&path).unwrap();
        let layer = super::super::journal(Journal::connect(&path).unwrap());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        journald.set_nonblocking(true).unwrap();
        let mut buffer = vec![0; 1 << 20];
        let length = journald.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn the_message_is_the_whole_line_and_each_field_stands_alone_too() {
        let entry = entry(|| {
            let span = tracing::info_span!("session", id = 4);
            let _entered = span.enter();
            let error = io::Error::other("disk full");
            let error = &error as &dyn std::error::Error;
            tracing::warn!(target: "zmesd::x", error, monitor.id = 3, camera = "Porch\nPRIORITY=0", "cannot write");
        });
        assert_eq!(
            entry,
            "PRIORITY=4\nSYSLOG_IDENTIFIER=zmesd\n\
             MESSAGE=session{id=4}: cannot write error=\"disk full\" monitor.id=3 camera=\"Porch\\nPRIORITY=0\"\n\
             ZMESD_TARGET=zmesd::x\nZMESD_ERROR=disk full\nZMESD_MONITOR_ID=3\n\
             ZMESD_CAMERA=Porch\\nPRIORITY=0\n"
        );
    }

    #[test]
    fn why_the_process_ends_is_an_error_for_each_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let journald = UnixDatagram::bind(&path).unwrap();
        Journal::connect(&path).unwrap().complain("zmesd: line 3: no such key\n       hint: mode\n");
        let mut buffer = [0; 512];
        let mut next = || {
            let length = journald.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        assert_eq!(next(), "PRIORITY=3\nSYSLOG_IDENTIFIER=zmesd\nMESSAGE=zmesd: line 3: no such key\n");
        assert_eq!(next(), "PRIORITY=3\nSYSLOG_IDENTIFIER=zmesd\nMESSAGE=hint: mode\n");
    }

    #[test]
    fn an_entry_that_is_too_long_is_cut_not_lost() {
        let entry = entry(|| tracing::info!("{}", "x".repeat(900_000)));
        assert!(entry.starts_with("PRIORITY=5\n"));
        assert_eq!(entry.len(), CUT + 1);
    }

    #[test]
    fn without_a_journal_there_is_no_connection() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Journal::connect(&directory.path().join("journal")).is_err());
    }
}
