//! Checks the installation regularly, so that `status` and the metrics report troubles without being asked for them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::board::Board;
use super::capturing::Capturing;
use super::part::Part;
use super::survey::Survey;
use super::{certificate, database, monitors, push, refused, store};
use crate::admin::{AdminParts, cluster};

/// How often the cheap parts are judged, and the parts with a finding are checked again.
const EVERY: Duration = Duration::from_secs(30);
/// Interval of the checks that read files: everything except the push providers, which follow
/// `watchdog.probe-interval`.
const WHOLE: Duration = Duration::from_mins(15);
/// The first complete check, when phones and apps have come back after a start.
const FIRST: Duration = Duration::from_mins(2);
const LONGEST: Duration = Duration::from_mins(1);
/// Parts that need no query to others and no file.
const CHEAP: [Part; 2] = [Part::Daemon, Part::Clock];

/// Checks until it is cancelled. Owns: nothing. Writes to: the board. Ends: never; the caller ends it with the daemon.
pub(in crate::admin) async fn keep(parts: &AdminParts, board: &Arc<Board>) {
    let mut whole_at = Instant::now() + FIRST;
    loop {
        sleep(EVERY).await;
        let mut wanted = CHEAP.to_vec();
        if Instant::now() >= whole_at {
            whole_at = Instant::now() + WHOLE;
            let troubled = board.troubled();
            let own = |part: &Part| *part != Part::Push || troubled.contains(part);
            wanted = Part::ALL.into_iter().filter(own).collect();
        } else {
            wanted.extend(board.troubled());
            wanted.push(Part::Tokens);
            wanted.sort_unstable();
            wanted.dedup();
        }
        if let Ok(survey) = timeout(LONGEST, Survey::of(parts, &wanted, None)).await {
            board.keep(&survey);
        }
        glance(parts, board).await;
    }
}

/// Judges what the daemon knows without asking others: done for every `status`.
pub(in crate::admin) async fn glance(parts: &AdminParts, board: &Board) {
    let capturing = Capturing::look(parts).await;
    board.replace(Part::Monitors, monitors::look(parts, None, &capturing).findings);
    board.add(Part::Database, database::glance(parts));
    board.add(Part::Certificate, certificate::look(parts, None, None).findings);
    board.replace(Part::Refused, refused::findings(parts));
    board.add(Part::State, store::glance(parts));
    board.add(Part::Cluster, cluster::glance(parts));
    let waiting = parts.router.token_counts().await.map_or(0, |tokens| tokens.enabled);
    board.add(Part::Push, push::glance(parts, usize::try_from(waiting).unwrap_or(usize::MAX)));
}
