//! Pushes to phones: what waits, what is on its way, and what came of it.
//!
//! The router decides who is told and writes that down; the [`Dispatcher`] sends it, in order for each phone, through
//! the transports of [`zmes_providers`]. What is not sent is on the disk and goes out after the next start.

mod backlog;
mod breaker;
mod checks;
mod choice;
mod dispatcher;
#[cfg(test)]
mod fakes;
mod gate;
mod intake;
mod lanes;
mod outcome;
mod registrations;
mod retry;
mod shipment;
mod side;
mod status;
mod storm;
#[cfg(test)]
mod tests;
mod unsaved;
mod ways;

pub use dispatcher::{Dispatcher, DispatcherParts};
pub use side::{PushView, PushViewParts};
pub use status::PushStatus;
pub use ways::PushCommand;
