//! `zmesctl tokens import`: reads a file, sends it in batches, and reports the result for each token.

use std::fs::File;
use std::io::{self, Read};
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use zmes_shared::client::{ClientError, ControlClient};
use zmes_shared::control::{MAX_REQUEST, Request, TokenImport, TokenRecord};
use zmes_shared::views::{ImportOutcome, TokensImported};

use crate::context::{Context, Outcome};
use crate::error::CliError;
use crate::exit::Exit;
use crate::import::{self, EntryRefusal, FileEntry, FileFormat, TokenFile};
use crate::render::{Cell, Column, ColumnOf, Out, Table, Tone, View, clean};

/// Maximum size of the file in bytes: 100,000 tokens.
const MAX_FILE: u64 = 64 * 1024 * 1024;
/// Tokens per request: the daemon must answer in time.
const BATCH: usize = 200;
/// Bytes of a request besides its tokens, with a margin.
const AROUND: usize = 4096;
/// Default time limit of a batch, without `--timeout`.
const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl tokens import /var/lib/zmeventnotification/push/tokens.txt --dry-run
  zmesctl tokens import /etc/private/tokens.txt
  ssh old cat tokens.txt | zmesctl tokens import -

The file is not changed, and importing it again has no effect. A token gets all
monitors in its list, without the limits of a user, until its app logs in; use
--user to assign a user now.

Exit codes: 0 all imported, 7 some, 1 none.")]
pub struct ImportArgs {
    /// A tokens.txt of any event server before zmesd; `-` reads standard input
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: String,
    /// ZoneMinder user whose rights limit the tokens [default: none, no limits]
    #[arg(long, value_name = "USER", default_value = "", hide_default_value = true)]
    user: String,
    /// Show what would be imported; change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) async fn run(arguments: ImportArgs, context: &mut Context) -> Outcome {
    let ImportArgs { file, user, dry_run } = arguments;
    let bytes = read(&file).map_err(|source| CliError::File { file: file.clone(), source })?;
    let parsed = import::parse(&bytes).map_err(|error| {
        let import::Unparsable { line, column, detail } = error;
        CliError::Unparsable { file: file.clone(), line, column, detail }
    })?;
    let TokenFile { format, entries } = parsed;
    let mut rows: Vec<ImportRow> = entries.iter().map(ImportRow::of).collect();
    let records: Vec<(usize, TokenRecord)> = (0..)
        .zip(entries)
        .filter_map(|(index, entry)| entry.content.ok().map(|record| (index, record)))
        .collect();
    if !records.is_empty() {
        let mut daemon = context.connect_for(TIMEOUT).await?;
        send(&mut daemon, records, &user, dry_run, &mut rows).await?;
    }
    context.show(&ImportReport::new(file, format, dry_run, rows))
}

fn read(file: &str) -> io::Result<Vec<u8>> {
    let source: Box<dyn Read> = if file == "-" { Box::new(io::stdin()) } else { Box::new(File::open(file)?) };
    let mut bytes = Vec::new();
    source.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other("too large for a token file"));
    }
    Ok(bytes)
}

/// Sends all records. If a batch fails after others succeeded, the rest is reported as refused.
async fn send(
    daemon: &mut ControlClient,
    records: Vec<(usize, TokenRecord)>,
    user: &str,
    dry_run: bool,
    rows: &mut [ImportRow],
) -> Result<(), CliError> {
    let mut failed: Option<String> = None;
    for (position, batch) in batches(records).into_iter().enumerate() {
        let (places, tokens): (Vec<usize>, Vec<TokenRecord>) = batch.into_iter().unzip();
        let mut refuse = |reason: &str| {
            for &place in &places {
                if let Some(row) = rows.get_mut(place) {
                    row.outcome = ImportOutcome::Refused;
                    row.reason = Some(reason.to_owned());
                }
            }
        };
        if let Some(reason) = &failed {
            refuse(reason);
            continue;
        }
        let request = Request::TokensImport(TokenImport { tokens, user: user.to_owned(), dry_run });
        match daemon.request::<TokensImported>(request).await {
            Ok(answer) if answer.tokens.len() == places.len() => {
                for (&place, imported) in places.iter().zip(answer.tokens) {
                    if let Some(row) = rows.get_mut(place) {
                        row.handle = imported.handle;
                        row.outcome = imported.outcome;
                        row.reason = imported.reason;
                    }
                }
            }
            Ok(_) => {
                let detail = "not as many outcomes as tokens".to_owned();
                return Err(ClientError::BadAnswer { detail }.into());
            }
            Err(error) if position == 0 => return Err(error.into()),
            Err(error) => {
                let reason = format!("not sent: {error}");
                refuse(&reason);
                failed = Some(reason);
            }
        }
    }
    Ok(())
}

/// Splits records so that each request fits.
fn batches(records: Vec<(usize, TokenRecord)>) -> Vec<Vec<(usize, TokenRecord)>> {
    let mut batches: Vec<Vec<(usize, TokenRecord)>> = Vec::new();
    let mut room = 0;
    for (place, record) in records {
        let size = serde_json::to_string(&record).map_or(0, |text| text.len() + 1);
        match batches.last_mut() {
            Some(batch) if size <= room && batch.len() < BATCH => {
                room -= size;
                batch.push((place, record));
            }
            Some(_) | None => {
                room = (MAX_REQUEST - AROUND).saturating_sub(size);
                batches.push(vec![(place, record)]);
            }
        }
    }
    batches
}

