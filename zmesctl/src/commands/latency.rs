//! `zmesctl latency`: how long alarms take, stage by stage.

use std::io;

use serde_json::Value;
use zmes_shared::control::Request;
use zmes_shared::views::Latency;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{Cell, Column, Out, Table, View};

pub(crate) async fn run(context: &mut Context) -> Result<Exit, CliError> {
    context.ask::<Latency>(Request::Latency).await
}

impl View for Latency {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.stages.iter().all(|stage| stage.count == 0) {
            return out.line("No measurements yet: zmesd has sent no push since it started.");
        }
        let mut table = Table::new(&[
            Column::new("STAGE").wraps(),
            Column::new("COUNT").right(),
            Column::new("P50").right(),
            Column::new("P90").right(),
            Column::new("P99").right(),
            Column::new("MAX").right(),
        ]);
        for stage in &self.stages {
            let [p50, p90, p99, max] = [stage.p50_ms, stage.p90_ms, stage.p99_ms, stage.max_ms].map(|ms| {
                // Nothing measured is not "0 ms".
                if stage.count == 0 { Cell::default() } else { Cell::new(&short(ms)) }
            });
            table.row([Cell::new(&stage.stage), Cell::new(&stage.count), p50, p90, p99, max]);
        }
        out.table(&table)
    }

    fn elements(&self) -> serde_json::Result<Vec<Value>> {
        self.stages.iter().map(serde_json::to_value).collect()
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
