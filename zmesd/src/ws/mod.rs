//! The WebSocket server: apps connect, log in, and receive their alarms.
//!
//! Each [`Listener`] is one task. Each connection is a small task of its own from the first byte: the handshakes (PROXY
//! header, TLS, HTTP upgrade) with deadlines, then the [`pump`] that carries frames between the socket, the sans-IO
//! [`session`], the router's outbox and the login check. A silent, slow or broken peer delays no other.
//!
//! Uses the router, the login check and the record only through their handles, and decides nothing about alarms.

mod authority;
mod close;
mod connection_limits;
mod context;
mod end;
pub(crate) mod fuzzing;
mod handshake;
mod keepalive;
mod listener;
mod meter;
mod origin;
mod outbox;
mod picture;
mod proxy;
mod pump;
mod rate;
mod refusal;
mod replay;
mod request;
mod session;
mod settings;
mod snooze;
mod socket;
mod upgrade;
mod work;

pub use connection_limits::MAX_PENDING;
pub use context::{WsContext, WsParts};
pub use listener::{AcceptError, Listener, bind};
pub use replay::AlarmRecord;
pub use settings::ServerSettings;

use end::End;

#[cfg(test)]
mod tests;
