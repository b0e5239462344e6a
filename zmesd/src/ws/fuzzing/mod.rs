//! Fuzzer targets for what apps send: see [`crate::fuzzing`].

mod frames;
mod handshake;

pub(crate) use frames::app_frames;
pub(crate) use handshake::{http_upgrade, proxy_header};
