//! `zmesctl hook` with real commands, and `watch --reconnect`: what a command is told, what becomes of one that hangs, fails
//! or floods, and that over restarts of daemon and hook nothing is lost.

mod commands;
mod restarts;
mod rights;
mod stage;
mod troubles;
