//! How the daemon connects to a database: certificates as servers have them, accounts as MySQL makes them, and the
//! error and hint where it cannot connect. Each failure is fixed, and then alarms and logins work again without a
//! restart.

mod accounts;
mod authorities;
mod certificates;
mod mysql;
mod place;
mod troubles;
