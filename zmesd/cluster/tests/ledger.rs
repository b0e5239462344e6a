//! The ledger on a real MariaDB: nodes are handles, and a proxy stands between them and the database.

#[cfg(test)]
#[path = "support/mariadb.rs"]
mod mariadb;

#[cfg(test)]
#[path = "support/proxy.rs"]
mod proxy;

#[cfg(test)]
#[path = "support/nodes.rs"]
mod nodes;

#[cfg(test)]
#[path = "support/contender.rs"]
mod contender;

#[cfg(test)]
#[path = "support/host.rs"]
mod host;

#[cfg(test)]
#[path = "ledger/schema.rs"]
mod schema;

#[cfg(test)]
#[path = "ledger/membership.rs"]
mod membership;

#[cfg(test)]
#[path = "ledger/alarms.rs"]
mod alarms;

#[cfg(test)]
#[path = "ledger/failures.rs"]
mod failures;

#[cfg(test)]
#[path = "ledger/leases.rs"]
mod leases;

#[cfg(test)]
#[path = "ledger/records.rs"]
mod records;

#[cfg(test)]
#[path = "ledger/outcomes.rs"]
mod outcomes;

#[cfg(test)]
#[path = "ledger/speed.rs"]
mod speed;

#[cfg(test)]
#[path = "ledger/secrets.rs"]
mod secrets;

#[cfg(test)]
#[path = "ledger/site.rs"]
mod site;
