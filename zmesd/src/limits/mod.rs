//! Limits that keep one peer from using up what all share: which peers count as one ([`network()`]), rates ([`Buckets`]),
//! and fair turns ([`Turns`]). Knows nothing of apps, logins or sockets.

mod buckets;
mod network;
mod turns;

pub use buckets::{Bucket, Buckets, Quota};
pub(crate) use network::count_down;
pub use network::network;
pub use turns::{Bounds, NoTurn, Turn, Turns};
