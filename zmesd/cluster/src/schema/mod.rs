//! The tables of the ledger, how they are made, and whether they are as they should be.
//!
//! Later versions only add to the tables, so that a node of an older version goes on while others are upgraded.

mod plan;
mod tables;
mod verify;
mod versions;

pub use plan::{Account, Plan, Statement};
pub use tables::VERSION;
pub use verify::{Check, CheckFinding, ClockOffset, clock_offset, verify};
pub use versions::{ServerVersion, account_exists, server_version};
