//! The words of a login: its credentials and its verdict.

use std::net::IpAddr;
use std::sync::Arc;

use secrecy::SecretString;

use super::user::{AccessPass, User};

/// Longest unauthenticated user name in logs, tables and streams, in characters.
pub const SHOWN_NAME: usize = 64;

/// What an app logs in with.
#[derive(Debug)]
pub enum Credentials {
    /// `{"user":…,"password":…}`
    Password {
        /// ZoneMinder user name.
        user: String,
        /// Its password.
        password: SecretString,
    },
    /// `{"token":…}`: an access token (JWT) of ZoneMinder's API.
    AccessToken(SecretString),
}

impl Credentials {
    /// Returns the user name; that of a token is not known before it was checked.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Password { user, .. } => Some(user),
            Self::AccessToken(_) => None,
        }
    }
}

/// Credentials and where they came from.
#[derive(Debug)]
pub struct Login {
    pub credentials: Credentials,
    pub address: IpAddr,
}

/// The outcome of a login.
#[derive(Debug, Clone)]
pub enum LoginVerdict {
    Accepted(Arc<User>),
    /// By an access token: the session ends when it expires.
    AcceptedUntil(Arc<User>, AccessPass),
    /// Wrong, unknown, disabled, expired: the app is answered `BADAUTH`, the log has the reason.
    Rejected(&'static str),
    /// Too many failures from that address or for that user: closed with 1013, because the credentials may be right.
    Throttled,
    /// Cannot be checked now (database unreachable, too busy): closed with 1013, and the app tries again.
    Unavailable(&'static str),
}