#[derive(Debug, Serialize)]
struct ImportReport {
    file: String,
    format: FileFormat,
    dry_run: bool,
    added: usize,
    changed: usize,
    unchanged: usize,
    skipped: usize,
    refused: usize,
    tokens: Vec<ImportRow>,
}

#[derive(Debug, Serialize)]
struct ImportRow {
    /// The position, such as "line 3".
    place: String,
    handle: Option<String>,
    /// The end of the token.
    token: String,
    platform: Option<String>,
    monitors: Option<String>,
    outcome: ImportOutcome,
    reason: Option<String>,
}

impl ImportRow {
    fn of(entry: &FileEntry) -> Self {
        let (outcome, reason) = match &entry.content {
            Ok(_) => (ImportOutcome::Refused, None),
            Err(EntryRefusal::Useless(reason)) => (ImportOutcome::Skipped, Some(reason.clone())),
            Err(EntryRefusal::Damaged(reason)) => (ImportOutcome::Refused, Some(reason.clone())),
        };
        let record = entry.content.as_ref().ok();
        let monitors = |record: &TokenRecord| match record.monlist.as_str() {
            "" => "all".to_owned(),
            list => list.to_owned(),
        };
        Self {
            place: entry.place.to_string(),
            handle: None,
            token: entry.shown.clone(),
            platform: record.map(|record| record.platform.clone()),
            monitors: record.map(monitors),
            outcome,
            reason,
        }
    }
}

impl ImportReport {
    fn new(file: String, format: FileFormat, dry_run: bool, tokens: Vec<ImportRow>) -> Self {
        let count = |outcome| tokens.iter().filter(|row| row.outcome == outcome).count();
        Self {
            file,
            format,
            dry_run,
            added: count(ImportOutcome::Added),
            changed: count(ImportOutcome::Changed),
            unchanged: count(ImportOutcome::Unchanged),
            skipped: count(ImportOutcome::Skipped),
            refused: count(ImportOutcome::Refused),
            tokens,
        }
    }
}

impl View for ImportReport {
    const LIST: Option<&'static str> = Some("tokens");

    fn human(&self, out: &mut Out) -> io::Result<()> {
        let file = if self.file == "-" { "standard input".into() } else { clean(&self.file) };
        if self.tokens.is_empty() {
            return out.line(&format!("No tokens in {file}."));
        }
        let counts = [
            (self.added, "added"),
            (self.changed, "changed"),
            (self.unchanged, "unchanged"),
            (self.skipped, "skipped"),
            (self.refused, "refused"),
        ];
        let counts =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
        let would = if self.dry_run { "Dry run, nothing was changed: " } else { "" };
        out.line(&format!("{would}{} (from {file})", counts.collect::<Vec<_>>().join(", ")))?;
        let columns: &[ColumnOf<'_, ImportRow>] = &[
            (Column::new("PLACE"), &|row| Cell::new(&row.place)),
            (Column::new("TOKEN"), &|row| Cell::maybe(row.handle.as_ref())),
            (Column::new("ENDS WITH").spare(2), &|row| Cell::new(&row.token)),
            (Column::new("PLATFORM").spare(3), &|row| Cell::maybe(row.platform.as_ref())),
            (Column::new("MONITORS").wraps().spare(1), &|row| Cell::maybe(row.monitors.as_ref())),
            (Column::new("OUTCOME"), &|row| Cell::new(row.outcome.as_str()).tone(tone(row.outcome))),
            (Column::new("REASON").wraps(), &|row| Cell::maybe(row.reason.as_ref())),
        ];
        out.table(&Table::of(&self.tokens, columns))
    }

    fn exit(&self) -> Exit {
        match (self.refused, self.added + self.changed + self.unchanged) {
            (0, _) => Exit::Done,
            (_, 0) => Exit::Negative,
            (_, _) => Exit::Partial,
        }
    }
}

fn tone(outcome: ImportOutcome) -> Tone {
    match outcome {
        ImportOutcome::Added | ImportOutcome::Changed => Tone::Good,
        ImportOutcome::Unchanged | ImportOutcome::Skipped => Tone::Faint,
        ImportOutcome::Refused => Tone::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_is_sent_in_a_request_that_fits() {
        let record = |index: usize| TokenRecord {
            token: "\"".repeat(4096),
            monlist: "1,".repeat(index % 8000),
            platform: "ios".to_owned(),
            ..TokenRecord::default()
        };
        let records: Vec<_> = (0..900).map(|index| (index, record(index * 97))).collect();
        let batches = batches(records.clone());
        for batch in &batches {
            let tokens = batch.iter().map(|(_, record)| record.clone()).collect();
            let request = Request::TokensImport(TokenImport { tokens, ..TokenImport::default() });
            let size = serde_json::to_string(&request).unwrap().len();
            assert!(size < MAX_REQUEST - 1024, "{size} with {} tokens", batch.len());
        }
        assert_eq!(batches.concat(), records);
    }
}
