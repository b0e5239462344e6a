//! `zmesctl clients rejected`.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use clap::Args;
use zmes_shared::control::Request;
use zmes_shared::views::{Rejected, Rejection};

use crate::context::{Context, Outcome};
use crate::render::{Cell, Column, ColumnOf, Out, Table, Tone, View, clean, time};
use crate::values;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl clients rejected
  zmesctl clients rejected --since 1h
  zmesctl clients rejected -q                  only the addresses
  zmesctl clients rejected --jsonl | jq -r 'select(.reason == \"bad_credentials\") | .user'

The list begins when the daemon starts, and is bounded: the oldest entries go first.")]
pub struct RejectedArgs {
    /// Only clients refused within this time
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    since: Option<Duration>,
}

pub(super) async fn run(arguments: RejectedArgs, context: &mut Context) -> Outcome {
    let since_ms = arguments.since.map(values::milliseconds);
    context.ask::<Rejected>(Request::ClientsRejected { since_ms }).await
}

impl View for Rejected {
    const LIST: Option<&'static str> = Some("rejected");

    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.rejected.is_empty() {
            return out.line("No client was refused.");
        }
        let now = out.look().now;
        let columns: &[ColumnOf<'_, Rejection>] = &[
            (Column::new("ADDRESS"), &|entry| Cell::new(&entry.address)),
            (Column::new("REASON"), &|entry| Cell::new(entry.reason.as_str()).tone(Tone::Warning)),
            (Column::new("USER").cuts(), &|entry| Cell::maybe(entry.user.as_ref())),
            (Column::new("COUNT").right(), &|entry| Cell::new(&entry.count)),
            (Column::new("LAST").spare(1), &|entry| Cell::new(&time::ago(now, entry.last_at))),
            (Column::new("DETAIL").wraps().spare(2), &|entry| Cell::maybe(entry.detail.as_ref())),
        ];
        out.table(&Table::of(&self.rejected, columns))?;
        // Each cure once, below the table: a column for it would not fit a terminal.
        let cures: BTreeSet<_> =
            self.rejected.iter().map(|entry| (entry.reason.as_str(), entry.hint.as_str())).collect();
        for (reason, hint) in cures.into_iter().filter(|(_, hint)| !hint.is_empty()) {
            let line = out.paint(Tone::Faint, &clean(&format!("{reason}: {hint}")));
            out.hanging(&line, 2)?;
        }
        Ok(())
    }

    fn names(&self) -> Option<Vec<String>> {
        let addresses = self.rejected.iter().map(|entry| entry.address.clone());
        Some(addresses.collect::<BTreeSet<_>>().into_iter().collect())
    }
}
