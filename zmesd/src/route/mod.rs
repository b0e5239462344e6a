//! The router: who gets which alarm. Its parts: the pure [`policy`], the session table, the devices, the token table,
//! the tap.

mod attachments;
mod census;
mod decided;
mod devices;
mod handle;
mod import;
mod missed;
mod orders;
mod owners;
mod pace;
mod policy;
mod registration;
mod revalidate;
mod router;
mod rules;
mod sent_times;
mod sessions;
mod tap;
#[cfg(test)]
mod tests;
mod token_handle;
mod tokens;

pub use census::Census;
pub use decided::Decided;
pub use devices::Left;
pub use handle::{
    AlarmTestRequest, Busy, ClientPage, CloseReason, Command, NewLogin, Outgoing, RouterHandle,
    SessionOpening, Target, TestTarget, Tested, Tried, Visibility, Written,
};
pub use orders::{OrderReceiver, OrderSender, push_orders};
pub use registration::{Registration, RegistrationFault};
pub use router::{Router, RouterParts};
pub use rules::PushRules;
pub use tap::{AnnouncedAlarm, PushOutcome, SessionChange, Tap, TapEvent, TapReceiver, TokenChange};
pub use token_handle::{SessionDecision, TokenCommand, TokenImport, TokenImported};
