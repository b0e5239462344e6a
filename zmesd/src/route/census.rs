//! What the router has, in numbers: for `/metrics`, in one question.

use crate::telemetry::TokenState;
use zmes_providers::Platform;

/// Sessions and tokens at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Census {
    /// Sessions that have not authenticated.
    pub pending: u64,
    /// Sessions that have.
    pub authenticated: u64,
    /// Tokens, for every platform and state.
    pub tokens: Vec<((Platform, TokenState), u64)>,
}
