//! The queue of password checks. Bcrypt takes tens of milliseconds, so it runs outside the event loop.

use std::net::IpAddr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use zmes_zoneminder::password::{PasswordOutcome, StoredPassword};

use crate::limits::{Bounds, Turn, Turns};

/// Maximum number of parallel bcrypt checks: not more than cores, and never all blocking threads, which others need,
/// too.
const MAX_PARALLEL: usize = 4;

/// Maximum number of waiting checks, in all and per network: each takes a few hundred bytes.
const MAX_WAITING: usize = 2048;
const MAX_WAITING_OF_ONE: usize = 256;

/// Maximum time to wait for a turn; an app gives up after 20 s.
const QUEUE_DEADLINE: Duration = Duration::from_secs(8);

/// Checks passwords, a limited number at a time, with turns that are fair to each network.
#[derive(Debug)]
pub(super) struct Passwords {
    turns: Turns,
}

impl Passwords {
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with(cores.min(MAX_PARALLEL))
    }

    fn with(parallel: usize) -> Self {
        let bounds = Bounds {
            running: parallel,
            running_per_network: parallel,
            waiting: MAX_WAITING,
            waiting_per_network: MAX_WAITING_OF_ONE,
        };
        Self { turns: Turns::new(bounds) }
    }

    /// Waits for a turn of this network. The turn lasts until the check that it is used for has ended.
    pub(super) async fn turn(&self, network: IpAddr) -> Option<Turn> {
        tokio::time::timeout(QUEUE_DEADLINE, self.turns.turn(network)).await.ok()?.ok()
    }

    /// Checks a password; `None` if the runtime ends before the check.
    pub(super) async fn check(
        turn: Turn,
        stored: StoredPassword,
        given: SecretString,
    ) -> Option<PasswordOutcome> {
        let work = tokio::task::spawn_blocking(move || {
            // Held in the thread: the core is busy until the hash is done, even if the caller no longer waits for it.
            let _turn = turn;
            stored.check(given.expose_secret())
        });
        work.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BCRYPT: &str = "$2y$04$zmesdzmesdzmesdzmesdze.TI.Jsg1LanDzRN/YejBoG4./yZrisC";

    fn here() -> IpAddr {
        "192.0.2.1".parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_turn_ends() {
        let passwords = Passwords::with(1);
        let first = passwords.turn(here()).await;
        assert!(passwords.turn(here()).await.is_none(), "the only turn is taken");
        drop(first);
        assert!(passwords.turn(here()).await.is_some());
    }

    #[tokio::test]
    async fn a_turn_is_free_again_after_the_check() {
        let passwords = Passwords::with(1);
        for _ in 0..2 {
            let turn = passwords.turn(here()).await.unwrap();
            let stored = StoredPassword { hash: Some(BCRYPT.to_owned().into()), barred: false, cost: 4 };
            let outcome = Passwords::check(turn, stored, "password".to_owned().into()).await;
            assert_eq!(outcome, Some(PasswordOutcome::Match));
        }
    }
}
