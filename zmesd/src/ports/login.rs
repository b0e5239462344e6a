//! The check of logins.

use async_trait::async_trait;

use crate::domain::{Login, LoginVerdict};

/// Checks credentials. The implementation bounds how many it checks in parallel.
#[async_trait]
pub trait LoginCheck: Send + Sync + std::fmt::Debug {
    /// Returns the verdict.
    ///
    /// The session passes on empty credentials, too: `auth.enabled = false` accepts any.
    async fn verify(&self, login: Login) -> LoginVerdict;
}
