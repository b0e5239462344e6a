//! `zmesctl latency`: how long alarms take, stage by stage.

use std::io;

use zmes_shared::views::{Latency, StageLatency};

use crate::render::{Cell, Column, ColumnOf, Out, Table, View};

impl View for Latency {
    const LIST: Option<&'static str> = Some("stages");

    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.stages.iter().all(|stage| stage.count == 0) {
            return out.line("No measurements yet: zmesd has sent no push since it started.");
        }
        // "Not measured" is different from "0 ms".
        let measured = |stage: &StageLatency, ms| Cell::maybe((stage.count > 0).then(|| short(ms)));
        let columns: &[ColumnOf<'_, StageLatency>] = &[
            (Column::new("STAGE").wraps(), &|stage| Cell::new(&stage.stage)),
            (Column::new("COUNT").right(), &|stage| Cell::new(&stage.count)),
            (Column::new("P50").right(), &|stage| measured(stage, stage.p50_ms)),
            (Column::new("P90").right(), &|stage| measured(stage, stage.p90_ms)),
            (Column::new("P99").right(), &|stage| measured(stage, stage.p99_ms)),
            (Column::new("MAX").right(), &|stage| measured(stage, stage.max_ms)),
        ];
        out.table(&Table::of(&self.stages, columns))
    }
}

/// Returns milliseconds with three significant digits: "0.12 ms", "112 ms", "4.10 s".
fn short(ms: f64) -> String {
    let (value, unit) = if ms >= 1000.0 { (ms / 1000.0, "s") } else { (ms, "ms") };
    let digits = match value {
        0.0..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_have_three_digits() {
        for (ms, text) in
            [(0.0, "0.00 ms"), (0.123, "0.12 ms"), (12.34, "12.3 ms"), (112.4, "112 ms"), (4100.0, "4.10 s")]
        {
            assert_eq!(short(ms), text);
        }
    }
}
