//! The ledger on three members of a real Galera cluster.

#[cfg(test)]
#[path = "support/contender.rs"]
mod contender;

#[cfg(test)]
#[path = "support/galera.rs"]
mod galera;

#[cfg(test)]
#[path = "support/nodes.rs"]
mod nodes;

#[cfg(test)]
#[path = "support/proxy.rs"]
mod proxy;

#[cfg(test)]
#[path = "galera/members.rs"]
mod members;
