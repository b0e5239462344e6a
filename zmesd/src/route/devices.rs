//! Remembers apps that reconnect without a token: the filter of a session whose connection broke, and when each device
//! last got an alarm.
//!
//! Apps that send no version cannot be told apart, so nothing is remembered for them: a browser must not inherit the
//! filter of a script. For other apps, a filter is remembered only if it is unambiguous: the app did not close the
//! connection itself, it broke less than 10 minutes ago, and only one filter is possible.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use zmes_shared::{MonitorId, SessionId};

use super::tokens::SentTimes;
use crate::domain::MonitorFilter;
use crate::state::{Device, DeviceNote, LastFilter, Remembered};

/// Maximum number of remembered devices. Beyond that, the one not seen for the longest time is forgotten.
const MAX_DEVICES: usize = 4096;
/// How long the filter of a broken session is kept for its app. zmNinjaNg retries after 2 minutes at most.
const COMES_BACK_WITHIN: SignedDuration = SignedDuration::from_mins(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// The app closed the connection (close frame): its next session starts without a filter.
    ByApp,
    /// The connection broke, or zmesd closed it: the app reconnects and may repeat only its login.
    Broken,
    /// The daemon is stopping. The state on disk already treats the session as broken.
    Stopping,
}

#[derive(Debug, Default)]
pub(super) struct Devices {
    connected: HashMap<Device, Vec<(SessionId, MonitorFilter)>>,
    known: HashMap<Device, KnownDevice>,
    /// Devices whose entry on the disk is out of date.
    changed: BTreeSet<Device>,
}

#[derive(Debug, Default)]
struct KnownDevice {
    last: Option<LastFilter>,
    sent: SentTimes,
    seen: Timestamp,
}

impl KnownDevice {
    fn is_empty(&self) -> bool {
        self.last.is_none() && self.sent.is_empty()
    }
}

impl Devices {
    /// Restores what the previous run of the daemon saved. Sessions that were open then count as broken now.
    pub(super) fn restore(remembered: Remembered, now: Timestamp) -> Self {
        let mut devices = Self::default();
        for (device, LastFilter { filter, broken_at }) in remembered.filters {
            let last = LastFilter { filter, broken_at: Some(broken_at.unwrap_or(now)) };
            if device.is_told_apart() && !is_over(&last, now) {
                devices.entry(&device, now).last = Some(last);
            }
            devices.changed.insert(device);
        }
        for ((device, monitor), at) in remembered.sent {
            if device.is_told_apart() {
                devices.entry(&device, at).sent.insert(monitor, at);
            }
        }
        devices
    }

    /// A session of the device has logged in. Returns the filter that it had when its connection broke, and when it
    /// last got an alarm of each monitor that has an interval. Returns neither while another session of the device is
    /// connected.
    pub(super) fn join(
        &mut self,
        device: &Device,
        session: SessionId,
        now: Timestamp,
    ) -> (Option<MonitorFilter>, SentTimes) {
        if !device.is_told_apart() {
            return (None, SentTimes::default());
        }
        let sessions = self.connected.entry(device.clone()).or_default();
        let alone = sessions.iter().all(|(other, _)| *other == session);
        let known = self.known.get(device).filter(|_| alone);
        let last = known.and_then(|known| known.last.as_ref()).filter(|last| !is_over(last, now));
        let filter = last.map(|last| last.filter.clone());
        let sent = known.map(|known| known.sent.clone()).unwrap_or_default();
        self.state(device, session, filter.clone().unwrap_or_default(), now);
        (filter, sent)
    }

    pub(super) fn state(
        &mut self,
        device: &Device,
        session: SessionId,
        filter: MonitorFilter,
        now: Timestamp,
    ) {
        if !device.is_told_apart() {
            return;
        }
        let sessions = self.connected.entry(device.clone()).or_default();
        match sessions.iter_mut().find(|(other, _)| *other == session) {
            Some((_, had)) => *had = filter,
            None => sessions.push((session, filter)),
        }
        self.agree(device, now);
    }

    pub(super) fn leave(&mut self, device: &Device, session: SessionId, left: SessionEnd, now: Timestamp) {
        let Some(sessions) = self.connected.get_mut(device) else { return };
        let Some(at) = sessions.iter().position(|(other, _)| *other == session) else { return };
        let (_, filter) = sessions.swap_remove(at);
        let others = !sessions.is_empty();
        if !others {
            self.connected.remove(device);
        }
        match left {
            SessionEnd::Stopping => {}
            SessionEnd::ByApp | SessionEnd::Broken if others => self.agree(device, now),
            SessionEnd::ByApp => self.set_last(device, None, now),
            SessionEnd::Broken => {
                self.set_last(device, Some(LastFilter { filter, broken_at: Some(now) }), now);
            }
        }
    }

