//! What the daemon uses after each round, and whether that stays the same.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::trouble::Trouble;

/// Smallest growth that counts, in addition to the factor: memory in KiB, descriptors, threads, milliseconds.
const SLACK: [f64; 5] = [4096.0, 8.0, 4.0, 10.0, 250.0];
/// Growth from the middle third to the last one that is not a trend, as a factor.
const TOLERANCE: [f64; 5] = [1.08, 1.0, 1.0, 1.5, 2.0];
const NAMES: [&str; 5] = ["RSS KiB", "descriptors", "threads", "frame p50 ms", "frame p99 ms"];
/// Allowed growth of the state file in the last third over the middle one, as a factor and in KiB: it grows with what
/// it records, and SQLite's log takes up to 4 MiB in steps.
const STATE: (f64, f64) = (1.5, 8192.0);

/// The process.
#[derive(Debug)]
pub(crate) struct Usage {
    pid: u32,
    state: PathBuf,
}

/// Resource use at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    resident_kib: f64,
    descriptors: f64,
    threads: f64,
    state_kib: f64,
}

impl Usage {
    pub(crate) fn of(pid: u32, state: PathBuf) -> Self {
        Self { pid, state }
    }

    pub(crate) fn now(&self) -> Result<Used> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let number = |name: &str| -> Result<f64> {
            let line =
                status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| name.to_owned())?;
            Ok(line.trim().trim_end_matches(" kB").parse()?)
        };
        let mut state_bytes = 0;
        for entry in fs::read_dir(&self.state)? {
            state_bytes += entry?.metadata()?.len();
        }
        Ok(Used {
            resident_kib: number("VmRSS:")?,
            descriptors: as_f64(fs::read_dir(format!("/proc/{}/fd", self.pid))?.count()),
            threads: number("Threads:")?,
            state_kib: as_f64(usize::try_from(state_bytes)?) / 1024.0,
        })
    }
}

/// How long apps and provider waited.
#[derive(Debug, Default)]
pub(crate) struct Delays {
    pub(crate) frames: Vec<Duration>,
    pub(crate) pushes: Vec<Duration>,
}

/// One round.
#[derive(Debug)]
pub(crate) struct Round {
    trouble: Trouble,
    alarms: usize,
    used: Used,
    frames: (f64, f64),
    pushes: (f64, f64),
}

impl Round {
    pub(crate) fn new(trouble: Trouble, alarms: usize, used: Used, delays: &Delays) -> Self {
        Self {
            trouble,
            alarms,
            used,
            frames: percentiles(&delays.frames),
            pushes: percentiles(&delays.pushes),
        }
    }

    fn measured(&self) -> [f64; 5] {
        let Used { resident_kib, descriptors, threads, .. } = self.used;
        [resident_kib, descriptors, threads, self.frames.0, self.frames.1]
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Used { resident_kib, descriptors, threads, state_kib } = self.used;
        let (frames, pushes) = (self.frames, self.pushes);
        write!(
            f,
            "{:<18} {:>6} {resident_kib:>9.0} {descriptors:>6.0} {threads:>8.0} {state_kib:>9.0} {:>7.1} {:>7.1} {:>7.1} {:>8.1}",
            self.trouble.as_str(),
            self.alarms,
            frames.0,
            frames.1,
            pushes.0,
            pushes.1,
        )
    }
}

/// All rounds, and what became of the alarms.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rounds: Vec<Round>,
    pub(crate) alarms: usize,
    pub(crate) frames_expected: usize,
    pub(crate) frames_missing: usize,
    pub(crate) frames_twice: usize,
    pub(crate) pushes_missing: usize,
    pub(crate) pushes_repeated: usize,
}

impl Report {
    /// Adds a round, and shows it at once.
    #[expect(clippy::print_stderr, reason = "progress of some minutes")]
    pub(crate) fn add(&mut self, round: Round) {
        if self.rounds.is_empty() {
            eprintln!("round {HEADING}");
        }
        eprintln!("{:>5} {round}", self.rounds.len() + 1);
        self.rounds.push(round);
    }

    /// Says whether nothing grew, nothing was lost, and nothing was delivered twice.
    pub(crate) fn flat(&self) -> bool {
        self.frames_missing + self.frames_twice + self.pushes_missing == 0
            && self.trends().iter().all(Trend::flat)
    }

    /// Compares the last third of the rounds with the one in the middle; the first is for warming up.
    fn trends(&self) -> Vec<Trend> {
        let third = self.rounds.len() / 3;
        let (_, after) = self.rounds.split_at(self.rounds.len() - 2 * third);
        let (middle, last) = after.split_at(third);
        let mut trends: Vec<Trend> = (0..NAMES.len())
            .map(|index| {
                let of =
                    |rounds: &[Round]| median(rounds.iter().map(|round| round.measured()[index]).collect());
                let (middle, last) = (of(middle), of(last));
                Trend { name: NAMES[index], middle, last, limit: middle * TOLERANCE[index] + SLACK[index] }
            })
            .collect();
        let grown = |rounds: &[Round]| {
            let size = |round: Option<&Round>| round.map_or(0.0, |round| round.used.state_kib);
            size(rounds.last()) - size(rounds.first())
        };
        let (middle, last) = (grown(middle), grown(last));
        let limit = middle.max(0.0) * STATE.0 + STATE.1;
        trends.push(Trend { name: "state grown by KiB", middle, last, limit });
        trends
    }
}

const HEADING: &str =
    "trouble            alarms   RSS KiB    fds  threads state KiB  fr p50  fr p99  pu p50   pu p99";

struct Trend {
    name: &'static str,
    middle: f64,
    last: f64,
    limit: f64,
}

impl Trend {
    fn flat(&self) -> bool {
        self.last <= self.limit
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<24} {:>12} {:>12} {:>12}", "", "middle third", "last third", "at most")?;
        for trend in self.trends() {
            let verdict = if trend.flat() { "flat" } else { "GROWS" };
            let Trend { name, middle, last, limit } = trend;
            writeln!(f, "{name:<24} {middle:>12.1} {last:>12.1} {limit:>12.1}  {verdict}")?;
        }
        writeln!(
            f,
            "{} alarms, {} frames and pushes each expected; frames missing {}, twice {}; pushes missing {}, repeated {}",
            self.alarms,
            self.frames_expected,
            self.frames_missing,
            self.frames_twice,
            self.pushes_missing,
            self.pushes_repeated,
        )?;
        write!(f, "verdict: {}", if self.flat() { "flat" } else { "NOT FLAT" })
    }
}

/// Returns median and 99th percentile in milliseconds; zeros of nothing.
fn percentiles(delays: &[Duration]) -> (f64, f64) {
    let mut sorted: Vec<f64> = delays.iter().map(|delay| delay.as_secs_f64() * 1000.0).collect();
    sorted.sort_by(f64::total_cmp);
    let at = |percent: usize| sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)));
    (at(50).copied().unwrap_or_default(), at(99).copied().unwrap_or_default())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "counts and sizes of files are small")]
fn as_f64(count: usize) -> f64 {
    count as f64
}
