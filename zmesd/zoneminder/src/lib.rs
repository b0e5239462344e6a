//! ZoneMinder from outside.

#![warn(missing_docs)]

pub mod access_token;
pub mod conf;
pub mod database;
#[doc(hidden)]
pub mod fuzzing;
mod monitor;
pub mod password;
mod ports;
mod reading;
mod rights;
pub mod shm;
pub mod trigger;
mod user;
mod version;

pub use monitor::{Monitor, MonitorSet, NotWatched, Recording};
pub use ports::{
    AccountStore, AlarmTrigger, DatabaseCheck, DatabaseFault, DatabaseReport, DatabaseTrouble, DbError,
    DbHealth, EventRow, EventStore, MonitorSource, MonitorStore, ServerShare, ServerShares, TriggerCommand,
    TriggerError, TriggerVia, Whereabouts, Zoneminder,
};
pub use reading::{Reading, Trigger};
pub use rights::MonitorRights;
pub use user::{AccessPass, User};
pub use version::ZmVersion;
