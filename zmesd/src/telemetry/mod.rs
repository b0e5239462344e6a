//! What the daemon tells of itself: the log, and counters since the start.

mod counters;
mod latencies;
pub mod log;

pub use counters::Counters;
pub use latencies::{Latencies, Stage};
