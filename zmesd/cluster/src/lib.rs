//! A ledger in ZoneMinder's database that makes several zmesd one: what happened, who is registered, what was sent, and who
//! sends.

#![warn(missing_docs)]

pub mod alarms;
pub mod devices;
mod fault;
mod glance;
pub mod lease;
mod line;
pub mod node;
pub mod outcomes;
pub mod retention;
pub mod schema;
mod server;
mod times;

pub use fault::{LedgerError, LedgerFault};
pub use glance::{Glance, Head, glance};
pub use line::Line;
pub use server::LedgerServer;
