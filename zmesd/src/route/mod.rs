//! The router: who gets which alarm. Its parts: the pure [`policy`], the session table, the devices, the tap.

mod devices;
mod handle;
mod policy;
mod revalidate;
mod router;
mod sessions;
mod tap;
#[cfg(test)]
mod tests;

pub use handle::{
    AlarmTestRequest, Attach, Attached, Busy, CloseReason, Command, Outgoing, RouterHandle, SessionOpening,
    TestTarget, Tested, Visibility, Written,
};
pub use router::{Router, RouterParts};
pub use tap::{Tap, TapReceiver};
