//! Logins: ZoneMinder's own users, by password or by ZoneMinder's access token.
//!
//! [`Authenticator`] decides; it asks the database through a port and knows nothing of sessions or of MySQL.

mod authenticator;
mod checks;
mod costs;
mod limiter;
mod pace;

pub use authenticator::Authenticator;