    /// Remembers the filter of the device's connected sessions, or none if their filters differ.
    fn agree(&mut self, device: &Device, now: Timestamp) {
        let mut filters = self.connected.get(device).into_iter().flatten().map(|(_, filter)| filter);
        let Some(first) = filters.next() else { return };
        let last = filters
            .all(|filter| filter == first)
            .then(|| LastFilter { filter: first.clone(), broken_at: None });
        self.set_last(device, last, now);
    }

    /// A filter for all monitors is not remembered: it is also the default of an unknown device.
    fn set_last(&mut self, device: &Device, last: Option<LastFilter>, now: Timestamp) {
        let last = last.filter(|last| last.filter != MonitorFilter::All);
        if self.known.get(device).and_then(|known| known.last.as_ref()) == last.as_ref() {
            return;
        }
        self.changed.insert(device.clone());
        self.entry(device, now).last = last;
        if self.known.get(device).is_some_and(KnownDevice::is_empty) {
            self.known.remove(device);
        }
    }

    /// Remembers that a device got an alarm. Returns false if the device cannot be remembered.
    pub(super) fn set_sent(&mut self, device: &Device, monitor: MonitorId, at: Timestamp) -> bool {
        if !device.is_told_apart() {
            return false;
        }
        self.entry(device, at).sent.insert(monitor, at);
        true
    }

    pub(super) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Returns what must be written to the state; if that fails, call [`Self::put_back`].
    pub(super) fn take_changes(&mut self) -> Vec<DeviceNote> {
        let note = |device: Device| {
            let known = self.known.get(&device);
            let last = known.and_then(|known| known.last.clone());
            DeviceNote { device, last, forget_intervals: known.is_none_or(|known| known.sent.is_empty()) }
        };
        std::mem::take(&mut self.changed).into_iter().map(note).collect()
    }

    pub(super) fn put_back(&mut self, devices: impl IntoIterator<Item = Device>) {
        self.changed.extend(devices);
    }

    fn entry(&mut self, device: &Device, now: Timestamp) -> &mut KnownDevice {
        if self.known.len() >= MAX_DEVICES && !self.known.contains_key(device) {
            self.evict();
        }
        let known = self.known.entry(device.clone()).or_default();
        known.seen = known.seen.max(now);
        known
    }

    /// Forgets the device not seen for the longest time: an app that makes up versions must not push out all others.
    fn evict(&mut self) {
        let oldest = self.known.iter().min_by_key(|(_, known)| known.seen).map(|(device, _)| device.clone());
        if let Some(oldest) = oldest {
            self.known.remove(&oldest);
            self.changed.insert(oldest);
        }
    }
}

/// Returns whether the session broke too long ago for its filter to count. An open session did not break.
fn is_over(last: &LastFilter, now: Timestamp) -> bool {
    last.broken_at.is_some_and(|at| now.duration_since(at).abs() >= COMES_BACK_WITHIN)
}

#[cfg(test)]
mod tests {
    use zmes_providers::App;

    use super::*;

