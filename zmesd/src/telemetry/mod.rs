//! What the daemon tells of itself: the log, and counters since the start.

mod counters;

pub use counters::Counters;
