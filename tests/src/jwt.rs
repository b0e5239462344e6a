//! ZoneMinder's API tokens, signed as by its web interface.

use anyhow::{Context, Result};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

use crate::wall_clock::epoch_seconds;

/// The content of a token. Times are seconds relative to now.
#[derive(Debug, Clone, Copy)]
pub struct Claims<'a> {
    /// `Users.Username`
    pub user: &'a str,
    /// `access` or `refresh`.
    pub kind: &'a str,
    /// When it was issued; negative values are in the past.
    pub issued: i64,
    /// When it expires.
    pub expires: i64,
}

impl<'a> Claims<'a> {
    /// Returns the claims of an access token that was just issued and lasts two hours.
    pub fn of(user: &'a str) -> Self {
        Self { user, kind: "access", issued: 0, expires: 7200 }
    }
}

/// Returns a token (HS256) signed with `secret`, which is ZoneMinder's `ZM_AUTH_HASH_SECRET`.
pub fn access_token(claims: Claims<'_>, secret: &str) -> Result<String> {
    let now = epoch_seconds();
    let body = json!({
        "iss": "ZoneMinder", "iat": now + claims.issued, "exp": now + claims.expires,
        "user": claims.user, "type": claims.kind,
    });
    encode(&Header::new(Algorithm::HS256), &body, &EncodingKey::from_secret(secret.as_bytes()))
        .context("sign the token")
}
