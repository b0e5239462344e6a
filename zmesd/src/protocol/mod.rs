//! The app protocol as bytes: parses leniently what apps send, and writes replies to the letter.
//!
//! Pure: no sockets, no state. The words are those of the apps (`monlist`, `intlist`, `EventId`).

mod alarm;
mod incoming;
mod outgoing;
mod push;
mod snooze;

pub use alarm::{AlarmBody, alarm};
pub use incoming::{
    AuthFrame, FilterFault, FilterStatement, FrameBody, IncomingFrame, Malformed, SinceFault, parse,
};
pub use outgoing::{AppReply, ServerIdentity};
pub use push::{PushFrame, TokenFault, TokenFrame};
pub use snooze::{SnoozeRefusal, SnoozeStatement};
