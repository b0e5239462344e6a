//! How many may be here: members, those who have not logged in yet, those in the middle of their handshakes, and how
//! many new ones a second.
//!
//! Who has not logged in takes no seat from those who have: these are counted apart, and when they are too many, the
//! oldest of the network that has most of them makes room. Limits go by [`network`]: IPv6 by /64.
//!
//! Owns the counts. A [`ConnectionSlot`] and a [`Turn`] give back what they took when they are dropped.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use zmes_shared::views::RefusalReason;

use super::settings::ServerSettings;
use crate::limits::{Bounds, Buckets, NoTurn, Quota, Turn, Turns, network};

/// Connections that have not logged in, whatever `max-clients` is.
pub const MAX_PENDING: usize = 1024;
/// Handshakes at once. A TLS handshake is about a millisecond of CPU, so more in parallel make none faster.
const HANDSHAKES: usize = 256;
/// Of these from one network: whoever opens silent connections by the hundred waits for themselves.
const HANDSHAKES_OF_ONE: usize = 64;
/// A handshake is left alone for this long even while others wait for its place.
pub(super) const UNDISTURBED: Duration = Duration::from_secs(1);
/// A network may open `max-clients-per-address` connections at once, and then all of them again in this time.
const RATE_PERIOD: Duration = Duration::from_secs(10);
/// Where few clients of an address are allowed, its apps may still try again a few times.
const MIN_BURST: f64 = 20.0;
/// Networks whose rate is remembered, some 60 bytes each.
const MAX_RATES: usize = 10_000;

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum LimitReached {
    /// `server.max-clients` are logged in.
    #[error("max-clients reached")]
    House,
    /// `server.max-clients-per-address` of that network are here.
    #[error("max-clients-per-address reached")]
    Address,
    /// New connections come too fast from that network.
    #[error("too many new connections")]
    Rate,
    /// All who have not logged in are just being looked at.
    #[error("too many logins under way")]
    Pending,
}

impl LimitReached {
    /// Returns the word for `clients rejected`.
    pub(super) fn reason(self) -> RefusalReason {
        match self {
            Self::House => RefusalReason::MaxClients,
            Self::Address => RefusalReason::MaxClientsPerAddress,
            Self::Rate => RefusalReason::ConnectionRate,
            Self::Pending => RefusalReason::Evicted,
        }
    }
}

/// The counts.
#[derive(Debug)]
pub(super) struct ConnectionLimits {
    seats: Mutex<SlotTable>,
    rates: Mutex<Buckets<IpAddr>>,
    handshakes: Turns,
}

#[derive(Debug, Default)]
struct SlotTable {
    members: usize,
    members_of: HashMap<IpAddr, usize>,
    /// Those who have not logged in, the oldest first.
    pending: BTreeMap<u64, PendingSlot>,
    pending_of: HashMap<IpAddr, BTreeSet<u64>>,
    last: u64,
}

#[derive(Debug)]
struct PendingSlot {
    network: IpAddr,
    /// Its credentials are being looked at: what takes long is then ours.
    verifying: bool,
    evict: oneshot::Sender<()>,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        let bounds = Bounds {
            running: HANDSHAKES,
            running_per_network: HANDSHAKES_OF_ONE,
            waiting: MAX_PENDING,
            waiting_per_network: MAX_PENDING,
        };
        Self {
            seats: Mutex::default(),
            rates: Mutex::new(Buckets::new(MAX_RATES)),
            handshakes: Turns::new(bounds),
        }
    }
}

impl ConnectionLimits {
    /// Takes a seat among those who have not logged in; the other half tells when it has to be given up.
    ///
    /// `known`: the address is the client's own, and not that of a proxy that will still say for whom it speaks.
    pub(super) fn seat(
        self: &Arc<Self>,
        address: IpAddr,
        known: bool,
        settings: &ServerSettings,
    ) -> Result<(ConnectionSlot, Eviction), LimitReached> {
        let network = network(address);
        let mut seats = self.seats();
        if seats.members >= settings.max_clients {
            return Err(LimitReached::House);
        }
        if known {
            seats.check(network, settings)?;
        }
        if seats.pending.len() >= MAX_PENDING && !seats.evict_one() {
            return Err(LimitReached::Pending);
        }
        let (evict, evicted) = oneshot::channel();
        seats.last += 1;
        let number = seats.last;
        seats.pending.insert(number, PendingSlot { network, verifying: false, evict });
        seats.pending_of.entry(network).or_default().insert(number);
        let seat = ConnectionSlot {
            admission: Arc::clone(self),
            number,
            network,
            known,
            passed: false,
            member: false,
        };
        Ok((seat, Eviction(Some(evicted))))
    }

