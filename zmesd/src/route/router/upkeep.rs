//! The router's periodic work.

use std::sync::Arc;

use tokio::time::Instant;

use super::Router;
use crate::domain::{Token, TokenId};
use crate::route::{LedgerSide, PushOrder};
use crate::state::Note;

impl Router {
    pub(super) fn has_upkeep(&self) -> bool {
        self.tokens.any_waiting()
            || !self.withdrawals.is_empty()
            || self.sessions.len() > 0
            || self.devices.has_changes()
            || self.missed.due().is_some()
            || self.parts.ledger.as_ref().is_some_and(LedgerSide::has_untold)
            || self.snoozes_have_upkeep()
    }

    pub(super) fn upkeep(&mut self) {
        let now = Instant::now();
        self.keep_unwritten();
        self.keep_devices();
        self.withdraw_later();
        self.snooze_upkeep();
        for token in self.tokens.due_registrations(now) {
            self.order(PushOrder::Register(token));
        }
        self.sessions.end_expired(self.parts.clock.now());
        self.tell_missed(now);
        if let Some(ledger) = &mut self.parts.ledger {
            ledger.offer();
        }
    }

    /// Writes down what is remembered of devices, in one note: thousands may disconnect at once.
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

    /// Writes tokens down with one note: the queue has room for alarms, but not for every token.
    pub(super) fn note_all(&mut self, tokens: Vec<Arc<Token>>) {
        for token in &tokens {
            self.share(token, false);
        }
        let ids: Vec<TokenId> = tokens.iter().map(|token| token.id).collect();
        if !tokens.is_empty() && !self.try_note(Note::Tokens(tokens)) {
            self.tokens.not_written(ids);
        }
    }

    /// Writes a token down, later if there is no room: a registration must not exist only in memory.
    pub(super) fn keep_token(&mut self, token: &Arc<Token>) {
        self.share(token, false);
        if !self.try_note(Note::Token(Arc::clone(token))) {
            self.tokens.not_written([token.id]);
        }
    }

    /// Writes all tokens down: the state file was damaged or lost, and the new one has only what could be saved.
    pub(super) fn keep_all(&mut self) {
        self.tokens.none_written();
        self.keep_unwritten();
    }

    pub(super) fn keep_unwritten(&mut self) {
        let tokens = self.tokens.take_unwritten();
        if tokens.is_empty() {
            return;
        }
        if let Err(Note::Tokens(tokens)) = self.parts.state.try_note(Note::Tokens(tokens)) {
            self.tokens.not_written(tokens.iter().map(|token| token.id));
        }
    }

    /// Retries withdrawals that failed without waiting for the next alarm: a blocked phone must not ring meanwhile.
    fn withdraw_later(&mut self) {
        // The first brings all the others with it.
        if let Some((token, last)) = self.withdrawals.pop_first() {
            self.order(PushOrder::Withdraw(token, last));
        }
    }
}
