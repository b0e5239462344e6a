//! Snooze buttons of notifications: who holds the link of one silences one camera for one token, and undoes that.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tracing::info;
use zmes_shared::words::SnoozeOrigin;

use super::Router;
use crate::domain::{Snooze, SnoozeId, SnoozeScope};
use crate::route::snooze_handle::{LinkSnooze, LinkSnoozed, SnoozeAuthor};

impl Router {
    /// A second press changes nothing but the time, and never shortens a snooze.
    pub(super) fn on_link_snooze(&mut self, wish: &LinkSnooze) -> LinkSnoozed {
        let LinkSnooze { token, monitor, minutes, address } = *wish;
        let Some(token) = self.who_may_see(token, monitor) else {
            return LinkSnoozed::Refused;
        };
        let Some(entry) = self.tokens.get(token) else { return LinkSnoozed::Refused };
        let owner = Arc::clone(entry.token());
        // While auth is off a target has no user.
        let by = if owner.user.is_empty() { owner.handle.to_string() } else { owner.user.clone() };
        let (scope, monitor, origin) = (SnoozeScope::Token(token), Some(monitor), SnoozeOrigin::Link);
        let own = |snooze: &&Snooze| snooze.scope == scope && snooze.monitor == monitor;
        let same = self.snoozes.all().map(|entry| &entry.snooze).find(own).cloned();
        if minutes == 0 {
            // Only what a button has set.
            if let Some(own) = same.filter(|snooze| snooze.origin == origin) {
                info!(snooze = %own.id, by, %origin, %address, "a button ends a snooze");
                self.end_snoozes(&[own.id], &SnoozeAuthor { by, origin });
            }
            let now = self.parts.clock.now();
            return match self.snoozes.covering(wish.monitor, &owner, now) {
                Some(other) => LinkSnoozed::Silent(other.until),
                None => LinkSnoozed::Ended,
            };
        }
        let now = Snooze::time(self.parts.clock.now());
        let until = now.saturating_add(Duration::from_mins(minutes.into())).unwrap_or(Timestamp::MAX);
        if let Some(longer) = same.as_ref().filter(|snooze| snooze.until >= until) {
            return LinkSnoozed::Set(longer.until);
        }
        if self.make_room_for_snoozes(&[monitor], &scope, &by).is_err() {
            return LinkSnoozed::TooMany;
        }
        let named = self.scope_named(&scope);
        let snooze = match same.filter(|snooze| snooze.origin != origin) {
            // What an admin or an app has set stays theirs, and lasts longer.
            Some(theirs) => Snooze { until, ..theirs },
            None => Snooze {
                id: SnoozeId::default(),
                monitor,
                scope,
                since: now,
                until,
                hard: false,
                tell: true,
                by: by.clone(),
                origin,
            },
        };
        let Ok(set) = self.place_snooze(snooze) else { return LinkSnoozed::TooMany };
        let monitor = monitor.map(|monitor| monitor.0);
        info!(snooze = %set.snooze.id, monitor, scope = named, %until, by, %origin, %address, "snooze set");
        LinkSnoozed::Set(until)
    }
}
