//! Who sends pushes: one node at a time, by a row in the ledger.
//!
//! # Why no clock of the database decides
//!
//! The usual lease is a time in a row (`until < NOW()`). Then a clock that is set forward by three seconds makes two
//! pushers, and with several Galera members it is enough that two members' clocks differ. Here the row has a number
//! (`beat`) that grows with each renewal. Who wants the lease watches the row, and takes it when the number has not changed
//! for a whole term *of its own steady clock*, with an `UPDATE` that names the number it saw. The holder counts from the
//! moment *before* it sent a renewal that was answered, and stops after five sixths of a term.
//!
//! That no two nodes send at once follows from this: the contender saw the renewal at a time T, so the holder sent it before
//! T, and stops before T + 5/6 term. The contender takes the lease after T + 1 term, and only if there was no other renewal,
//! because the `UPDATE` would not match. All that is needed of clocks is that they run about equally fast. Statements that
//! arrive late, answers that are lost and processes that stand still change nothing: each statement names what it saw.
//!
//! A clock that stops while the machine sleeps (Linux: `CLOCK_MONOTONIC`) is not steady in this sense: hand in
//! `CLOCK_BOOTTIME`. A virtual machine that is paused from outside may not notice even then; it sends until its next
//! renewal is refused, at most a third of a term later.

#[cfg(test)]
mod exhaustive;
mod machine;
#[cfg(test)]
mod model;
mod row;
#[cfg(test)]
mod tests;

pub use machine::{Lease, LeaseAction, LeaseEvent, LeaseSight, LeaseTiming};
pub use row::{ask_for, perform};

use crate::node::{NodeId, NodeKey};

/// The lease as it stands in the ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct LeaseRow {
    /// Who holds it.
    pub holder: Option<NodeKey>,
    /// Grows each time that it is taken.
    pub epoch: u64,
    /// Grows with each change.
    pub beat: u64,
    /// To whom it is to be handed over.
    pub wanted: Option<NodeId>,
}
