//! What the tasks of this node know of the ledger and tell each other.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use zmes_cluster::LedgerError;
use zmes_cluster::outcomes::DeviceHandle;
use zmes_shared::views::{CLUSTER_WAIT_MS, ClusterStatus};

use super::outage::Outages;
use crate::ports::Clock;

/// When tokens were changed at this node: a change of another node that is older does not count.
#[derive(Debug, Default)]
pub(super) struct TokenClocks {
    /// Changes that the ledger does not have yet.
    pub(super) pending: HashMap<DeviceHandle, Timestamp>,
    /// When the number on an icon was set last.
    pub(super) badges: HashMap<DeviceHandle, Timestamp>,
}

#[derive(Debug, Clone, Default)]
struct LedgerHealth {
    connected: bool,
    since: Option<Timestamp>,
    failure: Option<(Timestamp, LedgerError)>,
}

#[derive(Debug)]
pub(super) struct Board {
    health: Mutex<LedgerHealth>,
    outages: Mutex<Outages>,
    retry_for: Duration,
    tokens: Mutex<TokenClocks>,
    errors: AtomicU64,
    takeovers: AtomicU64,
    waiting: AtomicU64,
    waiting_ms: AtomicU64,
    /// Another zmesd has this node's name.
    fenced: AtomicBool,
    /// The ledger had a later change of a token than this node: all are to be read again.
    read_again: AtomicBool,
    clock: Arc<dyn Clock>,
}

impl Board {
    pub(super) fn new(clock: Arc<dyn Clock>, retry_for: Duration) -> Self {
        Self {
            health: Mutex::default(),
            outages: Mutex::default(),
            retry_for,
            tokens: Mutex::default(),
            errors: AtomicU64::new(0),
            takeovers: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            waiting_ms: AtomicU64::new(0),
            fenced: AtomicBool::new(false),
            read_again: AtomicBool::new(false),
            clock,
        }
    }

    /// The ledger does what this node asks, its writes as well.
    pub(super) fn answered(&self) {
        locked(&self.outages).answered(Instant::now(), self.retry_for);
        let mut health = locked(&self.health);
        if !health.connected {
            health.connected = true;
            health.since = Some(self.clock.now());
        }
    }

    pub(super) fn failed(&self, error: &LedgerError) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        let (mut health, now) = (locked(&self.health), self.clock.now());
        health.failure = Some((now, error.clone()));
    }

    /// It does not.
    pub(super) fn away(&self, error: &LedgerError) {
        self.failed(error);
        locked(&self.outages).away(Instant::now());
        let mut health = locked(&self.health);
        if health.connected || health.since.is_none() {
            health.connected = false;
            health.since = Some(self.clock.now());
        }
    }

    /// Returns how much older than `push.retry-for` an alarm of the ledger may be that is still to be sent.
    pub(super) fn allowance(&self) -> Duration {
        locked(&self.outages).allowance(Instant::now(), self.retry_for)
    }

    pub(super) fn took_over(&self) {
        self.takeovers.fetch_add(1, Ordering::Relaxed);
    }

    /// So many alarms are not in the ledger, the oldest for so long.
    pub(super) fn waits(&self, alarms: usize, oldest: Duration) {
        self.waiting.store(alarms as u64, Ordering::Relaxed);
        self.waiting_ms.store(u64::try_from(oldest.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn fence(&self) {
        self.fenced.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::Relaxed)
    }

    pub(super) fn tokens(&self) -> MutexGuard<'_, TokenClocks> {
        locked(&self.tokens)
    }

    pub(super) fn have_read_again(&self) {
        self.read_again.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_to_read_again(&self) -> bool {
        self.read_again.swap(false, Ordering::Relaxed)
    }

    /// Adds what is known of the ledger.
    pub(super) fn describe(&self, status: &mut ClusterStatus) {
        let health = locked(&self.health).clone();
        (status.connected, status.since) = (health.connected, health.since);
        status.errors = self.errors.load(Ordering::Relaxed);
        status.takeovers = self.takeovers.load(Ordering::Relaxed);
        status.waiting = self.waiting.load(Ordering::Relaxed);
        status.waiting_ms = self.waiting_ms.load(Ordering::Relaxed);
        status.fenced = self.is_fenced();
        if let Some((at, LedgerError { message, hint, .. })) = health.failure {
            (status.last_error, status.last_error_at) = (Some(message), Some(at));
            status.hint = Some(hint).filter(|_| !health.connected || status.waiting_ms > CLUSTER_WAIT_MS);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
