//! Limits that keep one peer from using up shared resources: which addresses count as one peer ([`network()`]), rates
//! ([`Buckets`]), and fair turns ([`Turns`]). Does not depend on apps, logins or sockets.

mod buckets;
mod network;
mod turns;

pub use buckets::{Bucket, Buckets, Quota};
pub(crate) use network::count_down;
pub use network::network;
pub use turns::{Bounds, NoTurn, Turn, Turns};
