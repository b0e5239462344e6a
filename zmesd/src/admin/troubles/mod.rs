//! Troubles: kept, told, listed.
//!
//! The [`Keeper`] looks once a second, and owns the table. The [`TroubleBoard`] has what stands now, for `troubles`,
//! `status`, `check`, the metrics and the [`mod@ping`].

mod keeper;
mod ping;
mod probe;

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;
use zmes_shared::control::ControlError;
use zmes_shared::views::{Check, Sentence, Severity, TroubleSummary, Troubles};

pub(super) use self::keeper::Keeper;
pub(super) use self::ping::run as ping;
pub(super) use self::probe::{SECOND_TRY, run as probe};
use super::AdminParts;
use crate::state::TroubleRow;
use crate::telemetry::Counters;
use crate::troubles::{Moment, Trouble};

/// Troubles that are over and are listed at most.
const PAST: u32 = 200;
/// Troubles that `status` shows.
const SUMMARY: usize = 3;

/// The troubles that stand now.
#[derive(Debug)]
pub(super) struct TroubleBoard {
    standing: watch::Sender<Arc<Vec<Trouble>>>,
    counters: Arc<Counters>,
}

impl TroubleBoard {
    pub(super) fn new(counters: Arc<Counters>) -> Self {
        Self { standing: watch::channel(Arc::default()).0, counters }
    }

    /// Returns the troubles that stand, the oldest first.
    pub(super) fn now(&self) -> Arc<Vec<Trouble>> {
        Arc::clone(&self.standing.borrow())
    }

    fn publish(&self, mut standing: Vec<Trouble>) {
        standing.sort_by_key(|trouble| trouble.since);
        self.counters.troubles.set(&standing.iter().map(|trouble| trouble.id.kind));
        self.standing.send_if_modified(|now| {
            let changed = **now != standing;
            if changed {
                *now = Arc::new(standing);
            }
            changed
        });
    }
}

pub(super) async fn list(
    parts: &AdminParts,
    board: &TroubleBoard,
    history: bool,
) -> Result<Troubles, ControlError> {
    let mut troubles: Vec<_> = board.now().iter().map(|trouble| trouble.view(None)).collect();
    if history {
        let past = parts.state.past_troubles(PAST).await?;
        troubles.extend(
            past.iter().map(|TroubleRow { record, cleared_at, .. }| record.trouble.view(*cleared_at)),
        );
    }
    Ok(Troubles { troubles })
}

fn moment(parts: &AdminParts) -> Moment {
    Moment { at: parts.clock.now(), tick: Instant::now() }
}

/// Returns the troubles for `status`.
pub(super) fn summary(board: &TroubleBoard) -> TroubleSummary {
    let standing = board.now();
    let oldest = standing.iter().take(SUMMARY).map(|trouble| trouble.view(None)).collect();
    TroubleSummary { standing: standing.len() as u64, oldest }
}

/// Judges the troubles for a monitoring system: the worst one, and how many others there are.
pub(super) fn check(board: &TroubleBoard) -> Check {
    let standing = board.now();
    let check = "troubles".to_owned();
    let perf = vec![super::doctor::counted("troubles", standing.len() as u64)];
    let severity = standing.iter().map(|trouble| trouble.severity).max().unwrap_or(Severity::Ok);
    let worst = standing.iter().find(|trouble| trouble.severity == severity);
    let Some(worst) = worst else {
        return Check {
            ok: true,
            check,
            detail: "no troubles".to_owned(),
            parts: Vec::new(),
            hint: None,
            severity: Some(Severity::Ok),
            perf,
            checks: Vec::new(),
        };
    };
    let others = match standing.len() {
        0 | 1 => String::new(),
        2 => "; and 1 other".to_owned(),
        more => format!("; and {} others", more - 1),
    };
    let sentence = Sentence::from(format!("{}: ", worst.id)).join(worst.sentence()).text(", since ");
    let (detail, parts) = sentence.time(worst.since).text(others).into_parts();
    let hint = Some(worst.hint.clone()).filter(|hint| !hint.is_empty());
    Check { ok: false, check, detail, parts, hint, severity: Some(severity), perf, checks: Vec::new() }
}
