//! The words of the house: plain values that every room uses. No I/O, no tasks, no clocks.

mod alarm;
mod decision;
mod filter;
mod login;
mod push;

pub use alarm::{Alarm, Origin};
pub use decision::{Decision, SkipReason};
pub use filter::{FilterProblem, MonitorFilter};
pub use login::{Credentials, Login, LoginVerdict, SHOWN_NAME};
pub use push::{DeliveryId, PushState, Revoked, Token, TokenId};
