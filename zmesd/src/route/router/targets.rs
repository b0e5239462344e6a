//! `[[target]]`: each is a token that the configuration registers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::info;
use zmes_providers::PushToken;

use super::Router;
use crate::config::{TargetPhase, TargetReceiver};
use crate::domain::{MonitorFilter, PushState, Revoked, SkipReason, Token, TokenId};
use crate::monitors::Catalog;
use crate::route::policy::EndReceiver;
use crate::route::tokens::TokenEntry;
use crate::state::Note;

/// The targets that are configured, by their tokens.
#[derive(Debug, Default)]
pub(super) struct Targets(BTreeMap<TokenId, TargetReceiver>);

impl Targets {
    /// Says whether alarms are decided for a token: a phone's always, a target's where its phases have them.
    pub(super) fn hears_alarms(&self, token: &Token) -> bool {
        token.token.target().is_none()
            || self.0.get(&token.id).is_some_and(|target| target.hears(TargetPhase::Start))
    }

    /// Returns what kind of receiver of ends a token is.
    pub(super) fn end_receiver(&self, token: &Token) -> EndReceiver {
        if token.token.target().is_none() {
            return EndReceiver::Token;
        }
        EndReceiver::Target(self.0.get(&token.id).is_some_and(|target| target.hears(TargetPhase::End)))
    }

    /// Says whether a token hears of updates: a phone as `labels.update` says, a target by its phases.
    pub(super) fn hears_updates(&self, token: &Token, phones: bool) -> bool {
        match token.token.target() {
            None => phones,
            Some(_) => self.0.get(&token.id).is_some_and(|target| target.hears(TargetPhase::Update)),
        }
    }

    /// Returns the least time between two messages of a target; `None`: the token is a phone's.
    pub(super) fn interval(&self, token: &Token) -> Option<Duration> {
        token.token.target()?;
        self.0.get(&token.id).map(|target| target.interval)
    }
}

impl Router {
    /// Makes the tokens of targets what the configuration says, and withdraws what waits for those that left it.
    pub(super) fn configure_targets(&mut self) {
        let targets = Arc::clone(&self.parts.targets.borrow_and_update());
        let mut configured = Targets::default();
        let mut written = Vec::new();
        for target in targets.iter() {
            let (id, changed) = self.configure_target(target);
            configured.0.insert(id, target.clone());
            written.extend(changed);
        }
        self.note_all(written);
        let gone: Vec<_> = self
            .tokens
            .live()
            .map(TokenEntry::token)
            .filter(|token| token.token.target().is_some() && !configured.0.contains_key(&token.id))
            .map(|token| token.id)
            .collect();
        for id in &gone {
            // Before the token is revoked, which would be another reason.
            self.note(Note::Withdrawn(*id, SkipReason::NotConfigured));
        }
        self.revoke(gone, Revoked::NOT_CONFIGURED);
        self.targets = configured;
    }

    /// The monitors have changed: names of targets may mean others.
    pub(super) fn renew_targets(&mut self) {
        let by_name = |target: &TargetReceiver| !target.monitors.is_empty();
        if self.targets.0.values().any(by_name) {
            self.configure_targets();
        }
    }

    fn configure_target(&mut self, target: &TargetReceiver) -> (TokenId, Option<Arc<Token>>) {
        let token = PushToken::of_target(target.name);
        let now = self.parts.clock.now();
        let before = self.tokens.find(&token).map(|entry| Arc::clone(entry.token()));
        let catalog = Arc::clone(&self.parts.catalog.borrow());
        let kept = before.as_ref().filter(|before| before.revoked.is_none()).map(|before| &before.filter);
        let filter = filter(target, &catalog, kept);
        let (id, changed) = self.tokens.configure(token, now, |token| {
            token.state = PushState::Enabled;
            token.user.clone_from(&target.user);
            token.filter = filter;
            if token.revoked.take().is_some() {
                token.last_seen_at = now;
            }
        });
        let Some(changed) = changed else { return (id, None) };
        let change = match before.as_deref() {
            Some(Token { revoked: None, .. }) => "changed",
            Some(_) | None => "registered",
        };
        info!(handle = %changed.handle, user = changed.user, "target {change}");
        self.tell_token(change, &changed);
        if before.is_some_and(|before| before.user != target.user) {
            // What was decided by the rights of one user must not reach another.
            self.note(Note::Withdrawn(id, SkipReason::AnotherUser));
            self.withdraw(id);
        }
        (id, Some(changed))
    }
}

/// Returns the monitors of a target. Names that the catalog does not have are none; before it has been read, what was
/// known at the last start holds.
fn filter(target: &TargetReceiver, catalog: &Catalog, kept: Option<&MonitorFilter>) -> MonitorFilter {
    if target.monitors.is_empty() {
        return MonitorFilter::All;
    }
    if catalog.loaded_at.is_none() && kept.is_some_and(|kept| *kept != MonitorFilter::All) {
        return kept.cloned().unwrap_or_default();
    }
    let meant = |name: &str, id| target.monitors.iter().any(|monitor| monitor.names(id, name));
    let monitors = catalog.monitors.iter().filter(|monitor| meant(&monitor.name, monitor.id));
    MonitorFilter::Only(monitors.map(|monitor| (monitor.id, target.interval)).collect())
}
