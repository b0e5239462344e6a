//! The seams at the border of the process: traits, their plain data and their errors, nothing else.
//!
//! Actors depend on these; the adapters (`zmdb`, `source`, `demo`) implement them.

mod certificate;
mod clock;
mod configuration;
mod login;
mod push;
mod push_fault;
mod push_health;
mod push_side;

pub use certificate::{CertificateInfo, CertificateProblem, CertificateSummary};
pub use clock::{Clock, SystemClock};
pub use configuration::{ConfigExamined, ConfigReload};
pub use login::LoginCheck;
pub use push::{
    CheckStep, Delivered, Push, PushBatch, PushDelivery, PushEnding, PushError, PushOrder, PushReceipt,
    PushTransport, PushedAlarm,
};
pub use push_fault::{Fault, FaultKind, Mender};
pub use push_health::{Refusals, TransportFailure, TransportHealth};
pub use push_side::{
    BreakerView, Held, HeldBy, PushBusy, PushCounts, PushSide, Retried, StageLatency, TransportCheck,
};
