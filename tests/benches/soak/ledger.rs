//! Which alarm reached which receiver: every alarm at every phone's app, and at the provider.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Result, ensure};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, timeout};
use zmes_tests::standin::Arrival;
use zmes_tests::{AppClient, Incoming, World, wait_until};

use crate::measure::{Delays, Report};
use crate::strikes::Strike;

/// What one app received: how often each event, and when first.
type Heard = Arc<Mutex<BTreeMap<u64, (u32, Instant)>>>;

/// The phones, and what they received.
#[derive(Debug)]
pub(crate) struct Ledger {
    phones: Vec<Phone>,
    /// End with the ledger.
    _readers: JoinSet<()>,
}

#[derive(Debug)]
struct Phone {
    token: String,
    heard: Heard,
    reader: AbortHandle,
}

impl Ledger {
    /// Connects and registers `count` phones.
    pub(crate) async fn open(world: &World, count: usize) -> Result<Self> {
        let (mut phones, mut readers) = (Vec::new(), JoinSet::new());
        for number in 0..count {
            let token =
                format!("phone-{number:06}:APA91b{}{number:010}", "HPRgkFLJu6sgQ8kQz0ytrewq".repeat(4));
            let app = world.phone("android", &token).await?;
            let heard = Heard::default();
            let reader = readers.spawn(read(app, Arc::clone(&heard)));
            phones.push(Phone { token, heard, reader });
        }
        Ok(Self { phones, _readers: readers })
    }

    /// Waits until each app has received each of these alarms.
    pub(crate) async fn all_told(&self, struck: &[Strike]) -> Result<()> {
        for phone in &self.phones {
            wait_until("an app has heard of every alarm of the round", async || {
                ensure!(!phone.reader.is_finished(), "an app was disconnected");
                let heard = lock(&phone.heard);
                Ok(struck.iter().all(|strike| heard.contains_key(&strike.event)).then_some(()))
            })
            .await?;
        }
        Ok(())
    }

    /// Returns how long apps and provider waited for each of these alarms.
    pub(crate) fn delays(&self, struck: &[Strike], pushes: &[Arrival]) -> Delays {
        let mut delays = Delays::default();
        let at: BTreeMap<u64, Instant> = struck.iter().map(|strike| (strike.event, strike.at)).collect();
        for phone in &self.phones {
            let heard = lock(&phone.heard);
            let first = struck.iter().filter_map(|strike| Some((heard.get(&strike.event)?.1, strike.at)));
            delays.frames.extend(first.map(|(heard, struck)| heard.saturating_duration_since(struck)));
        }
        for push in pushes.iter().filter(|push| push.accepted()) {
            if let Some(struck) = event(push).and_then(|event| at.get(&event)) {
                delays.pushes.push(push.at.saturating_duration_since(*struck));
            }
        }
        delays
    }

    /// Returns how many pushes no provider has taken yet.
    pub(crate) fn missing_pushes(&self, accepted: &[Arrival], events: Range<u64>) -> usize {
        let pushed = pushed(accepted);
        let wanted = |phone: &Phone| {
            let got = pushed.get(phone.token.as_str());
            events.clone().filter(|event| !got.is_some_and(|got| got.contains(event))).count()
        };
        self.phones.iter().map(wanted).sum()
    }

    /// Checks that every alarm arrived everywhere.
    pub(crate) fn judge(&self, accepted: &[Arrival], events: Range<u64>, report: &mut Report) {
        report.alarms = events.clone().count();
        report.frames_expected = report.alarms * self.phones.len();
        report.pushes_missing = self.missing_pushes(accepted, events.clone());
        for phone in &self.phones {
            let heard = lock(&phone.heard);
            report.frames_missing += events.clone().filter(|event| !heard.contains_key(event)).count();
            report.frames_twice += heard.values().filter(|(count, _)| *count > 1).count();
        }
        let own =
            |push: &&Arrival| self.phones.iter().any(|phone| push.token.as_deref() == Some(&phone.token));
        let all = accepted.iter().filter(own).count();
        // Pushes in flight when a provider hung may have arrived; repeating them is correct.
        report.pushes_repeated = all.saturating_sub(report.frames_expected - report.pushes_missing);
    }
}

fn pushed(accepted: &[Arrival]) -> BTreeMap<&str, BTreeSet<u64>> {
    let mut pushed: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for push in accepted {
        if let (Some(token), Some(event)) = (push.token.as_deref(), event(push)) {
            pushed.entry(token).or_default().insert(event);
        }
    }
    pushed
}

/// Returns the event that a push is about.
fn event(push: &Arrival) -> Option<u64> {
    push.json().pointer("/message/data/eid")?.as_str()?.parse().ok()
}

/// Reads until the connection ends.
async fn read(mut app: AppClient, heard: Heard) {
    loop {
        // No frames while no alarm is raised does not mean that the connection ended.
        let Ok(next) = timeout(zmes_tests::DEADLINE / 2, app.next()).await else { continue };
        let Ok(Incoming::Json(frame)) = next else { return };
        let at = Instant::now();
        for event in frame["events"].as_array().into_iter().flatten() {
            if let Some(id) = event["EventId"].as_str().and_then(|id| id.parse().ok()) {
                lock(&heard).entry(id).or_insert((0, at)).0 += 1;
            }
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
