//! How fast the daemon is: the release binary in a world of its own, measured from outside.
//!
//! ```text
//! cargo build --release --bins && cargo bench -p zmes-tests --bench speed   all of it, some minutes
//! cargo bench -p zmes-tests --bench speed -- latency                        one of latency, fanout, stalls, push, logins, rules,
//!                                                                           troubles, pictures, mqtt, cluster
//! cargo bench -p zmes-tests --bench speed -- --quick                        few samples: does it still run?
//! ```
//!
//! Prints a table for people and then one line of JSON. Nothing here fails because of a number: a busy machine is
//! not a defect. The targets are printed beside the values.

mod cluster;
mod crowd;
mod fanout;
mod latency;
mod logins;
mod mqtt;
mod pictures;
mod push;
mod report;
mod rules;
mod scene;
mod stalls;
mod troubles;
mod usage;

use anyhow::{Result, bail};

use crate::report::Report;

/// Their names, in the order in which they run.
const BENCHES: [&str; 10] =
    ["latency", "fanout", "stalls", "push", "logins", "rules", "troubles", "pictures", "mqtt", "cluster"];

/// How much is measured.
#[derive(Debug, Clone)]
struct Plan {
    /// Alarms for a percentile.
    samples: usize,
    /// Crowds for the fan-out.
    crowds: Vec<usize>,
    /// Alarms for each crowd.
    rounds: usize,
    /// Which benchmarks; empty: all.
    only: Vec<String>,
}

impl Plan {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut plan = Self { samples: 1000, crowds: vec![1000, 10_000], rounds: 20, only: Vec::new() };
        for argument in arguments {
            match argument.as_str() {
                // Cargo says so to every benchmark.
                "--bench" => {}
                "--quick" => plan = Self { samples: 60, crowds: vec![100], rounds: 3, ..plan },
                name if BENCHES.contains(&name) => plan.only.push(argument),
                _ => bail!("unknown argument {argument}: {}, --quick", BENCHES.join(", ")),
            }
        }
        Ok(plan)
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == name)
    }
}

#[expect(clippy::print_stdout, reason = "the result of a benchmark")]
#[tokio::main]
async fn main() -> Result<()> {
    let plan = Plan::parse(std::env::args().skip(1))?;
    usage::raise_file_limit()?;
    let mut report = Report::default();
    if plan.wants("latency") {
        Box::pin(latency::measure(&plan, &mut report)).await?;
    }
    if plan.wants("fanout") {
        Box::pin(fanout::measure(&plan, &mut report)).await?;
    }
    if plan.wants("stalls") {
        Box::pin(stalls::measure(&plan, &mut report)).await?;
    }
    if plan.wants("push") {
        Box::pin(push::measure(&plan, &mut report)).await?;
    }
    if plan.wants("logins") {
        Box::pin(logins::measure(&plan, &mut report)).await?;
    }
    if plan.wants("rules") {
        rules::measure(&plan, &mut report)?;
    }
    if plan.wants("troubles") {
        Box::pin(troubles::measure(&plan, &mut report)).await?;
    }
    if plan.wants("pictures") {
        Box::pin(pictures::measure(&plan, &mut report)).await?;
    }
    if plan.wants("mqtt") {
        Box::pin(mqtt::measure(&plan, &mut report)).await?;
    }
    if plan.wants("cluster") {
        Box::pin(cluster::measure(&plan, &mut report)).await?;
    }
    println!("\n{}\n{}", report.table(), report.json());
    Ok(())
}
