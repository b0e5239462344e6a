//! The router: who gets which alarm.
//!
//! Owns: the session table, the throttles, the filters of known devices. Receives: alarms from the poller and the
//! reconciler, commands from sessions and from the control socket, the catalog. Sends: frames to sessions, notes to
//! the state, batches to the tap. It awaits nobody: every send is a `try_send`. Ends: after its senders.

mod handle;
mod tap;

pub use handle::{
    AlarmTestRequest, Attach, Attached, Busy, CloseReason, Command, Outgoing, RouterHandle, SessionOpening,
    TestTarget, Tested, Visibility, Written,
};
pub use tap::{Tap, TapReceiver};