    const ALL: MonitorFilter = MonitorFilter::All;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_900_000_000 + seconds).unwrap()
    }

    fn only(monlist: &str) -> MonitorFilter {
        MonitorFilter::parse(monlist, "").unwrap()
    }

    fn device(app: &str) -> Device {
        Device { user: "amy".to_owned(), kind: App::ZmNinjaNg, app: app.to_owned() }
    }

    /// Logs in, states a filter, and leaves.
    fn visit(devices: &mut Devices, device: &Device, id: u64, filter: &MonitorFilter, left: SessionEnd) {
        devices.join(device, SessionId(id), at(0));
        devices.state(device, SessionId(id), filter.clone(), at(0));
        devices.leave(device, SessionId(id), left, at(0));
    }

    #[test]
    fn the_filter_of_a_session_that_broke_comes_back_for_ten_minutes() {
        for (left, later, expected) in [
            (SessionEnd::Broken, 0, Some(only("1"))),
            (SessionEnd::Broken, 599, Some(only("1"))),
            (SessionEnd::Broken, 600, None),
            (SessionEnd::ByApp, 1, None),
        ] {
            let mut devices = Devices::default();
            visit(&mut devices, &device("1.1.14"), 1, &only("1"), left);
            assert_eq!(
                devices.join(&device("1.1.14"), SessionId(2), at(later)).0,
                expected,
                "{left:?} {later}"
            );
        }
    }

    #[test]
    fn nothing_is_remembered_of_an_app_that_names_no_version() {
        let mut devices = Devices::default();
        visit(&mut devices, &device(""), 1, &only("1"), SessionEnd::Broken);
        assert!(!devices.set_sent(&device(""), MonitorId(1), at(0)));
        assert_eq!(devices.join(&device(""), SessionId(2), at(1)), (None, SentTimes::default()));
        assert!(!devices.has_changes());
    }

    #[test]
    fn another_app_or_user_has_nothing_of_it() {
        let mut devices = Devices::default();
        visit(&mut devices, &device("1.1.14"), 1, &only("1"), SessionEnd::Broken);
        let mine = device("1.1.14");
        for other in [
            Device { user: "bob".to_owned(), ..mine.clone() },
            Device { kind: App::ZmNinja, ..mine.clone() },
            device("1.1.15"),
        ] {
            assert_eq!(devices.join(&other, SessionId(2), at(1)).0, None, "{other:?}");
        }
        assert_eq!(devices.join(&mine, SessionId(3), at(1)).0, Some(only("1")));
    }

    #[test]
    fn while_another_session_of_the_device_is_connected_nothing_is_guessed() {
        let mut devices = Devices::default();
        let phone = device("1.1.14");
        devices.join(&phone, SessionId(1), at(0));
        devices.state(&phone, SessionId(1), only("2"), at(0));
        visit(&mut devices, &phone, 2, &only("1"), SessionEnd::Broken);
        assert_eq!(devices.join(&phone, SessionId(3), at(1)).0, None);
        devices.leave(&phone, SessionId(3), SessionEnd::ByApp, at(1));
        devices.leave(&phone, SessionId(1), SessionEnd::Broken, at(2));
        assert_eq!(devices.join(&phone, SessionId(4), at(3)).0, Some(only("2")), "alone again");
    }

    #[test]
    fn a_restart_is_a_break_and_two_filters_are_none() {
        let mut devices = Devices::default();
        let (one, two) = (device("one"), device("two"));
        for (device, id, filter) in [(&one, 1, "1"), (&two, 2, "2"), (&two, 3, "3")] {
            devices.join(device, SessionId(id), at(0));
            devices.state(device, SessionId(id), only(filter), at(0));
        }
        for (device, id) in [(&one, 1), (&two, 2), (&two, 3)] {
            devices.leave(device, SessionId(id), SessionEnd::Stopping, at(5));
        }
        let mut remembered = Remembered::default();
        for DeviceNote { device, last, .. } in devices.take_changes() {
            remembered.filters.extend(last.map(|last| (device, last)));
        }
        assert_eq!(remembered.filters[&one], LastFilter { filter: only("1"), broken_at: None });
        let mut devices = Devices::restore(remembered, at(3600));
        assert_eq!(devices.join(&one, SessionId(1), at(3601)).0, Some(only("1")));
        assert_eq!(devices.join(&two, SessionId(2), at(3601)).0, None);
    }

    #[test]
    fn what_broke_long_before_a_restart_is_forgotten_on_the_disk_too() {
        let last = LastFilter { filter: only("1"), broken_at: Some(at(0)) };
        let remembered = Remembered { filters: [(device("1"), last)].into(), ..Remembered::default() };
        let mut devices = Devices::restore(remembered, at(700));
        let note = DeviceNote { device: device("1"), last: None, forget_intervals: true };
        assert_eq!(devices.take_changes(), [note]);
    }

    #[test]
    fn a_filter_of_all_monitors_is_not_remembered() {
        let mut devices = Devices::default();
        visit(&mut devices, &device("1"), 1, &only("1"), SessionEnd::Broken);
        visit(&mut devices, &device("1"), 2, &ALL, SessionEnd::Broken);
        assert_eq!(devices.join(&device("1"), SessionId(3), at(1)).0, None);
        assert!(devices.known.is_empty());
    }

    #[test]
    fn an_app_that_invents_versions_pushes_out_the_oldest_alone() {
        let mut devices = Devices::default();
        for number in 0..=MAX_DEVICES {
            let at = at(i64::try_from(number).unwrap());
            assert!(devices.set_sent(&device(&number.to_string()), MonitorId(1), at));
        }
        assert_eq!(devices.known.len(), MAX_DEVICES);
        assert!(!devices.known.contains_key(&device("0")));
        let forgotten = DeviceNote { device: device("0"), last: None, forget_intervals: true };
        assert_eq!(devices.take_changes(), [forgotten]);
    }
}
