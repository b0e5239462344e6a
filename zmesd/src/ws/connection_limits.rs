//! Limits on connections: logged in, not yet logged in, in the handshake, and new ones per second.
//!
//! Connections without a login are counted separately, so that they take no slots from those that are logged in. If
//! there are too many, the oldest one of the network with the most is closed. Limits apply per [`network`]: for IPv6,
//! per /64.
//!
//! Owns the counts. A [`ConnectionSlot`] and a [`Turn`] release what they hold when they are dropped.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use zmes_shared::views::RefusalReason;

use super::settings::ServerSettings;
use crate::limits::{Bounds, Buckets, NoTurn, Quota, Turn, Turns, count_down, network};

/// Maximum number of connections without a login, independent of `max-clients`.
pub const MAX_PENDING: usize = 1024;
/// Maximum number of concurrent handshakes. A TLS handshake takes about a millisecond of CPU, so more of them would not
/// be faster.
const HANDSHAKES: usize = 256;
/// Maximum number of concurrent handshakes per network: a client that opens hundreds of slow connections delays only
/// its own.
const HANDSHAKES_OF_ONE: usize = 64;
/// A handshake is not displaced before this time, even if others wait for its turn.
pub(super) const UNDISTURBED: Duration = Duration::from_secs(1);
/// A network may open `max-clients-per-address` connections at once, and that number again within this time.
const RATE_PERIOD: Duration = Duration::from_secs(10);
/// If only few clients per address are allowed, their apps may still reconnect a few times.
const MIN_BURST: f64 = 20.0;
/// Number of networks whose rate is remembered, about 60 bytes each.
const MAX_RATES: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum LimitReached {
    #[error("max-clients reached")]
    MaxClients,
    #[error("max-clients-per-address reached")]
    MaxClientsPerAddress,
    #[error("too many new connections")]
    Rate,
    /// The credentials of all connections without a login are being checked.
    #[error("too many logins in progress")]
    Pending,
}

impl LimitReached {
    pub(super) fn reason(self) -> RefusalReason {
        match self {
            Self::MaxClients => RefusalReason::MaxClients,
            Self::MaxClientsPerAddress => RefusalReason::MaxClientsPerAddress,
            Self::Rate => RefusalReason::ConnectionRate,
            Self::Pending => RefusalReason::Evicted,
        }
    }
}

#[derive(Debug)]
pub(super) struct ConnectionLimits {
    slots: Mutex<SlotTable>,
    rates: Mutex<Buckets<IpAddr>>,
    handshakes: Turns,
}

#[derive(Debug, Default)]
struct SlotTable {
    members: usize,
    members_of: HashMap<IpAddr, usize>,
    /// Connections without a login, oldest first.
    pending: BTreeMap<u64, PendingSlot>,
    last: u64,
}

#[derive(Debug)]
struct PendingSlot {
    network: IpAddr,
    /// Its credentials are being checked: a delay is the daemon's, not the client's.
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
            slots: Mutex::default(),
            rates: Mutex::new(Buckets::new(MAX_RATES)),
            handshakes: Turns::new(bounds),
        }
    }
}

impl ConnectionLimits {
    /// Takes a slot among the connections without a login. `known` is false if the address is that of a proxy which has
    /// not sent the client's address yet.
    pub(super) fn slot(
        self: &Arc<Self>,
        address: IpAddr,
        known: bool,
        settings: &ServerSettings,
    ) -> Result<(ConnectionSlot, Eviction), LimitReached> {
        let network = network(address);
        let mut slots = self.slots();
        if slots.members >= settings.max_clients {
            return Err(LimitReached::MaxClients);
        }
        if known {
            slots.check(network, settings)?;
        }
        if slots.pending.len() >= MAX_PENDING && !slots.evict_one() {
            return Err(LimitReached::Pending);
        }
        let (evict, evicted) = oneshot::channel();
        slots.last += 1;
        let number = slots.last;
        slots.pending.insert(number, PendingSlot { network, verifying: false, evict });
        let slot =
            ConnectionSlot { limits: Arc::clone(self), number, network, known, passed: false, member: false };
        Ok((slot, Eviction(Some(evicted))))
    }

