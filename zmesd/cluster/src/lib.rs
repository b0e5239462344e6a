//! A ledger in ZoneMinder's database that makes several zmesd one: what happened, who is registered, what was sent, and who
//! sends.
//!
//! Each host of a ZoneMinder site runs a zmesd beside its own cameras, a *node*. What the nodes have to know of each other
//! stands in a schema of its own on the database server that the site has anyway, a single MariaDB or MySQL or a Galera
//! cluster. Replication, commits and recovery are the database's. Here are tables, keys, and statements that say what they
//! have seen, so that they do nothing where something has changed since.
//!
//! This crate knows no apps, no policy and no ZoneMinder: bodies of alarms and records are bytes for it. It has no tasks; a
//! caller drives it.
//!
//! # Modules
//!
//! | module | what it does |
//! |---|---|
//! | [`schema`] | makes the tables and the account, step by step and shown before; says what is wrong with them |
//! | [`node`] | registers a start of a node and fences the one before; heartbeats; who is there |
//! | [`alarms`] | the log: one writer for each node, in order; a reader of all others, each alarm once; keys of duplicates |
//! | [`lease`] | who sends pushes: a state machine without I/O, and its four statements |
//! | [`duty`] | which node pushes an alarm: the pusher what is in the log, a node that is alone its own |
//! | [`orphans`] | which servers have no node at work, and which node watches their monitors |
//! | [`records`] | what all nodes know: devices, snoozes, troubles, with numbers by which every node reads the changes |
//! | [`outcomes`] | what was sent and what was not, and why; what a new pusher finds open |
//! | [`secrets`] | keys that all nodes must have in common |
//! | [`retention`] | forgets what is old, in small steps |
//! | [`glance()`] | one statement that says whether anything is new, asked 20 times a second |
//!
//! A [`LedgerLine`] is one connection with a deadline for all it does. Deadlocks, failed certifications and lock waits are
//! repeated there, always as whole transactions; all else is a [`LedgerError`] with a kind, a sentence and a hint.
//!
//! # Example
//!
//! `examples/ledger.rs` makes a ledger and has two nodes tell each other of an alarm:
//! `cargo run -p zmes-cluster --example ledger -- /run/mysqld/mysqld.sock root`.
//!
//! The lease needs no database:
//!
//! ```
//! use std::time::Duration;
//! use zmes_cluster::lease::{Lease, LeaseAction, LeaseEvent, LeaseRow, LeaseSight, LeaseTiming};
//! use zmes_cluster::node::{NodeId, NodeKey};
//!
//! let own = NodeKey { id: NodeId(1), epoch: 1 };
//! let ms = Duration::from_millis;
//! let mut lease = Lease::new(own, 0, LeaseTiming::new(ms(3_000)), ms(0));
//! let free = LeaseRow::default();
//! let sight = LeaseSight { row: free, is_wanted_alive: false, holder_prefer: None, is_other_well: true };
//! assert_eq!(lease.on(LeaseEvent::Seen(sight), ms(10)), [LeaseAction::Take(free)]);
//! let taken = LeaseEvent::Taken { sent: ms(10), epoch: Some(1) };
//! assert_eq!(lease.on(taken, ms(15)), [LeaseAction::Lead(1)]);
//! assert!(lease.may_send(ms(2_509)));
//! assert!(!lease.may_send(ms(2_510)), "2.5 s after the last renewal was sent");
//! ```
//!
//! # Driving it
//!
//! `tests/support/host.rs` is a host that does all of this in 300 lines. What it needs:
//!
//! - The lease has a line of its own, with [`LeaseTiming::deadline`](lease::LeaseTiming::deadline), and a task of its own:
//!   who reads a long list of open alarms between two renewals is fenced meanwhile, and begins again.
//! - A heartbeat each second, of which the lease is told ([`LeaseEvent::Beat`](lease::LeaseEvent::Beat)): it shows that the
//!   ledger takes writes; [`Heartbeat::Fenced`](node::Heartbeat::Fenced) ends all work on the ledger,
//!   [`Heartbeat::Forgotten`](node::Heartbeat::Forgotten) and `Removed` ask for another registration.
//! - Own apps are told first. Then the alarm goes to the disk as not yet logged, then to
//!   [`AlarmWriter::push`](alarms::AlarmWriter::push); when it is written, the disk is told. A start begins with what the disk
//!   has, in doubt as it may be.
//! - At [`LeaseAction::Lead`](lease::LeaseAction::Lead): report what was sent before, then read
//!   [`open_alarms`](outcomes::open_alarms) page by page; what [`Reader`](alarms::Reader) brings from then on is new.
//! - [`Lease::may_send`](lease::Lease::may_send) immediately before each push; at
//!   [`LeaseAction::Fence`](lease::LeaseAction::Fence) all that waits is dropped, for it is in the ledger. Outcomes are
//!   reported also after that.
//! - What [`duty`] says while the node is alone; each outcome on the disk and in
//!   [`AlarmWriter::note`](alarms::AlarmWriter::note).
//!
//! # What holds, and what does not
//!
//! - **An alarm that is in the log is read by each node once, in the order of the node that wrote it.** Numbers are
//!   committed in order: nothing is tried with a later number while an earlier one is in doubt. A commit whose answer is
//!   lost is tried again under the same number, and finds itself.
//! - **Two starts of a node never both write.** Each transaction writes the node's row and names the epoch, so that
//!   `InnoDB` and Galera put it in one order with the next start. A row that is only read would fence nothing: Galera
//!   certifies what was written.
//! - **At most one node may send at any moment**, whatever clocks of databases do: see [`lease`]. What was handed to a
//!   provider in the moment of the fence may have been taken, so the next pusher can repeat it. That is bounded by what was
//!   on its way.
//! - **No alarm is lost for a phone, and a phone rings at most once more for each fault**: `duty::model` explores every
//!   order of crashes, cuts and lost answers. It needs alarms that are not in the log yet to be kept on the node's disk.
//! - **A node that was alone can cause a duplicate**, in two ways. An alarm whose write had no answer
//!   ([`BacklogEntry::is_in_doubt`](alarms::BacklogEntry::is_in_doubt); at most one batch, 64) may be in the log, and the
//!   pusher sends it, too. And if the node alone is cut off, the pusher finds it silent and watches its monitors through
//!   the Events table ([`orphans`]); then each alarm can be sent by both, for as long as that lasts. The log has both under one key, and
//!   what the node has sent comes with the alarm in one transaction ([`AlarmWriter::note`](alarms::AlarmWriter::note)), so no
//!   third one is sent. A phone shows such a pair as one notice only if pushes have a collapse key.
//! - **A database that crashes without `innodb_flush_log_at_trx_commit = 1` forgets what it had confirmed.** Nodes notice
//!   ([`LedgerFault::Forgotten`]), register again under an epoch that was never used, and their later alarms are read.
//!
//! # Tests
//!
//! `cargo test -p zmes-cluster` starts real MariaDB servers and, where galera-4 is installed, three members of a cluster;
//! what is not installed is skipped with a message. `lease::model` runs several nodes against one row with lost answers,
//! late statements, stalls, crashes, twins and unequal clocks, and looks at every moment for two senders; `lease::exhaustive`
//! follows two nodes through every order of what can happen within two terms, `duty::model` one alarm.

#![warn(missing_docs)]

pub mod alarms;
pub mod duty;
mod fault;
mod glance;
pub mod lease;
mod line;
mod lists;
pub mod node;
pub mod orphans;
pub mod outcomes;
pub mod records;
pub mod retention;
pub mod schema;
pub mod secrets;
mod server;
mod times;

pub use fault::{LedgerError, LedgerFault};
pub use glance::{Glance, Head, glance};
pub use line::LedgerLine;
pub use server::LedgerServer;
