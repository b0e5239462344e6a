//! What others see of the push side: how it is, and checks of its transports.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// Counters and gauges of the push side since the start, shared by reference.
#[derive(Debug, Default)]
pub struct PushStatus {
    outstanding: AtomicI64,
    delivered: AtomicU64,
    failed: AtomicU64,
    gates: Mutex<BTreeMap<String, GateStatus>>,
}

/// How one transport is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateStatus {
    /// Pushes under way.
    pub in_flight: usize,
    /// It rests until then, because it failed too often in a row.
    pub rests_until: Option<Timestamp>,
    /// Its last failure.
    pub last_error: Option<String>,
}

impl PushStatus {
    /// Returns how many deliveries are not made yet.
    pub fn queued(&self) -> u64 {
        self.outstanding.load(Ordering::Relaxed).max(0).cast_unsigned()
    }

    /// Returns how many pushes providers have taken.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Returns how many deliveries were given up.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Returns the transports by name.
    pub fn gates(&self) -> BTreeMap<String, GateStatus> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn came(&self, deliveries: usize) {
        self.outstanding.fetch_add(i64::try_from(deliveries).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    pub(super) fn went(&self) {
        self.outstanding.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn sent(&self) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn gave_up(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn update(&self, gate: &str, change: impl FnOnce(&mut GateStatus)) {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(status) = gates.get_mut(gate) {
            return change(status);
        }
        change(gates.entry(gate.to_owned()).or_default());
    }
}
