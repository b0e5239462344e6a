//! ZoneMinder users.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::MonitorRights;

/// A row of `Users` with its computed rights.
#[derive(Debug, Clone)]
pub struct User {
    /// `Users.Username`.
    pub name: String,
    /// `Users.Password` as stored: a hash in one of ZoneMinder's formats.
    pub password: SecretString,
    /// `Users.Enabled`.
    pub enabled: bool,
    /// `Users.APIEnabled`; true where the column does not exist (before 1.34), and for administrators (`System` is
    /// Edit), who can switch it on for themselves.
    pub api_enabled: bool,
    /// Whether `Users.Events` (or the role's) is at least View.
    pub may_see_events: bool,
    /// `Users.TokenMinExpiry`: access tokens issued before (seconds since 1970) are revoked; 0: none are.
    pub token_min_expiry: i64,
    /// The monitors of which the user may see events.
    pub rights: MonitorRights,
}

/// The validity of a login by access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessPass {
    /// When the token was issued, in seconds since 1970: compared with [`User::token_min_expiry`].
    pub issued_at: i64,
    /// When the token, and with it the session, ends.
    pub expires_at: Timestamp,
}

impl AccessPass {
    /// Says whether the user's tokens of that time were revoked.
    pub fn revoked_for(&self, user: &User) -> bool {
        self.issued_at < user.token_min_expiry
    }
}

impl User {
    /// Says whether the stored password has none of ZoneMinder's formats (`$2…`, `-ZM-…`, `*` and 40 digits): then no login
    /// can succeed until it is set again.
    pub fn has_plain_password(&self) -> bool {
        let stored = self.password.expose_secret();
        let mysql = stored.strip_prefix('*').is_some_and(|digits| {
            digits.len() == 40 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        });
        !(mysql || stored.starts_with("$2") || stored.starts_with("-ZM-"))
    }

    /// Returns why this user may not be served at all, if so.
    pub fn barred(&self) -> Option<&'static str> {
        if !self.enabled {
            Some("the user is disabled")
        } else if !self.api_enabled {
            Some("the API is disabled for the user")
        } else if !self.may_see_events {
            Some("the user may not see events")
        } else {
            None
        }
    }
}
