//! Whether an app may come in.

use async_trait::async_trait;

use crate::domain::{Login, LoginVerdict};

/// Looks at credentials. The implementation bounds how many it looks at in parallel.
#[async_trait]
pub trait LoginCheck: Send + Sync + std::fmt::Debug {
    /// Returns the verdict.
    ///
    /// The session passes on what the app showed, also where it showed nothing (empty user and password): whether
    /// that is good enough is decided here, because `auth.enabled = false` takes any credentials.
    async fn verify(&self, login: Login) -> LoginVerdict;
}
