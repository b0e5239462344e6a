//! The control socket as a peer sees it: a real socket, literal JSON lines, the real router and the real state.

mod doctor;
mod limits;
mod peer;
mod push;
mod push_side;
mod requests;
mod roles;
mod socket;
mod streams;
mod tokens;
mod watch_choice;
mod world;
