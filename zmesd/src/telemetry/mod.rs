//! What the daemon tells of itself: the log, and counters since the start.

mod counters;
pub mod log;

pub use counters::Counters;
