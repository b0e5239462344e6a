//! `[[target]]`: each target is a token that the configuration registers.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::info;
use zmes_providers::PushToken;

use super::Router;
use crate::config::{TargetPhase, TargetReceiver};
use crate::domain::{MonitorFilter, PushState, Revoked, SkipReason, Token, TokenId};
use crate::monitors::Catalog;
use crate::route::policy::EndReceiver;
use crate::route::tokens::TokenEntry;
use crate::state::Note;

/// The configured targets, by token.
#[derive(Debug, Default)]
pub(super) struct Targets(BTreeMap<TokenId, TargetReceiver>);

impl Targets {
    /// Returns whether alarms are decided for a token: always for a phone, for a target if its phases include them.
    pub(super) fn hears_alarms(&self, token: &Token) -> bool {
        token.token.target().is_none()
            || self.0.get(&token.id).is_some_and(|target| target.hears(TargetPhase::Start))
    }

    /// Returns which kind of end receiver a token is.
    pub(super) fn end_receiver(&self, token: &Token) -> EndReceiver {
        if token.token.target().is_none() {
            return EndReceiver::Token;
        }
        EndReceiver::Target(self.0.get(&token.id).is_some_and(|target| target.hears(TargetPhase::End)))
    }

    /// Returns whether a token gets updates: for a phone `labels.update` or `picture.update` decides, for a target its
    /// phases.
    pub(super) fn hears_updates(&self, token: &Token, phones: bool) -> bool {
        match token.token.target() {
            None => phones,
            Some(_) => self.0.get(&token.id).is_some_and(|target| target.hears(TargetPhase::Update)),
        }
    }

    /// Returns the target of a token; `None`: it is a phone's.
    pub(super) fn receiver(&self, token: &Token) -> Option<&TargetReceiver> {
        token.token.target()?;
        self.0.get(&token.id)
    }
}

impl Router {
    /// Makes the tokens of targets match the configuration, and withdraws what waits for targets that were removed.
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
            // Before the token is revoked, which would give another reason.
            self.note(Note::Withdrawn(*id, SkipReason::NotConfigured));
        }
        self.revoke(gone, Revoked::NOT_CONFIGURED);
        self.targets = configured;
    }

    /// The monitors have changed: names in targets may now match other ones.
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
            // What was decided by one user's rights must not reach another.
            self.note(Note::Withdrawn(id, SkipReason::AnotherUser));
            self.withdraw(id);
        }
        (id, Some(changed))
    }
}

/// Returns the monitors of a target as admins are shown them; each alarm is matched by its own id and name. Until the
/// catalog has been read, those of the last run are shown.
fn filter(target: &TargetReceiver, catalog: &Catalog, kept: Option<&MonitorFilter>) -> MonitorFilter {
    if target.monitors.is_empty() {
        return MonitorFilter::All;
    }
    if catalog.loaded_at.is_none() && kept.is_some_and(|kept| *kept != MonitorFilter::All) {
        return kept.cloned().unwrap_or_default();
    }
    let meant = catalog.names().filter(|(id, name)| target.wants(*id, name));
    MonitorFilter::Only(meant.map(|(id, _)| (id, target.interval)).collect())
}
