//! Deliveries as a table: what was decided for a token, and the outcome.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use zmes_shared::views::{Deliveries, DeliveryView, FailedAttempt, HeldView};
use zmes_shared::words::{HeldBy, Origin, Phase};

use crate::render::{Cell, Column, Out, Table, Tone, View, time};
use crate::words;

impl View for Deliveries {
    const LIST: Option<&'static str> = Some("deliveries");

    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.deliveries.is_empty() {
            return out.line("No decisions for this token yet.");
        }
        let table = table(&self.deliveries, out);
        out.table(&table)
    }
}

/// Returns the deliveries, each with its failed attempts below it.
pub(crate) fn table(deliveries: &[DeliveryView], out: &Out) -> Table {
    let mut table = Table::new(&[
        Column::new("TIME"),
        Column::new("TOKEN"),
        Column::new("EVENT").right(),
        Column::new("MONITOR").cuts().spare(1),
        Column::new("DECISION"),
        Column::new("TRANSPORT").spare(2),
        Column::new("TRIES").right().spare(4),
        Column::new("LATENCY").right().spare(3),
        Column::new("REASON").wraps(),
        Column::new("PROVIDER'S ID").spare(5),
    ]);
    for delivery in deliveries {
        table.row(row(delivery, out));
        for failure in &delivery.failures {
            table.row(attempt(failure, out));
        }
    }
    table
}

fn row(delivery: &DeliveryView, out: &Out) -> [Cell; 10] {
    let late = match delivery.origin {
        Origin::Test => " (test)",
        Origin::Reconciled => " (late)",
        Origin::Snooze => " (snooze)",
        Origin::Trouble => " (trouble)",
        Origin::Poll | Origin::Unknown => "",
    };
    let phase = match delivery.phase {
        Phase::End => " (end)",
        Phase::Update => " (update)",
        Phase::Start | Phase::Unknown => "",
    };
    [
        Cell::new(&time::clock(out.look().now, delivery.at, &out.look().zone)),
        Cell::maybe(delivery.token.as_ref()),
        Cell::maybe(delivery.event_id.as_ref()),
        Cell::new(&format!("{} {}{late}{phase}", delivery.monitor_id, delivery.monitor)),
        Cell::decision(delivery.decision),
        Cell::maybe(delivery.transport.as_ref()),
        // Shown only if there was more than one attempt.
        Cell::maybe((delivery.attempts > 1).then_some(delivery.attempts)),
        Cell::maybe(delivery.latency_ms.map(time::milliseconds)),
        Cell::new(&reason(delivery, out)),
        Cell::maybe(delivery.provider_id.as_ref()),
    ]
}

/// Returns the reason, and for a queued push how long it still waits.
fn reason(delivery: &DeliveryView, out: &Out) -> String {
    if let Some(snoozed) = &delivery.snoozed {
        return time::told(&snoozed.sentence(), &out.look().zone);
    }
    let Some(held) = &delivery.held else { return words::reason(&delivery.reason, delivery.rule.as_deref()) };
    format!("{}: {}", waits(held, out.look().now), held.reason)
}

/// `the transport is paused for another 27 s`
pub(crate) fn waits(held: &HeldView, now: Timestamp) -> String {
    let left = held.until.and_then(|until| Duration::try_from(until.duration_since(now)).ok());
    let left = left.filter(|left| !left.is_zero()).map(|left| time::span(left.max(Duration::from_secs(1))));
    let what = match held.by {
        HeldBy::Transport => "the transport is paused",
        HeldBy::Phone => "the provider asked for a pause for this phone",
        HeldBy::Storm => "the rate limit of this phone is reached",
        HeldBy::Retry | HeldBy::Unknown => "retried",
    };
    match (held.by, left) {
        (HeldBy::Retry, Some(left)) => format!("{what} in {left}"),
        (HeldBy::Retry, None) => format!("{what} now"),
        (HeldBy::Transport, None) => {
            "the transport has failed; the next push shows whether it works again".to_owned()
        }
        (_, Some(left)) => format!("{what} for another {left}"),
        (_, None) => what.to_owned(),
    }
}

fn attempt(failure: &FailedAttempt, out: &Out) -> [Cell; 10] {
    let FailedAttempt { at, transport, answer, took_ms } = failure;
    let mut cells = std::array::from_fn(|_| Cell::default());
    let [first, _, _, _, decision, by, _, latency, reason, _] = &mut cells;
    *first = Cell::new(&time::clock(out.look().now, *at, &out.look().zone)).tone(Tone::Faint);
    *decision = Cell::new("  attempt").tone(Tone::Faint);
    *by = Cell::new(transport).tone(Tone::Faint);
    *latency = Cell::new(&time::milliseconds(*took_ms)).tone(Tone::Faint);
    *reason = Cell::new(answer).tone(Tone::Faint);
    cells
}
