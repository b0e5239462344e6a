//! How many may be here: in all, from one address, and in the middle of their handshakes.
//!
//! Owns the counts. A [`Seat`] and a [`HandshakePermit`] give back what they took when they are dropped.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::settings::ServerSettings;

/// Handshakes at once. A TLS handshake is about a millisecond of CPU, so more in parallel make none faster.
const HANDSHAKES: usize = 256;
/// A handshake is left alone for that long even while others wait for its place.
const UNDISTURBED: Duration = Duration::from_secs(1);

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    /// `server.max-clients` are here.
    #[error("max-clients reached")]
    House,
    /// `server.max-clients-per-address` of that address are here.
    #[error("max-clients-per-address reached")]
    Address,
}

/// The counts.
#[derive(Debug)]
pub(super) struct Admission {
    seats: Mutex<Seats>,
    handshakes: Arc<Semaphore>,
    waiting: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Seats {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            seats: Mutex::default(),
            handshakes: Arc::new(Semaphore::new(HANDSHAKES)),
            waiting: watch::Sender::new(0),
        }
    }
}

impl Admission {
    /// Takes one of `max-clients` seats.
    pub(super) fn seat(self: &Arc<Self>, settings: &ServerSettings) -> Result<Seat, Full> {
        let mut seats = self.seats();
        if seats.total >= settings.max_clients {
            return Err(Full::House);
        }
        seats.total += 1;
        Ok(Seat { admission: Arc::clone(self), home: None })
    }

    /// Returns how many seats are taken.
    pub(super) fn taken(&self) -> usize {
        self.seats().total
    }

    /// Returns a permit to begin a handshake, as soon as there is one. Cancel-safe.
    ///
    /// While somebody waits here, handshakes older than [`UNDISTURBED`] give up their place
    /// ([`HandshakePermit::crowded_out`]): peers that say nothing cannot lock out those that do.
    pub(super) async fn handshake(&self) -> HandshakePermit {
        let place = if let Ok(place) = Arc::clone(&self.handshakes).try_acquire_owned() {
            Some(place)
        } else {
            let _waiting = Waiting::announce(&self.waiting);
            // An error would say that the semaphore is closed, and nobody closes it.
            Arc::clone(&self.handshakes).acquire_owned().await.ok()
        };
        HandshakePermit { _place: place, waiting: self.waiting.subscribe() }
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        // Counting cannot be left half done, so a poisoned lock protects intact counts.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the house.
#[derive(Debug)]
pub(super) struct Seat {
    admission: Arc<Admission>,
    home: Option<IpAddr>,
}

impl Seat {
    /// Counts the seat for the peer's true address, once that is known.
    pub(super) fn claim(&mut self, address: IpAddr, settings: &ServerSettings) -> Result<(), Full> {
        if self.home.is_some() {
            return Ok(());
        }
        let home = household(address);
        let mut seats = self.admission.seats();
        let taken = seats.by_address.entry(home).or_default();
        if *taken >= settings.max_clients_per_address {
            return Err(Full::Address);
        }
        *taken += 1;
        drop(seats);
        self.home = Some(home);
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.admission.seats();
        seats.total = seats.total.saturating_sub(1);
        let Some(home) = self.home else { return };
        if let Some(taken) = seats.by_address.get_mut(&home) {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                seats.by_address.remove(&home);
            }
        }
    }
}

/// The permission to be in the middle of a handshake.
#[derive(Debug)]
pub(super) struct HandshakePermit {
    _place: Option<OwnedSemaphorePermit>,
    waiting: watch::Receiver<usize>,
}

impl HandshakePermit {
    /// Returns when the handshake has had its time and somebody waits for its place.
    pub(super) async fn crowded_out(&mut self) {
        tokio::time::sleep(UNDISTURBED).await;
        // The sender lives in the daemon-wide `Admission`; were it gone, nobody would wait.
        if self.waiting.wait_for(|waiting| *waiting > 0).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Says that somebody waits, for as long as it lives.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn announce(waiting: &'a watch::Sender<usize>) -> Self {
        waiting.send_modify(|count| *count += 1);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// Returns what stands for one household: an IPv4 address, or an IPv6 /64.
fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::tests::settings;

    #[test]
    fn seats_are_counted_and_given_back() {
        let admission = Arc::<Admission>::default();
        let settings = ServerSettings { max_clients: 2, ..settings() };
        let first = admission.seat(&settings).unwrap();
        let _second = admission.seat(&settings).unwrap();
        assert_eq!(admission.seat(&settings).unwrap_err(), Full::House);
        drop(first);
        assert_eq!(admission.taken(), 1);
        admission.seat(&settings).unwrap();
    }

    #[test]
    fn a_household_shares_its_share() {
        let admission = Arc::<Admission>::default();
        let settings = ServerSettings { max_clients_per_address: 1, ..settings() };
        let claim = |address: &str| {
            let mut seat = admission.seat(&settings).unwrap();
            seat.claim(address.parse().unwrap(), &settings).map(|()| seat)
        };
        let seat = claim("2001:db8::1").unwrap();
        assert_eq!(claim("2001:db8::2").unwrap_err(), Full::Address, "the same /64");
        let _neighbour = claim("2001:db8:0:1::1").unwrap();
        let _v4 = claim("192.0.2.1").unwrap();
        let _other = claim("192.0.2.2").unwrap();
        drop(seat);
        claim("2001:db8::2").unwrap();
        assert_eq!(admission.seats().by_address.len(), 3, "empty households are forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn silent_handshakes_give_way_to_those_who_wait() {
        let admission = Arc::<Admission>::default();
        let mut silent = Vec::new();
        for _ in 0..HANDSHAKES {
            silent.push(admission.handshake().await);
        }
        let mut oldest = silent.pop().unwrap();
        let alone = tokio::time::timeout(Duration::from_mins(1), oldest.crowded_out()).await;
        assert!(alone.is_err(), "nobody waits, nobody is disturbed");
        let newcomer = admission.handshake();
        let give_way = async {
            oldest.crowded_out().await;
            drop(oldest);
        };
        tokio::time::timeout(Duration::from_secs(2), async { tokio::join!(newcomer, give_way) })
            .await
            .unwrap();
    }
}
