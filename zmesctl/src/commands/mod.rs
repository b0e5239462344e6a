//! The commands, one file each: arguments, what is asked, and how people see the answer.

pub mod alarms;
pub mod ask;
pub mod badges;
pub mod checks;
pub mod clients;
pub mod completions;
pub mod config;
mod deliveries;
pub mod doctor;
mod done;
pub mod events;
mod latency;
pub mod log;
pub mod monitors;
mod named;
pub mod pictures;
pub mod push;
mod reload;
pub mod report;
pub mod rules;
pub mod snooze;
mod status;
pub mod tokens;
pub mod top;
pub mod troubles;
pub mod watch;
pub mod why;
