//! The contract between the daemon `zmesd` and its administration tool `zmesctl`.
//!
//! # The control protocol
//!
//! 1. The client connects to the daemon's Unix socket (`/run/zmesd/control.sock`).
//! 2. The daemon greets with one line: `{"hello":{"protocol":{"major":1,"minor":0},"daemon":"0.2.0","role":"admin"}}`.
//!    The client compares the major number ([`control::version`]).
//! 3. Each request is one line, at most [`control::MAX_REQUEST`] bytes: `{"id":1,"request":{"type":"status"}}`.
//! 4. When the work is done, the daemon answers with the same id: `{"id":1,"ok":{…}}`, or
//!    `{"id":1,"error":{"code":"not_found","message":"…","hint":"…"}}`.
//!    A long list comes in pages: if there is a `next`, send it as `after` in the next request.
//! 5. A stream (`watch`) sends any number of `{"id":1,"item":{…}}` and ends with `{"id":1,"end":{"reason":"…"}}`.
//!
//! Try it by hand: `socat - UNIX-CONNECT:/run/zmesd/control.sock`.
//!
//! # Compatibility
//!
//! Within a major version, changes are only additions: members and variants are added, never renamed or removed.
//! Readers ignore unknown members and read unknown enum values as `unknown`; an unknown request is answered with the
//! code `unsupported`. The JSON of the views is also the output of `zmesctl --json`.

#![warn(missing_docs)]

#[cfg(feature = "client")]
pub mod client;
pub mod control;
pub mod database;
pub mod duration;
pub mod host;
mod ids;
mod labels;
pub mod machine;
pub mod paths;
#[cfg(feature = "schema")]
pub mod schema;
mod sentence;
pub mod text;
pub mod views;
pub mod words;
mod zm;

pub use ids::{EventId, InvalidId, MonitorId, SessionId};
pub use labels::{LABEL_MAX, Label, MAX_LABELS};
pub use zm::MonitorState;
