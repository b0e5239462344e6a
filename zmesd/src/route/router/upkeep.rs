//! What the router does by the clock: what found no room is written down, providers are told of tokens that change too
//! often, logins by an access token end with it, latecomers hear what was missed.

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::info;
use zmes_shared::SessionId;

use super::Router;
use crate::ports::PushOrder;
use crate::route::handle::CloseReason;
use crate::state::Note;

impl Router {
    /// Says whether there is anything to be done by the clock.
    pub(super) fn has_upkeep(&self) -> bool {
        !self.unkept.is_empty()
            || !self.withdrawals.is_empty()
            || !self.unregistered.is_empty()
            || !self.passes.is_empty()
            || self.devices.has_changes()
            || self.missed.due().is_some()
    }

    pub(super) fn upkeep(&mut self) {
        let now = Instant::now();
        self.keep_unkept();
        self.keep_devices();
        self.withdraw_later();
        self.register_later(now);
        self.end_passes(self.parts.clock.now());
        self.tell_missed(now);
    }

    /// Writes down what is remembered of devices: one note for all of them, because thousands may leave at once.
    pub(super) fn keep_devices(&mut self) {
        if !self.devices.has_changes() {
            return;
        }
        if let Err(Note::Devices(notes)) =
            self.parts.state.try_note(Note::Devices(self.devices.take_changes()))
        {
            self.devices.put_back(notes.into_iter().map(|note| note.device));
        }
    }

    /// Withdraws what could not be withdrawn at once: a phone that was blocked must not ring until the next alarm comes.
    fn withdraw_later(&mut self) {
        // The first takes all others along.
        if let Some((token, last)) = self.withdrawals.pop_first() {
            self.order(PushOrder::Withdraw(token, last));
        }
    }

    /// Tells the provider of tokens whose apps have said something new sooner than it is told.
    fn register_later(&mut self, now: Instant) {
        let due: Vec<_> = self.unregistered.iter().copied().collect();
        for id in due {
            let Some(entry) = self.tokens.live_mut(id) else {
                self.unregistered.remove(&id);
                continue;
            };
            if entry.pace.may_register(now) {
                let token = entry.snapshot();
                self.unregistered.remove(&id);
                self.order(PushOrder::Register(token));
            }
        }
    }

    /// Ends the sessions whose access token has expired.
    fn end_passes(&mut self, now: Timestamp) {
        while let Some(&(expires_at, id)) = self.passes.first()
            && expires_at <= now
        {
            self.passes.remove(&(expires_at, id));
            // It may have logged in anew since, with another token or with a password.
            let session = self.sessions.get_mut(&id);
            let session = session.filter(|session| session.pass_expires_at() == Some(expires_at));
            if let Some(session) = session {
                info!(client = %id, reason = "the access token has expired", "closing the session");
                session.end(CloseReason::PassExpired);
            }
        }
    }

    /// Tells those who have logged in of what was missed while the daemon was down.
    fn tell_missed(&mut self, now: Instant) {
        if self.missed.due().is_none_or(|due| due > now) {
            return;
        }
        for (number, alarm, sessions) in self.missed.take(now) {
            let decisions = self.tell_latecomers(&alarm, &sessions);
            self.missed.remember(number, decisions);
        }
    }

    /// Forgets that a session came in by an access token.
    pub(super) fn forget_pass(&mut self, id: SessionId) {
        if let Some(expires_at) =
            self.sessions.get(&id).and_then(crate::route::sessions::Session::pass_expires_at)
        {
            self.passes.remove(&(expires_at, id));
        }
    }
}
