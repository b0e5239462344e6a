//! The task that checks each push provider now and then, without sending a message: a provider that cannot be reached is
//! known before the next alarm.
//!
//! What a check finds is kept with the health of its transport, as that of `push check` is. From there `status`, `doctor`,
//! `check` and the troubles read it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::SignedDuration;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::moment;
use crate::admin::AdminParts;
use crate::ports::TransportHealth;
use crate::troubles::Moment;

/// How often it is judged which transports are due.
const EVERY: Duration = Duration::from_secs(1);
/// The first check, when the network of a machine that has just started is there.
const FIRST: Duration = Duration::from_mins(2);
/// The next check after one that failed, at the latest: the findings repeat what fails every 30 s.
pub(in crate::admin) const SECOND_TRY: Duration = Duration::from_mins(3);
/// The random part of an interval, each way: a sixth, 10 minutes of an hour. Many installations must not ask a provider
/// at the same moment.
const JITTER: f64 = 1.0 / 6.0;

/// Checks until it is cancelled. Owns: when each transport is due. Ends: never; the caller ends it with the daemon.
pub(in crate::admin) async fn run(parts: &AdminParts) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut schedule = ProbeSchedule::default();
    loop {
        ticks.tick().await;
        let every = parts.configuration.running().watchdog.probe_interval;
        let due = schedule.due(&parts.push.health(), every, moment(parts), fastrand::f64());
        let checks = due.iter().map(|name| parts.push.check(Some(name)));
        for check in join_all(checks).await.into_iter().flatten().filter(|check| !check.ok) {
            schedule.failed(&check.transport, every, Instant::now());
        }
    }
}

/// When each transport is checked next, by its name.
#[derive(Debug, Default)]
struct ProbeSchedule(BTreeMap<String, Instant>);

impl ProbeSchedule {
    /// Returns which transports are to be checked now, and plans the check after that. `luck` is a random number from
    /// 0 to 1.
    fn due(
        &mut self,
        transports: &[TransportHealth],
        every: Duration,
        now: Moment,
        luck: f64,
    ) -> Vec<String> {
        if every.is_zero() {
            self.0.clear();
            return Vec::new();
        }
        self.0.retain(|name, _| transports.iter().any(|health| health.transport == *name));
        let mut due = Vec::new();
        for health in transports {
            let first = now.tick + FIRST.min(every);
            let next = self.0.entry(health.transport.clone()).or_insert(first);
            // The interval may have become shorter.
            *next = (*next).min(now.tick + every.mul_f64(1.0 + JITTER));
            if *next > now.tick {
                continue;
            }
            *next = now.tick + every.mul_f64(1.0 - JITTER + 2.0 * JITTER * luck);
            if !works(health, every, now) {
                due.push(health.transport.clone());
            }
        }
        due
    }

    /// Plans the next check of a transport whose check has failed.
    fn failed(&mut self, transport: &str, every: Duration, now: Instant) {
        if let Some(next) = self.0.get_mut(transport) {
            *next = (*next).min(now + SECOND_TRY.min(every));
        }
    }
}

/// Says whether a push was accepted so lately that a check would tell nothing new.
fn works(health: &TransportHealth, every: Duration, now: Moment) -> bool {
    let every = SignedDuration::try_from(every).unwrap_or(SignedDuration::MAX);
    let lately = health.last_success.is_some_and(|at| now.at.duration_since(at) < every);
    let reached = health.probe.as_ref().is_none_or(|probe| probe.failure.is_none());
    lately && reached && !health.fails()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn health(name: &str) -> TransportHealth {
        TransportHealth { transport: name.to_owned(), ..TransportHealth::default() }
    }

    /// Asks every second for some time, and returns after how many seconds which transport was due.
    fn plan(
        schedule: &mut ProbeSchedule,
        transports: &[TransportHealth],
        every: Duration,
        seconds: std::ops::Range<u64>,
        start: Moment,
    ) -> Vec<(u64, String)> {
        let mut due = Vec::new();
        for second in seconds {
            let passed = Duration::from_secs(second);
            let now = Moment { at: start.at + passed, tick: start.tick + passed };
            due.extend(schedule.due(transports, every, now, 1.0).into_iter().map(|name| (second, name)));
        }
        due
    }

    fn start() -> Moment {
        Moment { at: Timestamp::from_second(1_800_000_000).unwrap(), tick: Instant::now() }
    }

    #[test]
    fn each_transport_is_checked_after_the_start_and_then_once_an_interval() {
        let (mut schedule, start) = (ProbeSchedule::default(), start());
        let transports = [health("apns"), health("fcm")];
        let due = plan(&mut schedule, &transports, HOUR, 0..5000, start);
        let at = |second: u64, name: &str| (second, name.to_owned());
        assert_eq!(due, [at(120, "apns"), at(120, "fcm"), at(4320, "apns"), at(4320, "fcm")]);
        schedule.failed("fcm", HOUR, start.tick + Duration::from_secs(5000));
        let due = plan(&mut schedule, &transports, HOUR, 5000..6000, start);
        assert_eq!(due, [at(5180, "fcm")], "the second try");
        assert!(plan(&mut schedule, &[], HOUR, 6000..6001, start).is_empty() && schedule.0.is_empty());
    }

    #[test]
    fn a_transport_that_works_is_left_alone_and_zero_is_off() {
        let (mut schedule, start) = (ProbeSchedule::default(), start());
        let mut transports = [health("fcm")];
        transports[0].last_success = Some(start.at);
        assert!(plan(&mut schedule, &transports, HOUR, 0..3500, start).is_empty());
        assert_eq!(plan(&mut schedule, &transports, HOUR, 3500..9000, start).len(), 2);
        assert!(plan(&mut schedule, &transports, Duration::ZERO, 0..9000, start).is_empty());
    }

    #[test]
    fn a_shorter_interval_counts_at_once() {
        let (mut schedule, start) = (ProbeSchedule::default(), start());
        let transports = [health("fcm")];
        assert_eq!(plan(&mut schedule, &transports, HOUR, 0..200, start).len(), 1);
        let due = plan(&mut schedule, &transports, Duration::from_secs(6), 200..220, start);
        assert_eq!(due.iter().map(|(second, _)| *second).collect::<Vec<_>>(), [207, 214]);
    }
}