    /// Returns how many connections there are.
    pub(super) fn taken(&self) -> usize {
        let seats = self.seats();
        seats.members + seats.pending.len()
    }

    /// Waits for a turn at the handshakes; the caller sets the deadline.
    ///
    /// `known`: as for [`ConnectionLimits::seat`]. Each connection of a proxy counts as a peer of its own until the proxy has
    /// said for whom it speaks: the share of one network is too small for all who are behind it.
    pub(super) async fn handshake(&self, peer: SocketAddr, known: bool) -> Result<Turn, NoTurn> {
        let lane = if known { network(peer.ip()) } else { lane_of_one(peer.port()) };
        self.handshakes.turn(lane).await
    }

    /// Counts a new connection of a network.
    fn pass(&self, network: IpAddr, settings: &ServerSettings) -> Result<(), LimitReached> {
        let most = u32::try_from(settings.max_clients_per_address.max(1)).unwrap_or(u32::MAX);
        let quota = Quota { burst: f64::from(most).max(MIN_BURST), every: RATE_PERIOD / most };
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        if rates.try_take(network, quota, Instant::now()) { Ok(()) } else { Err(LimitReached::Rate) }
    }

    fn seats(&self) -> MutexGuard<'_, SlotTable> {
        // Counting cannot be left half done, so a poisoned lock protects intact counts.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns what no peer has as its address: of the prefix that is never routed (RFC 6666).
fn lane_of_one(port: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, port))
}

impl SlotTable {
    /// Says whether one more of that network may be here; makes room for it where it is its own.
    fn check(&mut self, network: IpAddr, settings: &ServerSettings) -> Result<(), LimitReached> {
        if self.members_of.get(&network).copied().unwrap_or_default() >= settings.max_clients_per_address {
            return Err(LimitReached::Address);
        }
        let own = self.pending_of.get(&network).map_or(0, BTreeSet::len);
        if own >= settings.max_clients_per_address && !self.evict_of(network) {
            return Err(LimitReached::Address);
        }
        Ok(())
    }

    /// Makes room: the oldest of the network that has most; false: all are just being looked at.
    fn evict_one(&mut self) -> bool {
        let idle = |numbers: &BTreeSet<u64>| {
            let pending = numbers.iter().filter_map(|number| self.pending.get(number));
            pending.filter(|pending| !pending.verifying).count()
        };
        let counted = self.pending_of.iter().map(|(network, numbers)| {
            // Of two with as many, the one whose oldest is older.
            (idle(numbers), numbers.first().map(|number| std::cmp::Reverse(*number)), *network)
        });
        let most = counted.filter(|(idle, ..)| *idle > 0).max();
        most.is_some_and(|(.., network)| self.evict_of(network))
    }

    fn evict_of(&mut self, network: IpAddr) -> bool {
        let numbers = self.pending_of.get(&network).into_iter().flatten();
        let idle = |number: &&u64| self.pending.get(number).is_some_and(|pending| !pending.verifying);
        let Some(oldest) = numbers.copied().find(|number| idle(&number)) else { return false };
        if let Some(pending) = self.leave(oldest) {
            // An error only says that it is leaving by itself.
            pending.evict.send(()).ok();
        }
        true
    }

    fn leave(&mut self, number: u64) -> Option<PendingSlot> {
        let pending = self.pending.remove(&number)?;
        if let Some(numbers) = self.pending_of.get_mut(&pending.network) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.pending_of.remove(&pending.network);
            }
        }
        Some(pending)
    }
}

/// A place in the house.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    admission: Arc<ConnectionLimits>,
    number: u64,
    network: IpAddr,
    /// The network is the client's own.
    known: bool,
    /// It was counted among the new connections of its network.
    passed: bool,
    member: bool,
}

impl ConnectionSlot {
    /// Counts the seat for the client's true address, once that is known.
    pub(super) fn claim(&mut self, address: IpAddr, settings: &ServerSettings) -> Result<(), LimitReached> {
        if self.known {
            return Ok(());
        }
        let network = network(address);
        let mut seats = self.admission.seats();
        seats.check(network, settings)?;
        // Gone already: it was told to leave a moment ago.
        if let Some(pending) = seats.leave(self.number) {
            seats.pending.insert(self.number, PendingSlot { network, ..pending });
            seats.pending_of.entry(network).or_default().insert(self.number);
        }
        drop(seats);
        (self.network, self.known) = (network, true);
        self.pass(settings)
    }

