//! The places of the control socket: who can only look must not keep out who has to act.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use zmes_shared::control::{ControlError, ErrorCode, Role};

/// Peers that are served at a time. Admins are few; the next one waits.
const SESSIONS: usize = 16;
/// Of these, so many may be observers: the rest is for admins alone.
const OBSERVERS: usize = 12;

/// Requests of observers that are worked on at a time; the others wait.
const TURNS: usize = 2;

/// Who is served at this time.
#[derive(Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    observers: Arc<Semaphore>,
    turns: Semaphore,
}

/// The place of one peer, free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    _one: OwnedSemaphorePermit,
    _observer: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub(super) fn new() -> Self {
        Self {
            all: Arc::new(Semaphore::new(SESSIONS)),
            observers: Arc::new(Semaphore::new(OBSERVERS)),
            turns: Semaphore::new(TURNS),
        }
    }

    /// Waits until an observer's request may be worked on; given back when dropped.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.turns.acquire().await.ok()
    }

    /// Returns a place. An admin waits for one; an observer is told when there is none.
    pub(super) async fn take(&self, role: Role) -> Result<Place, ControlError> {
        let all = Arc::clone(&self.all);
        match role {
            Role::Admin => {
                let one = all.acquire_owned().await.map_err(|_closed| full())?;
                Ok(Place { _one: one, _observer: None })
            }
            Role::Observer => {
                let observer = Arc::clone(&self.observers).try_acquire_owned().map_err(|_none| full())?;
                let one = all.try_acquire_owned().map_err(|_none| full())?;
                Ok(Place { _one: one, _observer: Some(observer) })
            }
        }
    }
}

fn full() -> ControlError {
    let hint = "end a `zmesctl watch` that is not needed, or use sudo: admins have connections of their own";
    let message = format!("too many read-only connections (limit {OBSERVERS})");
    ControlError::new(ErrorCode::Busy, message).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn observers_leave_places_for_admins_but_not_the_other_way_round() {
        let places = Places::new();
        let mut taken = Vec::new();
        for _ in 0..OBSERVERS {
            taken.push(places.take(Role::Observer).await.unwrap());
        }
        assert_eq!(places.take(Role::Observer).await.unwrap_err().code, ErrorCode::Busy);
        for _ in OBSERVERS..SESSIONS {
            taken.push(places.take(Role::Admin).await.unwrap());
        }
        // An observer leaves, an admin takes the place: now the house is full of admins and observers.
        taken.remove(0);
        taken.push(places.take(Role::Admin).await.unwrap());
        assert_eq!(places.take(Role::Observer).await.unwrap_err().code, ErrorCode::Busy);
        taken.clear();
        places.take(Role::Observer).await.unwrap();
    }
}
