//! `/healthz`: do the loops move?

use std::fmt::Write as _;
use std::time::Duration;

use super::Parts;
use crate::telemetry::{Labels, Loop};

/// Returns each loop and how long it has been overdue; `None`: it is on time. `router`: it has answered.
pub(super) fn loops(parts: &Parts, router: bool) -> Vec<(Loop, Option<Duration>)> {
    let beats = &parts.counters.beats;
    let overdue = |which: Loop| match which {
        Loop::Poller => beats.poller.overdue(),
        Loop::Reconciler => beats.reconciler.overdue(),
        Loop::Router => (!router).then_some(Duration::ZERO),
        Loop::Dispatcher => beats.dispatcher.overdue(),
        Loop::StateWriter => beats.state_writer.overdue(),
    };
    Loop::all().into_iter().map(|which| (which, overdue(which))).collect()
}

pub(super) fn report(loops: &[(Loop, Option<Duration>)]) -> (bool, String) {
    let stuck: Vec<_> =
        loops.iter().filter(|(_, overdue)| overdue.is_some()).map(|(which, _)| which.word()).collect();
    let mut text =
        if stuck.is_empty() { "ok\n".to_owned() } else { format!("standing still: {}\n", stuck.join(", ")) };
    for (which, overdue) in loops {
        // Writing to a String cannot fail.
        let _ = match overdue {
            None => writeln!(text, "{}: moves", which.word()),
            Some(Duration::ZERO) => writeln!(text, "{}: does not answer", which.word()),
            Some(overdue) => writeln!(text, "{}: overdue for {} s", which.word(), overdue.as_secs()),
        };
    }
    (stuck.is_empty(), text)
}
