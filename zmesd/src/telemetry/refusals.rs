//! Clients that were refused at the apps' port, why and how often: one bounded table behind `clients rejected`, `doctor`,
//! the log and the metrics.
//!
//! Everything in a refusal is chosen by the peer, so each part of the table has a bound: entries in all, user names of
//! one network, warnings an hour. IPv6 peers count by their /64, which belongs to one customer.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tracing::{debug, warn};
use zmes_shared::text::bounded;
use zmes_shared::views::{RefusalReason, Rejection};

use super::tally::Tally;
use crate::limits::network;

/// Entries that are kept, some 400 bytes each. The one whose last refusal is oldest is dropped first.
const MAX_ENTRIES: usize = 2048;
/// User names of one network and reason that have entries of their own. Further ones share an entry without a name.
const MAX_NAMES: usize = 16;
/// One warning for each network and reason in this time.
const QUIET: SignedDuration = SignedDuration::from_hours(1);
/// Warnings in that time from all networks together.
const MAX_WARNINGS: usize = 100;
/// Length limit of a stored detail, in characters.
const MAX_DETAIL: usize = 120;

#[derive(Debug, Clone)]
pub struct Refusal {
    /// The client's address, as its proxy names it.
    pub address: IpAddr,
    pub reason: RefusalReason,
    /// The user name, without control characters.
    pub user: Option<String>,
    /// A detail; cleaned and cut here.
    pub detail: Option<String>,
}

impl Refusal {
    pub fn new(address: IpAddr, reason: RefusalReason) -> Self {
        Self { address, reason, user: None, detail: None }
    }

    #[must_use]
    pub fn detail(self, detail: Option<String>) -> Self {
        Self { detail, ..self }
    }
}

/// An entry of the table, and whether its client has got in since.
#[derive(Debug, Clone)]
pub struct RefusedEntry {
    pub rejection: Rejection,
    /// The client's network (a whole /64 of IPv6).
    pub network: IpAddr,
    /// A client of that network got in after the last refusal.
    pub mended: bool,
}

#[derive(Debug, Default)]
pub struct Refusals {
    table: Mutex<RefusalTable>,
    by_reason: Tally<RefusalReason>,
}

