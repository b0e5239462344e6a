//! Pushes to phones: what waits, what is on its way, and what came of it.
//!
//! The router decides who is told and writes that down; the [`Dispatcher`] sends it, in order for each phone, through
//! the transports of [`zmes_providers`]. What is not sent is on the disk and goes out after the next start.

mod breaker;
mod checks;
mod clearance;
mod dispatcher;
#[cfg(test)]
mod fakes;
mod gates;
mod outcome;
mod queue;
mod registrations;
mod retry;
mod shipment;
mod side;
mod status;
#[cfg(test)]
mod tests;

pub use dispatcher::{Dispatcher, DispatcherParts};
pub use side::{PushCommand, PushView, PushViewParts};
pub use status::PushStatus;
