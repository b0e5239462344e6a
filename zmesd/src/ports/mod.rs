//! The seams at the border of the process: traits, their plain data and their errors, nothing else.
//!
//! Actors depend on these; the adapters (edges and `demo`) implement them.

mod certificate;
mod clock;
mod configuration;
mod login;
mod push;
mod push_cure;
mod push_health;
mod push_side;

pub use certificate::{CertificateInfo, CertificateProblem, CertificateSummary};
pub use clock::{Clock, SystemClock, wall_clock};
pub use configuration::{ConfigExamined, ConfigReload};
pub use login::LoginCheck;
pub use push::{PushBatch, PushDelivery, PushEnding, PushOrder, PushReceipt};
pub use push_cure::cure;
pub use push_health::{Refusals, TransportFailure, TransportHealth};
pub use push_side::{
    BreakerView, Held, PushBusy, PushCounts, PushSide, Retried, StageLatency, TransportCheck,
};
pub use zmes_shared::words::HeldBy;
