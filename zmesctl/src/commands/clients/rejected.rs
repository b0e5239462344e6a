//! `zmesctl clients rejected`.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use zmes_shared::control::Request;
use zmes_shared::views::{Rejected, Rejection};

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{Cell, Column, Out, Table, Tone, View, clean};
use crate::values;

/// Which refusals to list.
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

pub(super) async fn run(arguments: RejectedArgs, context: &mut Context) -> Result<Exit, CliError> {
    let since_ms = arguments.since.map(values::milliseconds);
    context.ask::<Rejected>(Request::ClientsRejected { since_ms }).await
}

impl View for Rejected {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.rejected.is_empty() {
            return out.line("No client was refused.");
        }
        let mut table = Table::new(&[
            Column::new("ADDRESS"),
            Column::new("REASON"),
            Column::new("USER").cuts(),
            Column::new("COUNT").right(),
            Column::new("LAST").spare(1),
            Column::new("DETAIL").wraps().spare(2),
        ]);
        for rejection in &self.rejected {
            table.row(row(rejection, out));
        }
        out.table(&table)?;
        // Once each, below: with a column of its own the table would not fit a terminal.
        let cures: BTreeSet<_> =
            self.rejected.iter().map(|entry| (entry.reason.as_str(), entry.hint.as_str())).collect();
        for (reason, hint) in cures.into_iter().filter(|(_, hint)| !hint.is_empty()) {
            let line = out.paint(Tone::Faint, &clean(&format!("{reason}: {hint}")));
            out.hanging(&line, 2)?;
        }
        Ok(())
    }

    fn elements(&self) -> serde_json::Result<Vec<Value>> {
        self.rejected.iter().map(serde_json::to_value).collect()
    }

    fn names(&self) -> Option<Vec<String>> {
        let addresses = self.rejected.iter().map(|entry| entry.address.clone());
        Some(addresses.collect::<BTreeSet<_>>().into_iter().collect())
    }
}

fn row(rejection: &Rejection, out: &Out) -> [Cell; 6] {
    [
        Cell::new(&rejection.address),
        Cell::new(rejection.reason.as_str()).tone(Tone::Warning),
        Cell::maybe(rejection.user.as_ref()),
        Cell::new(&rejection.count),
        Cell::new(&out.ago(rejection.last_at)),
        Cell::maybe(rejection.detail.as_ref()),
    ]
}
