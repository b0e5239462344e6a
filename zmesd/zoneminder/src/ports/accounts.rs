//! Where users come from.

use async_trait::async_trait;
use secrecy::SecretString;

use crate::DbError;
use crate::User;

/// ZoneMinder's users. Each call is bounded in time by the implementation.
#[async_trait]
pub trait AccountStore: Send + Sync + std::fmt::Debug {
    /// Returns the user of that name as it is now, or `None`.
    async fn find(&self, name: &str) -> Result<Option<User>, DbError>;

    /// Returns all users, to renew the rights of those who are connected.
    async fn all(&self) -> Result<Vec<User>, DbError>;

    /// Returns `ZM_AUTH_HASH_SECRET`, with which ZoneMinder signs access tokens; `None` if it is empty.
    async fn token_secret(&self) -> Result<Option<SecretString>, DbError>;
}
