//! What is remembered of apps that come back: their last filter and what they got last.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use zmes_shared::MonitorId;

use crate::domain::MonitorFilter;
use crate::state::{Device, Remembered};

/// Most devices that are remembered; more would only come from a client that invents app versions.
const MAX_DEVICES: usize = 4096;

/// The devices that have logged in, now or before.
#[derive(Debug, Default)]
pub(super) struct Devices {
    known: HashMap<Device, Known>,
}

#[derive(Debug, Default)]
struct Known {
    filter: Option<MonitorFilter>,
    sent: BTreeMap<MonitorId, Timestamp>,
}

impl Devices {
    /// Takes over what the daemon before had written down.
    pub(super) fn restore(remembered: Remembered) -> Self {
        let mut devices = Self::default();
        for (device, filter) in remembered.filters {
            if let Some(known) = devices.entry(device) {
                known.filter = Some(filter);
            }
        }
        for ((device, monitor), at) in remembered.sent {
            if let Some(known) = devices.entry(device) {
                known.sent.insert(monitor, at);
            }
        }
        devices
    }

    /// Returns the last filter of a device, if it ever set one.
    pub(super) fn filter(&self, device: &Device) -> Option<&MonitorFilter> {
        self.known.get(device)?.filter.as_ref()
    }

    /// Returns when a device got its last alarm of each monitor with an interval.
    pub(super) fn sent(&self, device: &Device) -> BTreeMap<MonitorId, Timestamp> {
        self.known.get(device).map(|known| known.sent.clone()).unwrap_or_default()
    }

    /// Remembers a filter; false: there are too many devices.
    pub(super) fn set_filter(&mut self, device: &Device, filter: MonitorFilter) -> bool {
        let Some(known) = self.entry(device.clone()) else { return false };
        known.filter = Some(filter);
        true
    }

    /// Remembers that a device got an alarm; false: there are too many devices.
    pub(super) fn set_sent(&mut self, device: &Device, monitor: MonitorId, at: Timestamp) -> bool {
        let Some(known) = self.entry(device.clone()) else { return false };
        known.sent.insert(monitor, at);
        true
    }

    fn entry(&mut self, device: Device) -> Option<&mut Known> {
        if self.known.len() >= MAX_DEVICES && !self.known.contains_key(&device) {
            return None;
        }
        Some(self.known.entry(device).or_default())
    }
}
