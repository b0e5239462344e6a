//! The seams at the border of the process: traits, their plain data and their errors, nothing else.
//!
//! Actors depend on these; the adapters (`zmdb`, `source`, `demo`) implement them.

mod accounts;
mod certificate;
mod clock;
mod configuration;
mod database;
mod events;
mod login;
mod push;
mod push_fault;
mod push_health;
mod push_side;
mod trigger;
mod zoneminder;

pub use accounts::AccountStore;
pub use certificate::{CertificateInfo, CertificateProblem, CertificateSummary};
pub use clock::{Clock, SystemClock};
pub use configuration::{ConfigExamined, ConfigReload};
pub use database::{
    DatabaseCheck, DatabaseFault, DatabaseReport, DatabaseTrouble, ServerShare, ServerShares,
};
pub use events::{EventRow, EventStore, Whereabouts};
pub use login::LoginCheck;
pub use push::{
    CheckStep, Delivered, Push, PushBatch, PushDelivery, PushEnding, PushError, PushOrder, PushReceipt,
    PushTransport, PushedAlarm,
};
pub use push_fault::{Fault, FaultKind, Mender};
pub use push_health::{Refusals, TransportFailure, TransportHealth};
pub use push_side::{
    BreakerView, Held, PushBusy, PushCounts, PushSide, Retried, StageLatency, TransportCheck,
};
pub use trigger::{AlarmTrigger, TriggerCommand, TriggerError, TriggerVia};
pub use zmes_shared::words::HeldBy;
pub use zoneminder::{DbError, DbHealth, MonitorStore, Zoneminder};
