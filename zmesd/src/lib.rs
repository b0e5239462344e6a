//! The daemon `zmesd`: an alarm in ZoneMinder reaches every app that may see it, within a blink.
//!
//! ARCHITECTURE.md shows the house; the rooms are, from the bottom up:
//! words ([`domain`], [`config`]) and seams ([`ports`]); pure logic ([`detect`], [`route`]'s policy, sessions of [`ws`]); actors ([`route`], [`monitors`],
//! [`state`], the poller); edges ([`ws`], [`admin`] behind [`control`], [`metrics`]); and the root ([`app`]) that wires them.

pub mod admin;
pub mod app;
pub mod auth;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod control;
pub mod demo;
pub mod detect;
pub mod domain;
#[doc(hidden)]
pub mod fuzzing;
pub mod labels;
pub mod lifecycle;
pub mod limits;
pub mod links;
pub mod metrics;
pub mod monitors;
pub mod mqtt;
pub mod pictures;
pub mod ports;
pub mod protocol;
pub mod push;
pub mod route;
pub mod rules;
pub mod sockets;
pub mod state;
pub mod telemetry;
pub mod tls;
pub mod troubles;
pub mod ws;
