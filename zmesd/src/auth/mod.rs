//! Logins: ZoneMinder's own users, by password or by ZoneMinder's access token.
//!
//! [`Authenticator`] decides. It queries the database through a port and does not depend on sessions or MySQL.

mod authenticator;
mod checks;
mod costs;
mod limiter;
mod pace;

pub use authenticator::Authenticator;
