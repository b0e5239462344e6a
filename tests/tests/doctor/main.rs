//! `zmesctl doctor` on the real programs: planted faults, each named as the first red step with the command that
//! mends it; the healthy world; one alarm followed to a phone; a daemon that does not start.

mod cures;
mod faults;
mod outside;
mod phones;
mod place;
mod world;
