//! The traits behind which ZoneMinder stands, with their data and errors: a consumer's tests put fakes in their place.

mod accounts;
mod database;
mod events;
mod installation;
mod source;
mod trigger;

pub use accounts::AccountStore;
pub use database::{
    DatabaseCheck, DatabaseFault, DatabaseReport, DatabaseTrouble, ServerShare, ServerShares,
};
pub use events::{EventRow, EventStore, Whereabouts};
pub use installation::{DbError, DbHealth, MonitorStore, Zoneminder};
pub use source::MonitorSource;
pub use trigger::{AlarmTrigger, TriggerCommand, TriggerError, TriggerVia};
