//! The seams at the border of the process: traits, their plain data and their errors, nothing else.
//!
//! Actors depend on these; the adapters (`zmdb`, `source`, `demo`) implement them.

mod accounts;
mod clock;
mod events;
mod login;
mod trigger;
mod zoneminder;

pub use accounts::AccountStore;
pub use clock::{Clock, SystemClock};
pub use events::{EventRow, EventStore};
pub use login::LoginCheck;
pub use trigger::{AlarmTrigger, TriggerCommand, TriggerError, TriggerVia};
pub use zoneminder::{DbError, DbHealth, MonitorStore, Zoneminder};
