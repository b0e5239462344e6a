//! A login: an app's credentials, and the result.

use std::net::IpAddr;
use std::sync::Arc;

use secrecy::SecretString;
use zmes_zoneminder::{AccessPass, User};

/// Maximum length in characters of an unverified user name in logs, tables and streams.
pub const SHOWN_NAME: usize = 64;

#[derive(Debug)]
pub enum Credentials {
    /// `{"user":…,"password":…}`
    Password { user: String, password: SecretString },
    /// `{"token":…}`: an access token (JWT) of ZoneMinder's API.
    AccessToken(SecretString),
}

impl Credentials {
    /// Returns the user name; `None` for an access token, whose user is unknown before the check.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Password { user, .. } => Some(user),
            Self::AccessToken(_) => None,
        }
    }
}

#[derive(Debug)]
pub struct Login {
    pub credentials: Credentials,
    pub address: IpAddr,
}

#[derive(Debug, Clone)]
pub enum LoginVerdict {
    Accepted(Arc<User>),
    /// Accepted by an access token; the session ends when that expires.
    AcceptedUntil(Arc<User>, AccessPass),
    /// Wrong, unknown, disabled or expired: the app gets `BADAUTH`, the log the reason.
    Rejected(&'static str),
    /// Too many failures from this address or for this user: closed with 1013, because the credentials may be right.
    Throttled,
    /// Cannot be decided now (database down, too busy): the app is closed with 1013 and retries.
    Unavailable(&'static str),
}
