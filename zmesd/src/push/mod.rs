//! Pushes to phones: what waits, what is under way, and the outcomes.
//!
//! The router decides who gets an alarm and records that; the [`Dispatcher`] sends it, in order for each phone, through
//! the transports of [`zmes_providers`]. What is not sent is on the disk and goes out after the next start.

mod breaker;
mod checks;
mod clearance;
mod dispatcher;
mod gates;
mod outcome;
mod parts;
mod queue;
mod registrations;
mod retry;
mod shipment;
mod side;
mod status;
#[cfg(test)]
mod tests;

pub use dispatcher::Dispatcher;
pub use parts::{DispatcherParts, PushCluster, PushPictures};
pub use queue::STORM_WINDOW;
pub use side::{PushCommand, PushView, PushViewParts};
pub use status::PushStatus;