    pub(super) fn taken(&self) -> usize {
        let slots = self.slots();
        slots.members + slots.pending.len()
    }

    /// Waits for a turn; the caller sets the deadline. Until a proxy has sent the client's address, each of its
    /// connections counts as a network of its own: one network's share is too small for all clients behind it.
    pub(super) async fn handshake(&self, peer: SocketAddr, known: bool) -> Result<Turn, NoTurn> {
        let lane = if known { network(peer.ip()) } else { lane_of_one(peer.port()) };
        self.handshakes.turn(lane).await
    }

    fn pass(&self, network: IpAddr, settings: &ServerSettings) -> Result<(), LimitReached> {
        let most = u32::try_from(settings.max_clients_per_address.max(1)).unwrap_or(u32::MAX);
        let quota = Quota { burst: f64::from(most).max(MIN_BURST), every: RATE_PERIOD / most };
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        if rates.try_take(network, quota, Instant::now()) { Ok(()) } else { Err(LimitReached::Rate) }
    }

    fn slots(&self) -> MutexGuard<'_, SlotTable> {
        // Counting cannot be interrupted halfway, so a poisoned lock still protects correct counts.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns an address that no peer can have, from the discard-only prefix (RFC 6666).
fn lane_of_one(port: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, port))
}

impl SlotTable {
    /// Checks the limit of a network. Makes room by evicting one of the network's own connections.
    fn check(&mut self, network: IpAddr, settings: &ServerSettings) -> Result<(), LimitReached> {
        if self.members_of.get(&network).copied().unwrap_or_default() >= settings.max_clients_per_address {
            return Err(LimitReached::MaxClientsPerAddress);
        }
        let own = self.pending.values().filter(|pending| pending.network == network).count();
        if own >= settings.max_clients_per_address && !self.evict_of(network) {
            return Err(LimitReached::MaxClientsPerAddress);
        }
        Ok(())
    }

    /// Evicts the oldest connection of the network with the most. Returns false if all credentials are being checked.
    fn evict_one(&mut self) -> bool {
        // Between two networks with equal counts, the one with the older connection is chosen.
        let mut idle: HashMap<IpAddr, (usize, Reverse<u64>)> = HashMap::new();
        for (number, pending) in &self.pending {
            let (count, _) = idle.entry(pending.network).or_insert((0, Reverse(*number)));
            *count += usize::from(!pending.verifying);
        }
        let most = idle.into_iter().map(|(network, (count, oldest))| (count, oldest, network)).max();
        most.is_some_and(|(.., network)| self.evict_of(network))
    }

    fn evict_of(&mut self, network: IpAddr) -> bool {
        let mut idle =
            self.pending.iter().filter(|(_, pending)| pending.network == network && !pending.verifying);
        let Some((&oldest, _)) = idle.next() else { return false };
        if let Some(pending) = self.pending.remove(&oldest) {
            // An error only means that the connection is already closing.
            pending.evict.send(()).ok();
        }
        true
    }
}

#[derive(Debug)]
pub(super) struct ConnectionSlot {
    limits: Arc<ConnectionLimits>,
    number: u64,
    network: IpAddr,
    known: bool,
    passed: bool,
    member: bool,
}

impl ConnectionSlot {
    /// Counts the connection for the client's own address, once a proxy has sent it.
    pub(super) fn claim(&mut self, address: IpAddr, settings: &ServerSettings) -> Result<(), LimitReached> {
        if self.known {
            return Ok(());
        }
        let network = network(address);
        let mut slots = self.limits.slots();
        slots.check(network, settings)?;
        // `None` if it was evicted a moment ago.
        if let Some(pending) = slots.pending.get_mut(&self.number) {
            pending.network = network;
        }
        drop(slots);
        (self.network, self.known) = (network, true);
        self.pass(settings)
    }

    /// Counts it as a new connection of its network, once it has sent something: silent connections must not use up the
    /// rate of others at their address.
    pub(super) fn pass(&mut self, settings: &ServerSettings) -> Result<(), LimitReached> {
        if self.known && !std::mem::replace(&mut self.passed, true) {
            return self.limits.pass(self.network, settings);
        }
        Ok(())
    }

