//! Pushes to phones: what waits, what is on its way, and what came of it.
//!
//! The router decides who is told and writes that down; the [`Dispatcher`] sends it, in order for each phone, through
//! the [`Transports`]. What is not sent is on the disk and goes out after the next start.

mod backlog;
mod breaker;
mod dispatcher;
#[cfg(test)]
mod fakes;
mod gate;
mod lanes;
mod outcome;
mod registrations;
mod retry;
mod shipment;
mod status;
mod storm;
#[cfg(test)]
mod tests;
mod transports;

pub use dispatcher::{Dispatcher, DispatcherParts};
pub use status::{GateStatus, PushStatus};
pub use transports::Transports;
