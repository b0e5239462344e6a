//! The words of a login: what an app shows, and what is decided about it.

use std::net::IpAddr;
use std::sync::Arc;

use secrecy::SecretString;
use zmes_zoneminder::{AccessPass, User};

/// Characters of a user name that nobody has vouched for, in logs, tables and streams.
pub const SHOWN_NAME: usize = 64;

/// What an app shows at the door.
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
    /// Returns the user name that was shown; a token's is not known before it was checked.
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
    /// What was shown.
    pub credentials: Credentials,
    /// The app's address.
    pub address: IpAddr,
}

/// The outcome of a login.
#[derive(Debug, Clone)]
pub enum LoginVerdict {
    /// Come in.
    Accepted(Arc<User>),
    /// Come in by an access token, and leave with it.
    AcceptedUntil(Arc<User>, AccessPass),
    /// Wrong, unknown, disabled, expired: the app hears `BADAUTH`, the log the reason.
    Rejected(&'static str),
    /// Too many failures from there or for that user lately: closed with 1013, because the credentials may well be
    /// right.
    Throttled,
    /// It cannot be known now (database away, too busy): the app is closed with 1013 and tries again.
    Unavailable(&'static str),
}
