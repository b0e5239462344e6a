//! The domain: plain values that every room uses. No I/O, no tasks, no clocks.

mod alarm;
mod decision;
mod filter;
mod login;
mod monitor;
mod push;
mod reading;
mod rights;
mod user;
mod zm_version;

pub use alarm::Alarm;
pub use decision::Decision;
pub use filter::{FilterProblem, MonitorFilter};
pub use login::{Credentials, Login, LoginVerdict, SHOWN_NAME};
pub use monitor::{Monitor, MonitorSet, NotWatched, Recording};
pub use push::{DeliveryId, PushState, Revoked, Token, TokenId};
pub use reading::{Reading, Trigger};
pub use rights::MonitorRights;
pub use user::{AccessPass, User};
pub use zm_version::ZmVersion;
pub use zmes_shared::words::{Origin, SkipReason};
