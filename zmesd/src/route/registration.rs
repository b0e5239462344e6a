//! `push/token`: what an app asks for, and what that does to the stored token.

use std::sync::Arc;

use super::sessions::SessionLogin;
use super::tokens::SentTimes;
use crate::domain::{MonitorFilter, PushState, Registration, Revoked, SkipReason, Token};
use zmes_providers::App;

#[derive(Debug)]
pub(super) struct RegistrationOutcome {
    pub(super) token: Arc<Token>,
    pub(super) created: bool,
    /// For watchers: `registered` or `changed`.
    pub(super) change: Option<&'static str>,
    pub(super) write: bool,
    /// Set if the change deserves a log line: how many lines were left out before it.
    pub(super) log: Option<u64>,
    pub(super) register_now: bool,
    /// Earlier sends that no longer count for intervals.
    pub(super) forgotten: SentTimes,
    /// Why pushes that wait for this token must not be sent.
    pub(super) withdrawn: Option<SkipReason>,
}

impl Registration {
    /// Fills in from the session what the message leaves out: app, version, and the session's own filter.
    pub(super) fn completed(mut self, login: &SessionLogin) -> Self {
        self.kind = known(self.kind, login.device.kind);
        self.app_version = self.app_version.or_else(|| login.version());
        self.filter = login.stated_filter().cloned();
        self
    }

    /// Applies the request to a token. With `anew`, nothing of its earlier filter stays.
    pub(super) fn apply(&self, owner: &str, badge: Option<u32>, anew: bool, token: &mut Token) {
        token.platform = self.platform;
        token.state = self.state;
        owner.clone_into(&mut token.user);
        token.app = known(self.kind, token.app);
        token.revoked = None;
        for (told, kept) in [(&self.app_version, &mut token.app_version), (&self.profile, &mut token.profile)]
        {
            if let Some(told) = told {
                kept.clone_from(told);
            }
        }
        match &self.filter {
            Some(filter) => token.filter.clone_from(filter),
            None if anew => token.filter = MonitorFilter::All,
            None => {}
        }
        token.badge = badge.unwrap_or(token.badge);
    }

    /// True if another user owned the token, or a person had revoked it. A token without an owner was imported and
    /// keeps its lists.
    pub(super) fn begins_anew(before: &Token, owner: &str) -> bool {
        is_anothers(before, owner) || before.revoked.as_ref().is_some_and(Revoked::by_person)
    }

    pub(super) fn withdraws(&self, before: &Token, owner: &str) -> Option<SkipReason> {
        if before.state == PushState::Enabled && self.state == PushState::Disabled {
            return Some(SkipReason::Disabled);
        }
        // What was decided by one user's rights must not reach another. A token without an owner had no such rights.
        is_anothers(before, owner).then_some(SkipReason::AnotherUser)
    }
}

fn is_anothers(before: &Token, owner: &str) -> bool {
    !before.user.is_empty() && before.user != owner
}

/// Returns the app named in the message, or the known one if it names none.
pub(super) fn known(told: App, before: App) -> App {
    if told == App::Unknown { before } else { told }
}
