//! Starts of alarms that were not sent as pushes of their own: their ends and updates are not sent either.

use std::collections::{HashMap, VecDeque};

use crate::domain::{DeliveryId, StartState};

/// Number of starts that are remembered: a day's worth for a house, a few minutes' worth for twenty thousand
/// unreachable phones.
const REMEMBERED: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Unstarted {
    by_id: HashMap<DeliveryId, StartState>,
    oldest_first: VecDeque<DeliveryId>,
}

impl Unstarted {
    pub(super) fn put(&mut self, id: DeliveryId, state: StartState) {
        if state == StartState::Sent || self.by_id.insert(id, state).is_some() {
            return;
        }
        self.oldest_first.push_back(id);
        if self.oldest_first.len() > REMEMBERED
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.by_id.remove(&oldest);
        }
    }

    pub(super) fn state(&self, id: DeliveryId) -> StartState {
        self.by_id.get(&id).copied().unwrap_or_default()
    }
}