    /// Counts it among the new connections of its network, once and before it costs more than its seat: who says
    /// nothing uses up nothing of what others at that address need.
    pub(super) fn pass(&mut self, settings: &ServerSettings) -> Result<(), LimitReached> {
        if self.known && !std::mem::replace(&mut self.passed, true) {
            return self.admission.pass(self.network, settings);
        }
        Ok(())
    }

    /// Says whether its credentials are being looked at: it is not put out then.
    pub(super) fn verifying(&mut self, verifying: bool) {
        if !self.member
            && let Some(pending) = self.admission.seats().pending.get_mut(&self.number)
        {
            pending.verifying = verifying;
        }
    }

    /// Takes a seat among those who have logged in.
    pub(super) fn promote(&mut self, settings: &ServerSettings) -> Result<(), LimitReached> {
        if self.member {
            return Ok(());
        }
        let mut seats = self.admission.seats();
        if seats.members >= settings.max_clients {
            return Err(LimitReached::House);
        }
        let own = seats.members_of.entry(self.network).or_default();
        if *own >= settings.max_clients_per_address {
            return Err(LimitReached::Address);
        }
        *own += 1;
        seats.members += 1;
        seats.leave(self.number);
        drop(seats);
        self.member = true;
        Ok(())
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut seats = self.admission.seats();
        if !self.member {
            seats.leave(self.number);
            return;
        }
        seats.members = seats.members.saturating_sub(1);
        if let Some(own) = seats.members_of.get_mut(&self.network) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                seats.members_of.remove(&self.network);
            }
        }
    }
}

/// Tells a connection that it has to make room.
#[derive(Debug)]
pub(super) struct Eviction(Option<oneshot::Receiver<()>>);

