//! `zmesctl troubles`.

use std::io;

use clap::Args;
use zmes_shared::control::Request;
use zmes_shared::views::{Severity, TroubleView, Troubles};

use crate::context::{Context, Outcome};
use crate::render::{Cell, Column, ColumnOf, Out, Table, Tone, View, clean, time};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl troubles
  zmesctl troubles --history          also those that are over
  zmesctl troubles -q                 only the ids
  zmesctl troubles --jsonl | jq -r 'select(.kind == \"camera\") | .text'

A trouble must hold for a while before it is listed: see watchdog.camera-offline in
zmesd.toml(5). zmesctl check troubles fails while there is one.")]
pub struct TroublesArgs {
    /// Also list troubles that are over, the newest first
    #[arg(long)]
    history: bool,
}

pub(crate) async fn run(arguments: &TroublesArgs, context: &mut Context) -> Outcome {
    context.ask::<Troubles>(Request::Troubles { history: arguments.history }).await
}

impl View for Troubles {
    const LIST: Option<&'static str> = Some("troubles");

    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.troubles.is_empty() {
            return out.line("There are no troubles.");
        }
        let (now, zone) = (out.look().now, out.look().zone.clone());
        let over = |trouble: &TroubleView| match trouble.cleared_at {
            Some(at) => Cell::new(&time::ago(now, at)).tone(Tone::Good),
            None => Cell::new(&"-"),
        };
        let tone = |trouble: &TroubleView| match (trouble.cleared_at, trouble.severity) {
            (Some(_), _) => Tone::Faint,
            (None, Severity::Error) => Tone::Bad,
            (None, Severity::Warning | Severity::Ok) => Tone::Warning,
        };
        let told = |trouble: &TroubleView| clean(&time::told(&trouble.sentence(), &zone)).into_owned();
        let columns: &[ColumnOf<'_, TroubleView>] = &[
            (Column::new("ID"), &|trouble| Cell::new(&trouble.id).tone(tone(trouble))),
            (Column::new("SINCE"), &|trouble| Cell::new(&time::clock(now, trouble.since, &zone))),
            (Column::new("OVER").spare(1), &over),
            (Column::new("TROUBLE").wraps(), &|trouble| Cell::new(&told(trouble))),
        ];
        out.table(&Table::of(&self.troubles, columns))?;
        // Below the table: a column for it would not fit a terminal.
        let standing = self.troubles.iter().filter(|trouble| trouble.cleared_at.is_none());
        for trouble in standing.filter(|trouble| !trouble.hint.is_empty()) {
            let line = out.paint(Tone::Faint, &clean(&format!("{}: {}", trouble.id, trouble.hint)));
            out.hanging(&line, 2)?;
        }
        Ok(())
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.troubles.iter().map(|trouble| trouble.id.clone()).collect())
    }
}
