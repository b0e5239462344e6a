//! What keeps one peer from taking everything: who counts as one ([`network()`]), how fast ([`Buckets`]), and whose turn
//! it is ([`Turns`]). Knows nothing of apps, logins or sockets.

mod buckets;
mod network;
mod turns;

pub use buckets::{Bucket, Buckets, Quota};
pub use network::network;
pub use turns::{Bounds, NoTurn, Turn, Turns};
