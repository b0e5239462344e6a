//! What the router has, in numbers: for `/metrics`, in one question.

use crate::telemetry::TokenState;
use zmes_providers::Platform;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Census {
    /// Sessions that have not authenticated.
    pub pending: u64,
    pub authenticated: u64,
    pub tokens: Vec<((Platform, TokenState), u64)>,
}
