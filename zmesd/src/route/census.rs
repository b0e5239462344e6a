//! What the router has, in numbers: for `/metrics`, in one question.

use zmes_providers::Platform;

use super::router::Router;
use crate::domain::PushState;
use crate::telemetry::{Labels, TokenState};

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

impl Router {
    /// Counts.
    pub(super) fn census(&self) -> Census {
        let now = self.parts.clock.now();
        let mut tokens: Vec<_> = <(Platform, TokenState)>::all().into_iter().map(|kind| (kind, 0)).collect();
        for entry in self.tokens.all() {
            let token = entry.token();
            let state = match token.state {
                _ if token.revoked.is_some() => TokenState::Revoked,
                _ if token.muted(now) => TokenState::Muted,
                PushState::Enabled => TokenState::Enabled,
                PushState::Disabled => TokenState::Disabled,
            };
            let kind = (token.platform, state);
            tokens.iter_mut().filter(|(known, _)| *known == kind).for_each(|(_, number)| *number += 1);
        }
        let authenticated = self.sessions.values().filter(|session| session.login.is_some()).count();
        let pending = self.sessions.len() - authenticated;
        Census { pending: pending as u64, authenticated: authenticated as u64, tokens }
    }
}
