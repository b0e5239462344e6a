//! The domain: plain values that every room uses. No I/O, no tasks, no clocks.

mod alarm;
mod decision;
mod filter;
mod login;
mod push;

pub use alarm::Alarm;
pub use decision::Decision;
pub use filter::{FilterProblem, MonitorFilter};
pub use login::{Credentials, Login, LoginVerdict, SHOWN_NAME};
pub use push::{DeliveryId, PushState, Registration, Revoked, Token, TokenId};
pub use zmes_shared::words::{Origin, SkipReason};
