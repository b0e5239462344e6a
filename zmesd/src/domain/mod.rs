//! The words of the house: plain values that every room uses. No I/O, no tasks, no clocks.

mod alarm;
mod decision;
mod filter;
mod monitor;
mod push;
mod reading;
mod rights;
mod user;
mod zm_version;

pub use alarm::Alarm;
pub use decision::Decision;
pub use filter::{FilterProblem, MonitorFilter};
pub use monitor::{Monitor, MonitorSet, NotWatched, Recording};
pub use push::{
    App, DeliveryId, Platform, PushState, PushToken, Revoked, Token, TokenHandle, TokenId, TokenProblem,
};
pub use reading::{Reading, Trigger};
pub use rights::MonitorRights;
pub use user::{AccessPass, User};
pub use zm_version::ZmVersion;
pub use zmes_shared::words::{Origin, SkipReason};
