//! How many control connections are served at a time: observers must not keep admins out.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use zmes_shared::control::{ControlError, ErrorCode, Role};

/// Peers that are served at a time. Admins are few; the next one waits.
const SESSIONS: usize = 16;
/// Maximum number of observers among them: the rest is for admins.
const OBSERVERS: usize = 12;

/// Requests of observers that run at a time; the others wait.
const TURNS: usize = 2;

#[derive(Debug)]
pub(super) struct ConnectionLimits {
    all: Arc<Semaphore>,
    observers: Arc<Semaphore>,
    turns: Semaphore,
}

/// The permit of one peer, returned when dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    _one: OwnedSemaphorePermit,
    _observer: Option<OwnedSemaphorePermit>,
}

impl ConnectionLimits {
    pub(super) fn new() -> Self {
        Self {
            all: Arc::new(Semaphore::new(SESSIONS)),
            observers: Arc::new(Semaphore::new(OBSERVERS)),
            turns: Semaphore::new(TURNS),
        }
    }

    /// Waits until an observer's request may run; returned when dropped.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.turns.acquire().await.ok()
    }

    /// Returns a permit. An admin waits for one; an observer gets an error if there is none.
    pub(super) async fn take(&self, role: Role) -> Result<ConnectionPermit, ControlError> {
        let all = Arc::clone(&self.all);
        match role {
            Role::Admin => {
                let one = all.acquire_owned().await.map_err(|_closed| full())?;
                Ok(ConnectionPermit { _one: one, _observer: None })
            }
            Role::Observer => {
                let observer = Arc::clone(&self.observers).try_acquire_owned().map_err(|_none| full())?;
                let one = all.try_acquire_owned().map_err(|_none| full())?;
                Ok(ConnectionPermit { _one: one, _observer: Some(observer) })
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
    async fn observers_leave_permits_for_admins_but_not_the_other_way_round() {
        let permits = ConnectionLimits::new();
        let mut taken = Vec::new();
        for _ in 0..OBSERVERS {
            taken.push(permits.take(Role::Observer).await.unwrap());
        }
        assert_eq!(permits.take(Role::Observer).await.unwrap_err().code, ErrorCode::Busy);
        for _ in OBSERVERS..SESSIONS {
            taken.push(permits.take(Role::Admin).await.unwrap());
        }
        // An admin takes the permit of an observer: now all are taken.
        taken.remove(0);
        taken.push(permits.take(Role::Admin).await.unwrap());
        assert_eq!(permits.take(Role::Observer).await.unwrap_err().code, ErrorCode::Busy);
        taken.clear();
        permits.take(Role::Observer).await.unwrap();
    }
}
