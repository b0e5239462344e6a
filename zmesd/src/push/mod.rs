//! Pushes: from an alarm and a token to a message on a phone.
//!
//! [`transport`] knows the providers: how to reach them, how to prove who we are, what their answers mean. What a
//! message says is decided in `payload`, which is pure.

mod payload;
pub mod transport;
