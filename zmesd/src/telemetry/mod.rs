//! What the daemon tells of itself: the log, counters and timings since the start, signs of life of its loops.
//! `metrics` serves them to Prometheus.

mod beats;
mod counters;
mod labels;
pub mod log;
mod refusals;
mod tally;
mod timings;

pub use beats::{Beat, Beats};
pub use counters::{Counter, Counters, Findings, Inside, Level};
pub use labels::{
    Connection, FindingSeverity, Frame, Login, Loop, NodeState, Part, PictureRequest, Pushed, Reload,
    Transport,
};
pub use refusals::{Refusal, Refusals, RefusedEntry};
pub use tally::{LabelPairs, Labels, Levels, Tally};
pub use timings::{Timing, TimingBuckets, Timings};
pub use zmes_shared::control::TokenState;
pub use zmes_shared::words::{Phase, TargetKind};
