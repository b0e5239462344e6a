//! How the daemon reaches a database: with the certificates that servers have, with accounts as MySQL makes them, and
//! what is said, with which cure, where it cannot. Each failure is fixed, and then alarms and logins continue by themselves.

mod accounts;
mod authorities;
mod certificates;
mod mysql;
mod place;
mod troubles;
