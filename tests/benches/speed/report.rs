//! Measured values with their targets.

use serde_json::{Value, json};

/// One measured value.
#[derive(Debug, Clone)]
struct Row {
    bench: &'static str,
    what: String,
    value: f64,
    unit: &'static str,
    target: Option<f64>,
}

/// All of them, in the order in which they were measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds a value, and the most that it should be where there is such a bound; shows it at once.
    #[expect(clippy::print_stderr, reason = "progress of some minutes")]
    pub(crate) fn add(
        &mut self,
        bench: &'static str,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
        target: Option<f64>,
    ) {
        let row = Row { bench, what: what.into(), value, unit, target };
        eprintln!("{} {}: {:.2} {}", row.bench, row.what, row.value, row.unit);
        self.rows.push(row);
    }

    /// Returns a table for people.
    pub(crate) fn table(&self) -> String {
        let mut table =
            format!("{:<8} {:<58} {:>10} {:<9} {:>10}\n", "bench", "what", "value", "unit", "target");
        for Row { bench, what, value, unit, target } in &self.rows {
            let (wanted, verdict) = match target {
                None => (String::new(), ""),
                Some(target) if value <= target => (format!("<= {target}"), "  met"),
                Some(target) => (format!("<= {target}"), "  MISSED"),
            };
            let line = format!("{bench:<8} {what:<58} {value:>10.2} {unit:<9} {wanted:>10}{verdict}\n");
            table.push_str(&line);
        }
        table
    }

    /// Returns one line for programs.
    pub(crate) fn json(&self) -> Value {
        let row = |row: &Row| {
            json!({
                "bench": row.bench,
                "what": row.what,
                "value": row.value,
                "unit": row.unit,
                "target": row.target,
                "met": row.target.map(|target| row.value <= target),
            })
        };
        json!({ "speed": self.rows.iter().map(row).collect::<Vec<_>>() })
    }
}