    /// Sets whether its credentials are being checked: meanwhile it is not evicted.
    pub(super) fn verifying(&mut self, verifying: bool) {
        if !self.member
            && let Some(pending) = self.limits.slots().pending.get_mut(&self.number)
        {
            pending.verifying = verifying;
        }
    }

    pub(super) fn promote(&mut self, settings: &ServerSettings) -> Result<(), LimitReached> {
        if self.member {
            return Ok(());
        }
        let mut slots = self.limits.slots();
        if slots.members >= settings.max_clients {
            return Err(LimitReached::MaxClients);
        }
        let own = slots.members_of.entry(self.network).or_default();
        if *own >= settings.max_clients_per_address {
            return Err(LimitReached::MaxClientsPerAddress);
        }
        *own += 1;
        slots.members += 1;
        slots.pending.remove(&self.number);
        drop(slots);
        self.member = true;
        Ok(())
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut slots = self.limits.slots();
        if !self.member {
            slots.pending.remove(&self.number);
            return;
        }
        slots.members = slots.members.saturating_sub(1);
        count_down(&mut slots.members_of, self.network);
    }
}

#[derive(Debug)]
pub(super) struct Eviction(Option<oneshot::Receiver<()>>);

impl Eviction {
    /// Returns when the connection must close to make room for another; never once it is logged in. Cancel-safe.
    pub(super) async fn told(&mut self) {
        let told = match &mut self.0 {
            Some(evicted) => evicted.await.is_ok(),
            None => false,
        };
        if !told {
            // The sender is dropped at the login: no eviction will come.
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
        limits: &Arc<ConnectionLimits>,
        from: &str,
        settings: &ServerSettings,
    ) -> Result<ConnectionSlot, LimitReached> {
        let (mut slot, _) = limits.slot(address(from), true, settings)?;
        slot.promote(settings).map(|()| slot)
    }

    #[test]
    fn slots_are_counted_and_given_back() {
        let limits = Arc::<ConnectionLimits>::default();
        let settings = ServerSettings { max_clients: 2, ..settings() };
        let first = member(&limits, "192.0.2.1", &settings).unwrap();
        let _second = member(&limits, "192.0.2.2", &settings).unwrap();
        assert_eq!(member(&limits, "192.0.2.3", &settings).unwrap_err(), LimitReached::MaxClients);
        drop(first);
        assert_eq!(limits.taken(), 1);
        member(&limits, "192.0.2.3", &settings).unwrap();
    }

    #[test]
    fn a_network_shares_its_share() {
        let limits = Arc::<ConnectionLimits>::default();
        let settings = ServerSettings { max_clients_per_address: 1, ..settings() };
        let slot = member(&limits, "2001:db8::1", &settings).unwrap();
        assert_eq!(
            member(&limits, "2001:db8::2", &settings).unwrap_err(),
            LimitReached::MaxClientsPerAddress,
            "the same /64"
        );
        let _neighbour = member(&limits, "2001:db8:0:1::1", &settings).unwrap();
        let _v4 = member(&limits, "192.0.2.1", &settings).unwrap();
        let _other = member(&limits, "192.0.2.2", &settings).unwrap();
        drop(slot);
        member(&limits, "2001:db8::2", &settings).unwrap();
        assert_eq!(limits.slots().members_of.len(), 3, "networks without clients are forgotten");
        assert!(limits.slots().pending.is_empty());
    }

    #[tokio::test]
    async fn connections_without_a_login_take_no_slot_of_those_with_one() {
        let limits = Arc::<ConnectionLimits>::default();
        let settings = ServerSettings { max_clients: 3, ..settings() };
        let anonymous: Vec<_> =
            (0..200).map(|_| limits.slot(address("192.0.2.1"), true, &settings).unwrap()).collect();
        member(&limits, "192.0.2.2", &settings).unwrap();
        drop(anonymous);
        assert_eq!(limits.taken(), 0);
    }

    #[tokio::test]
    async fn room_is_made_by_the_network_that_has_most_and_its_oldest_first() {
        let limits = Arc::<ConnectionLimits>::default();
        let settings = ServerSettings { max_clients_per_address: 5000, ..settings() };
        let slot = |from: &str| limits.slot(address(from), true, &settings).unwrap();
        let (mut old_slot, mut old) = slot("192.0.2.9");
        let (verifying, mut checked) = slot("192.0.2.1");
        let mut verifying = verifying;
        verifying.verifying(true);
        let (_oldest, mut oldest) = slot("192.0.2.1");
        let _others: Vec<_> = (3..MAX_PENDING).map(|_| slot("192.0.2.1")).collect();
        let newcomer = slot("192.0.2.3");
        assert!(oldest.0.as_mut().unwrap().try_recv().is_ok(), "the oldest of the network that has most");
        assert!(checked.0.as_mut().unwrap().try_recv().is_err(), "not while its login is checked");
        assert!(old.0.as_mut().unwrap().try_recv().is_err(), "not the one that is alone, though older");
        old_slot.promote(&settings).unwrap();
        let never = tokio::time::timeout(Duration::from_millis(5), old.told()).await;
        assert!(never.is_err(), "a connection that is logged in is not evicted");
        drop(newcomer);
    }

    #[tokio::test]
    async fn an_address_has_no_more_pending_connections_than_clients_and_renews_its_own() {
        let limits = Arc::<ConnectionLimits>::default();
        let settings = ServerSettings { max_clients_per_address: 2, ..settings() };
        let slot = || limits.slot(address("192.0.2.1"), true, &settings).unwrap();
        let (_first, mut first) = slot();
        let _second = slot();
        let _third = slot();
        first.told().await;
        assert_eq!(limits.taken(), 2);
    }

    #[tokio::test]
    async fn while_all_logins_are_being_checked_a_newcomer_is_refused() {
        let limits = Arc::<ConnectionLimits>::default();
        let settings = ServerSettings { max_clients_per_address: 1, ..settings() };
        let (mut first, _eviction) = limits.slot(address("192.0.2.1"), true, &settings).unwrap();
        first.verifying(true);
        let refused = limits.slot(address("192.0.2.1"), true, &settings);
        assert_eq!(refused.unwrap_err(), LimitReached::MaxClientsPerAddress);
        first.verifying(false);
        limits.slot(address("192.0.2.1"), true, &settings).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_opens_only_so_many_connections_a_second() {
        let limits = Arc::<ConnectionLimits>::default();
        let settings = settings();
        let open = |from: &str| {
            let (mut slot, _) = limits.slot(address(from), true, &settings)?;
            slot.pass(&settings)?;
            // A connection is counted only once.
            slot.pass(&settings)
        };
        let opened = |from: &str| (0..1000).filter(|_| open(from).is_ok()).count();
        for _ in 0..1000 {
            drop(limits.slot(address("192.0.2.1"), true, &settings).unwrap());
        }
        assert_eq!(opened("192.0.2.1"), 500, "those that said nothing do not count");
        assert_eq!(open("192.0.2.1").unwrap_err(), LimitReached::Rate);
        assert_eq!(opened("192.0.2.2"), 500, "others are not concerned");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(opened("192.0.2.1"), 50);
    }

    #[tokio::test]
    async fn a_proxy_is_counted_by_those_for_whom_it_speaks() {
        let limits = Arc::<ConnectionLimits>::default();
        let settings = ServerSettings { max_clients_per_address: 1, ..settings() };
        let claim = |client: &str| {
            let (mut slot, _) = limits.slot(address("10.0.0.1"), false, &settings).unwrap();
            slot.claim(address(client), &settings).unwrap();
            slot.promote(&settings).map(|()| slot)
        };
        let _first = claim("203.0.113.1").unwrap();
        let _second = claim("203.0.113.2").unwrap();
        assert!(limits.slots().members_of.contains_key(&address("203.0.113.1")));
        let (mut third, _) = limits.slot(address("10.0.0.1"), false, &settings).unwrap();
        assert_eq!(
            third.claim(address("203.0.113.1"), &settings).unwrap_err(),
            LimitReached::MaxClientsPerAddress
        );
    }
}
