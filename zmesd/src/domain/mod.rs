//! The domain: plain values that every room uses. No I/O, no tasks, no clocks.

mod alarm;
mod decision;
mod filter;
mod login;
mod push;
mod snooze;

pub use alarm::{Alarm, AlarmLabels, AlarmSpan, Elsewhere, LedgerMark, UPDATE_WITHIN};
pub use decision::{DecidedBy, Decision, StartState, ToldStart};
pub use filter::{FilterProblem, MonitorFilter};
pub use login::{Credentials, Login, LoginVerdict, SHOWN_NAME};
pub use push::{DeliveryId, PushState, Registration, Revoked, Token, TokenBlock, TokenId};
pub use snooze::{Snooze, SnoozeId, SnoozeScope};
pub use zmes_shared::words::{Origin, Phase, SkipReason};