#[derive(Debug, Default)]
struct RefusalTable {
    /// Each with the number of its last refusal.
    entries: HashMap<RefusalKey, (u64, RefusedEntry)>,
    /// Keys by the number of their last refusal: the first is the oldest.
    order: BTreeMap<u64, RefusalKey>,
    last: u64,
    /// When each was last warned of, within [`QUIET`].
    warned: HashMap<(IpAddr, RefusalReason), Timestamp>,
    /// When the log said that further refusals are not logged.
    flooded_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct RefusalKey {
    network: IpAddr,
    reason: RefusalReason,
    user: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LogChoice {
    Warn,
    /// Too many kinds at the same time: the last warning of this hour.
    Flood,
    Quiet,
}

impl Refusals {
    pub fn record(&self, refusal: Refusal, now: Timestamp) -> u64 {
        let Refusal { address, reason, user, detail } = refusal;
        self.by_reason.count(reason);
        let detail = detail.map(|detail| bounded(&detail, MAX_DETAIL));
        let mut table = self.table();
        let count = table.note(address, reason, user.clone(), detail.clone(), now);
        let telling = table.telling(address, reason, now);
        drop(table);
        let (word, hint) = (reason.as_str(), reason.hint());
        let (user, detail) = (user.as_deref().unwrap_or_default(), detail.as_deref().unwrap_or_default());
        match telling {
            LogChoice::Warn => {
                warn!(%address, reason = word, user, detail, count, hint, "client refused: {address}");
            }
            LogChoice::Flood => {
                warn!(
                    hint = "zmesctl clients rejected",
                    "clients from many addresses refused; further ones are not logged for an hour"
                );
            }
            LogChoice::Quiet => {
                debug!(%address, reason = word, user, detail, count, "client refused: {address}");
            }
        }
        count
    }

    /// A client got in, with this user if it has logged in: earlier refusals of its network count as mended.
    pub fn welcomed(&self, address: IpAddr, user: Option<&str>) {
        let network = network(address);
        let mut table = self.table();
        let of_network = table.entries.iter_mut().filter(|(key, _)| key.network == network);
        for (key, (_, entry)) in of_network {
            entry.mended |= match &key.user {
                None => true,
                Some(name) => user.is_some_and(|user| user.eq_ignore_ascii_case(name)),
            };
        }
    }

    /// Returns refusals since then, the most recent first.
    pub fn entries(&self, since: Option<Timestamp>) -> Vec<RefusedEntry> {
        let table = self.table();
        let entries = table.order.values().rev().filter_map(|key| table.entries.get(key));
        let entries = entries.map(|(_, entry)| entry);
        let recent = |entry: &&RefusedEntry| since.is_none_or(|since| entry.rejection.last_at >= since);
        entries.filter(recent).cloned().collect()
    }

    /// Returns how often an address was refused for this reason as this user.
    pub fn count(&self, address: IpAddr, reason: RefusalReason, user: Option<&str>) -> u64 {
        let key = RefusalKey { network: network(address), reason, user: user.map(ToOwned::to_owned) };
        self.table().entries.get(&key).map_or(0, |(_, entry)| entry.rejection.count)
    }

    pub fn by_reason(&self) -> &Tally<RefusalReason> {
        &self.by_reason
    }

    fn table(&self) -> MutexGuard<'_, RefusalTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RefusalTable {
    fn note(
        &mut self,
        address: IpAddr,
        reason: RefusalReason,
        user: Option<String>,
        detail: Option<String>,
        now: Timestamp,
    ) -> u64 {
        let mut key = RefusalKey { network: network(address), reason, user };
        if key.user.is_some() && !self.entries.contains_key(&key) && self.names(&key) >= MAX_NAMES {
            key.user = None;
        }
        self.last += 1;
        let number = self.last;
        let address = address.to_string();
        if let Some((last, RefusedEntry { rejection, mended, .. })) = self.entries.get_mut(&key) {
            self.order.remove(last);
            self.order.insert(number, key);
            (*last, *mended) = (number, false);
            (rejection.address, rejection.last_at, rejection.detail) = (address, now, detail);
            rejection.count += 1;
            return rejection.count;
        }
        if self.entries.len() >= MAX_ENTRIES
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.entries.remove(&oldest);
        }
        self.order.insert(number, key.clone());
        let rejection = Rejection {
            address,
            reason,
            user: key.user.clone(),
            count: 1,
            last_at: now,
            first_at: Some(now),
            detail,
            hint: reason.hint().to_owned(),
        };
        let network = key.network;
        self.entries.insert(key, (number, RefusedEntry { rejection, network, mended: false }));
        1
    }

    fn names(&self, key: &RefusalKey) -> usize {
        let same = |other: &&RefusalKey| other.network == key.network && other.reason == key.reason;
        self.entries.keys().filter(same).count()
    }

    fn telling(&mut self, address: IpAddr, reason: RefusalReason, now: Timestamp) -> LogChoice {
        // The outage of the database is logged elsewhere.
        if reason == RefusalReason::LoginUnavailable {
            return LogChoice::Quiet;
        }
        let fresh = |at: &Timestamp| now.duration_since(*at).abs() < QUIET;
        let kind = (network(address), reason);
        if self.warned.get(&kind).is_some_and(fresh) {
            return LogChoice::Quiet;
        }
        if self.warned.len() >= MAX_WARNINGS {
            self.warned.retain(|_, at| fresh(at));
        }
        if self.warned.len() < MAX_WARNINGS {
            self.warned.insert(kind, now);
            return LogChoice::Warn;
        }
        if self.flooded_at.as_ref().is_some_and(fresh) {
            return LogChoice::Quiet;
        }
        self.flooded_at = Some(now);
        LogChoice::Flood
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    fn refused(table: &Refusals, address: &str, user: Option<&str>, at: Timestamp) -> u64 {
        let refusal = Refusal {
            address: address.parse().unwrap(),
            reason: RefusalReason::BadCredentials,
            user: user.map(str::to_owned),
            detail: Some("wrong password".to_owned()),
        };
        table.record(refusal, at)
    }

    #[test]
    fn refusals_are_counted_by_network_reason_and_user() {
        let table = Refusals::default();
        assert_eq!(refused(&table, "192.0.2.1", Some("amy"), AT), 1);
        assert_eq!(refused(&table, "192.0.2.1", Some("amy"), AT), 2);
        assert_eq!(refused(&table, "192.0.2.1", Some("bob"), AT), 1);
        assert_eq!(refused(&table, "2001:db8::1", Some("amy"), AT), 1);
        assert_eq!(refused(&table, "2001:db8::2", Some("amy"), AT), 2, "one /64 is one customer");
        let entries = table.entries(None);
        assert_eq!(entries.len(), 3);
        assert_eq!(entries[0].rejection.address, "2001:db8::2", "the whole address is shown");
        assert_eq!(entries[2].rejection.count, 2);
        assert_eq!(table.count("192.0.2.1".parse().unwrap(), RefusalReason::BadCredentials, Some("amy")), 2);
        assert_eq!(table.by_reason().value(RefusalReason::BadCredentials), 5);
    }

    #[test]
    fn only_what_is_recent_is_asked_for() {
        let table = Refusals::default();
        refused(&table, "192.0.2.1", None, AT);
        let later = AT + SignedDuration::from_hours(5);
        refused(&table, "192.0.2.2", None, later);
        assert_eq!(table.entries(Some(AT + SignedDuration::from_secs(1))).len(), 1);
        assert_eq!(table.entries(None).len(), 2);
    }

    #[test]
    fn whatever_strangers_send_the_table_is_bounded_and_the_oldest_goes() {
        let table = Refusals::default();
        for number in 0..100 {
            refused(&table, "192.0.2.1", Some(&format!("guess{number}")), AT);
        }
        let entries = table.entries(None);
        assert_eq!(entries.len(), MAX_NAMES + 1, "many names of one address share an entry");
        assert_eq!(entries[0].rejection.count, 100 - MAX_NAMES as u64);
        for number in 0..3000_u32 {
            let address = IpAddr::from(std::net::Ipv4Addr::from_bits(0x0a00_0000 + number));
            refused(&table, &address.to_string(), None, AT);
        }
        let entries = table.entries(None);
        assert_eq!(entries.len(), MAX_ENTRIES);
        assert!(entries.iter().all(|entry| entry.rejection.address != "192.0.2.1"));
        let table = table.table();
        assert_eq!(table.order.len(), table.entries.len());
        assert!(table.warned.len() <= MAX_WARNINGS);
    }

    #[test]
    fn one_warning_an_hour_for_each_address_and_reason() {
        let mut table = RefusalTable::default();
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let minutes = |minutes| AT + SignedDuration::from_mins(minutes);
        assert_eq!(table.telling(one, RefusalReason::Origin, minutes(0)), LogChoice::Warn);
        assert_eq!(table.telling(one, RefusalReason::Origin, minutes(59)), LogChoice::Quiet);
        assert_eq!(table.telling(one, RefusalReason::NotWebsocket, minutes(59)), LogChoice::Warn);
        assert_eq!(table.telling(other, RefusalReason::Origin, minutes(59)), LogChoice::Warn);
        assert_eq!(table.telling(one, RefusalReason::Origin, minutes(61)), LogChoice::Warn);
    }

    #[test]
    fn a_flood_of_addresses_does_not_flood_the_log() {
        let mut table = RefusalTable::default();
        let mut told = Vec::new();
        for number in 0..1000 {
            let address = IpAddr::from(std::net::Ipv4Addr::from_bits(0x0a00_0000 + number));
            told.push(table.telling(address, RefusalReason::TlsGivenUp, AT));
        }
        assert_eq!(told.iter().filter(|telling| **telling == LogChoice::Warn).count(), MAX_WARNINGS);
        assert_eq!(told.iter().filter(|telling| **telling == LogChoice::Flood).count(), 1);
        let later = AT + SignedDuration::from_hours(2);
        let next = table.telling("192.0.2.1".parse().unwrap(), RefusalReason::TlsGivenUp, later);
        assert_eq!(next, LogChoice::Warn, "an hour later it is told again");
    }

    #[test]
    fn who_gets_in_is_mended_until_the_next_refusal() {
        let table = Refusals::default();
        let address = "192.0.2.1".parse().unwrap();
        table.record(Refusal::new(address, RefusalReason::WrongName), AT);
        refused(&table, "192.0.2.1", Some("amy"), AT);
        refused(&table, "192.0.2.1", Some("bob"), AT);
        table.welcomed(address, Some("Amy"));
        let mended = || table.entries(None).iter().map(|entry| entry.mended).collect::<Vec<_>>();
        assert_eq!(mended(), [false, true, true], "bob is still wrong");
        refused(&table, "192.0.2.1", Some("amy"), AT);
        assert_eq!(mended(), [false, false, true]);
    }
}
