//! Troubles: what keeps zmesd from seeing alarms or from sending them, as a table of conditions with ids.
//!
//! [`TroubleTable`] is pure. Given observations and the time, it returns what people are told: a trouble was raised,
//! still stands, or is over. It decides how long a condition must hold before it counts, makes one trouble of forty
//! cameras that are lost together, and damps conditions that come and go. The observations come from `admin::troubles`.

mod damping;
mod group;
mod id;
mod table;

#[cfg(test)]
mod tests;

pub use damping::MOST_RAISES;
pub use id::TroubleId;
pub use table::{
    CameraSight, GROUP_HOLD, Look, Moment, Observation, Trouble, TroubleChange, TroubleNotice, TroubleRecord,
    TroubleTable,
};