impl Eviction {
    /// Returns when the connection has to make room; never once it has logged in. Cancel-safe.
    pub(super) async fn told(&mut self) {
        let told = match &mut self.0 {
            Some(evicted) => evicted.await.is_ok(),
            None => false,
        };
        if !told {
            // The sender is dropped at the login: nobody will ask any more.
            self.0 = None;
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::tests::settings;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn member(
        admission: &Arc<ConnectionLimits>,
        from: &str,
        settings: &ServerSettings,
    ) -> Result<ConnectionSlot, LimitReached> {
        let (mut seat, _) = admission.seat(address(from), true, settings)?;
        seat.promote(settings).map(|()| seat)
    }

    #[test]
    fn seats_are_counted_and_given_back() {
        let admission = Arc::<ConnectionLimits>::default();
        let settings = ServerSettings { max_clients: 2, ..settings() };
        let first = member(&admission, "192.0.2.1", &settings).unwrap();
        let _second = member(&admission, "192.0.2.2", &settings).unwrap();
        assert_eq!(member(&admission, "192.0.2.3", &settings).unwrap_err(), LimitReached::House);
        drop(first);
        assert_eq!(admission.taken(), 1);
        member(&admission, "192.0.2.3", &settings).unwrap();
    }

    #[test]
    fn a_network_shares_its_share() {
        let admission = Arc::<ConnectionLimits>::default();
        let settings = ServerSettings { max_clients_per_address: 1, ..settings() };
        let seat = member(&admission, "2001:db8::1", &settings).unwrap();
        assert_eq!(
            member(&admission, "2001:db8::2", &settings).unwrap_err(),
            LimitReached::Address,
            "the same /64"
        );
        let _neighbour = member(&admission, "2001:db8:0:1::1", &settings).unwrap();
        let _v4 = member(&admission, "192.0.2.1", &settings).unwrap();
        let _other = member(&admission, "192.0.2.2", &settings).unwrap();
        drop(seat);
        member(&admission, "2001:db8::2", &settings).unwrap();
        assert_eq!(admission.seats().members_of.len(), 3, "networks without clients are forgotten");
        assert!(admission.seats().pending_of.is_empty());
    }

    #[tokio::test]
    async fn who_has_not_logged_in_takes_no_seat_of_a_member() {
        let admission = Arc::<ConnectionLimits>::default();
        let settings = ServerSettings { max_clients: 3, ..settings() };
        let anonymous: Vec<_> =
            (0..200).map(|_| admission.seat(address("192.0.2.1"), true, &settings).unwrap()).collect();
        member(&admission, "192.0.2.2", &settings).unwrap();
        drop(anonymous);
        assert_eq!(admission.taken(), 0);
    }

    #[tokio::test]
    async fn room_is_made_by_the_network_that_has_most_and_its_oldest_first() {
        let admission = Arc::<ConnectionLimits>::default();
        let settings = ServerSettings { max_clients_per_address: 5000, ..settings() };
        let seat = |from: &str| admission.seat(address(from), true, &settings).unwrap();
        let (mut old_seat, mut old) = seat("192.0.2.9");
        let (verifying, mut looked_at) = seat("192.0.2.1");
        let mut verifying = verifying;
        verifying.verifying(true);
        let (_oldest, mut oldest) = seat("192.0.2.1");
        let _crowd: Vec<_> = (3..MAX_PENDING).map(|_| seat("192.0.2.1")).collect();
        let newcomer = seat("192.0.2.3");
        assert!(oldest.0.as_mut().unwrap().try_recv().is_ok(), "the oldest of the crowd");
        assert!(looked_at.0.as_mut().unwrap().try_recv().is_err(), "not while its login is looked at");
        assert!(old.0.as_mut().unwrap().try_recv().is_err(), "not the one that is alone, though older");
        old_seat.promote(&settings).unwrap();
        let never = tokio::time::timeout(Duration::from_millis(5), old.told()).await;
        assert!(never.is_err(), "who has logged in is not put out");
        drop(newcomer);
    }

    #[tokio::test]
    async fn an_address_has_no_more_pending_connections_than_clients_and_renews_its_own() {
        let admission = Arc::<ConnectionLimits>::default();
        let settings = ServerSettings { max_clients_per_address: 2, ..settings() };
        let seat = || admission.seat(address("192.0.2.1"), true, &settings).unwrap();
        let (_first, mut first) = seat();
        let _second = seat();
        let _third = seat();
        first.told().await;
        assert_eq!(admission.taken(), 2);
    }

    #[tokio::test]
    async fn where_everybody_is_being_looked_at_the_newcomer_waits_outside() {
        let admission = Arc::<ConnectionLimits>::default();
        let settings = ServerSettings { max_clients_per_address: 1, ..settings() };
        let (mut first, _eviction) = admission.seat(address("192.0.2.1"), true, &settings).unwrap();
        first.verifying(true);
        let refused = admission.seat(address("192.0.2.1"), true, &settings);
        assert_eq!(refused.unwrap_err(), LimitReached::Address);
        first.verifying(false);
        admission.seat(address("192.0.2.1"), true, &settings).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_opens_only_so_many_connections_a_second() {
        let admission = Arc::<ConnectionLimits>::default();
        let settings = settings();
        let open = |from: &str| {
            let (mut seat, _) = admission.seat(address(from), true, &settings)?;
            seat.pass(&settings)?;
            // What was counted once is not counted again.
            seat.pass(&settings)
        };
        let opened = |from: &str| (0..1000).filter(|_| open(from).is_ok()).count();
        for _ in 0..1000 {
            drop(admission.seat(address("192.0.2.1"), true, &settings).unwrap());
        }
        assert_eq!(opened("192.0.2.1"), 500, "those that said nothing do not count");
        assert_eq!(open("192.0.2.1").unwrap_err(), LimitReached::Rate);
        assert_eq!(opened("192.0.2.2"), 500, "others are not concerned");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(opened("192.0.2.1"), 50);
    }

    #[tokio::test]
    async fn a_proxy_is_counted_by_those_for_whom_it_speaks() {
        let admission = Arc::<ConnectionLimits>::default();
        let settings = ServerSettings { max_clients_per_address: 1, ..settings() };
        let claim = |client: &str| {
            let (mut seat, _) = admission.seat(address("10.0.0.1"), false, &settings).unwrap();
            seat.claim(address(client), &settings).unwrap();
            seat.promote(&settings).map(|()| seat)
        };
        let _first = claim("203.0.113.1").unwrap();
        let _second = claim("203.0.113.2").unwrap();
        assert!(admission.seats().members_of.contains_key(&address("203.0.113.1")));
        let (mut third, _) = admission.seat(address("10.0.0.1"), false, &settings).unwrap();
        assert_eq!(third.claim(address("203.0.113.1"), &settings).unwrap_err(), LimitReached::Address);
    }
}
