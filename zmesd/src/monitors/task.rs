//! The task that reads the catalog.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use zmes_shared::views::Reloaded;
use zmes_zoneminder::{AccountStore, DbError, Monitor, MonitorStore, User, Zoneminder};

use super::{Catalog, Orphans, Refresh};
use crate::ports::Clock;

/// First pause after a failure; it doubles up to [`LONGEST_PAUSE`]. A restarted database is back within seconds.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Maximum pause while the database is down, so that the daemon recovers soon afterwards.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Keeps the catalog in sync with ZoneMinder's database.
///
/// Owns the catalog. Receives refresh requests, changes of the interval, and its own timer ticks. Sends the catalog to
/// its receivers, and wakes them only if it differs. While the database fails, the last good catalog stays. Ends when
/// `stop` is cancelled, even during a query.
#[derive(Debug)]
pub struct CatalogTask {
    monitors: Arc<dyn MonitorStore>,
    accounts: Arc<dyn AccountStore>,
    interval: watch::Receiver<Duration>,
    clock: Arc<dyn Clock>,
    refresh_rx: mpsc::Receiver<Refresh>,
    catalog_tx: watch::Sender<Arc<Catalog>>,
    /// Other nodes watch the monitors of other servers, but for these; `None`: there is no cluster.
    orphans: Option<watch::Receiver<Arc<Orphans>>>,
    /// What was read last, with the monitors of all servers.
    read: Option<CatalogRead>,
    failures: u32,
}

/// What the database says, whoever watches which monitors.
#[derive(Debug)]
struct CatalogRead {
    zoneminder: Zoneminder,
    users: BTreeMap<String, Arc<User>>,
    at: (Timestamp, Instant),
}

impl CatalogTask {
    /// Creates the task; nothing is read before it runs.
    pub fn new(
        monitors: Arc<dyn MonitorStore>,
        accounts: Arc<dyn AccountStore>,
        interval: watch::Receiver<Duration>,
        clock: Arc<dyn Clock>,
        refresh_rx: mpsc::Receiver<Refresh>,
        catalog_tx: watch::Sender<Arc<Catalog>>,
    ) -> Self {
        let (orphans, read) = (None, None);
        Self { monitors, accounts, interval, clock, refresh_rx, catalog_tx, orphans, read, failures: 0 }
    }

    /// Keeps the names of the monitors of other servers, too, because their alarms come from other nodes; and takes up all of
    /// the monitors of `orphans`.
    #[must_use]
    pub fn of_node(self, orphans: watch::Receiver<Arc<Orphans>>) -> Self {
        Self { orphans: Some(orphans), ..self }
    }

    /// Reads at once, then at each interval and on request, until stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        info!("Loading monitors");
        let mut waiting: Vec<Refresh> = Vec::new();
        loop {
            let loaded = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                loaded = load(&*self.monitors, &*self.accounts, &*self.clock) => loaded,
            };
            let outcome = self.conclude(loaded);
            for refresh in waiting.drain(..) {
                // The receiver may have timed out.
                refresh.send(outcome.clone()).ok();
            }
            let read_at = Instant::now();
            let refresh = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                refresh = self.next(read_at) => refresh,
            };
            if let Some(refresh) = refresh {
                info!("Reloading Monitors...");
                waiting.push(refresh);
            } else {
                debug!("Reloading Monitors...");
            }
            // One reading answers all requests that came before it.
            while let Ok(refresh) = self.refresh_rx.try_recv() {
                waiting.push(refresh);
            }
        }
    }

    /// Waits for the next interval or request. Returns where to send the answer.
    async fn next(&mut self, read_at: Instant) -> Option<Refresh> {
        loop {
            let at = read_at + self.pause();
            tokio::select! {
                biased;
                Some(refresh) = self.refresh_rx.recv() => return Some(refresh),
                Ok(()) = self.interval.changed() => {}
                // The monitors are known, also while the database is away.
                () = changed(&mut self.orphans) => {
                    self.publish();
                }
                () = tokio::time::sleep_until(at) => return None,
            }
        }
    }

    /// Returns how long to wait after a reading: the interval, or less after failures.
    fn pause(&self) -> Duration {
        let interval = *self.interval.borrow();
        match self.failures.checked_sub(1) {
            None => interval,
            Some(doublings) => {
                let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings));
                pause.min(LONGEST_PAUSE).min(interval.max(FIRST_PAUSE))
            }
        }
    }

    /// Publishes the new catalog, or counts the failure.
    fn conclude(&mut self, loaded: Result<CatalogRead, DbError>) -> Result<Reloaded, DbError> {
        match loaded {
            Ok(read) => self.read = Some(read),
            Err(error) => {
                if self.failures == 0 {
                    warn!(%error, hint = error.trouble().hint, "cannot read ZoneMinder's database; keeping the last known monitors and users");
                } else {
                    debug!(%error, failures = self.failures, "still cannot read ZoneMinder's database");
                }
                self.failures = self.failures.saturating_add(1);
                return Err(error);
            }
        }
        if std::mem::take(&mut self.failures) > 0 {
            info!("ZoneMinder's database answers again");
        }
        Ok(self.publish())
    }

    /// Publishes what was read, as it is to be watched now.
    fn publish(&mut self) -> Reloaded {
        let Some(read) = &self.read else { return Reloaded::default() };
        let orphans = self.orphans.as_ref().map(|orphans| Arc::clone(&orphans.borrow()));
        let catalog = compose(read, orphans);
        let reloaded = compare(&self.catalog_tx.borrow(), &catalog);
        let catalog = Arc::new(catalog);
        let changed = self.catalog_tx.send_if_modified(|known| {
            let changed = !same(known, &catalog);
            // If only the time of reading changed, no receiver is woken.
            *known = Arc::clone(&catalog);
            changed
        });
        if changed {
            let watched = catalog.monitors.watched().count();
            info!(monitors = reloaded.monitors, watched, users = reloaded.users, "monitors loaded");
        }
        reloaded
    }
}

/// Waits until other orphans are to be watched; forever without a cluster, and after its end.
async fn changed(orphans: &mut Option<watch::Receiver<Arc<Orphans>>>) {
    let followed = match orphans {
        Some(orphans) => orphans.changed().await.is_ok(),
        None => false,
    };
    if !followed {
        pending::<()>().await;
    }
}

async fn load(
    monitors: &dyn MonitorStore,
    accounts: &dyn AccountStore,
    clock: &dyn Clock,
) -> Result<CatalogRead, DbError> {
    let zoneminder = monitors.load().await?;
    let users = accounts.all().await?;
    Ok(CatalogRead {
        zoneminder,
        users: users.into_iter().map(|user| (user.name.clone(), Arc::new(user))).collect(),
        at: (clock.now(), Instant::now()),
    })
}

/// Returns the catalog of a daemon alone, or of a node that watches these orphans.
fn compose(read: &CatalogRead, orphans: Option<Arc<Orphans>>) -> Catalog {
    let CatalogRead { zoneminder, users, at } = read;
    let mut catalog = Catalog {
        loaded_at: Some(at.0),
        read_at: Some(at.1),
        version: zoneminder.version,
        monitors: zoneminder.monitors.clone(),
        users: users.clone(),
        watch_max_delay: zoneminder.watch_max_delay,
        own_server: zoneminder.own_server,
        ..Catalog::default()
    };
    let Some(orphans) = orphans else { return catalog };
    for monitor in zoneminder.others.iter() {
        let Some(server) = &monitor.elsewhere else { continue };
        *catalog.servers.entry(Arc::clone(server)).or_default() += u64::from(monitor.watched.is_ok());
        if !orphans.contains(server.id) {
            catalog.others.insert(monitor.id, Arc::clone(&monitor.name));
        }
    }
    let taken_up = |monitor: &&Arc<Monitor>| {
        monitor.elsewhere.as_ref().is_some_and(|server| orphans.contains(server.id))
    };
    let taken_up = zoneminder.others.iter().filter(taken_up);
    catalog.monitors =
        catalog.monitors.iter().chain(taken_up).map(|monitor| Monitor::clone(monitor)).collect();
    catalog.orphans = orphans;
    catalog
}

fn compare(known: &Catalog, read: &Catalog) -> Reloaded {
    let missing = |from: &Catalog, of: &Catalog| {
        of.monitors.iter().filter(|monitor| from.monitors.find(monitor.id).is_none()).count() as u64
    };
    Reloaded {
        monitors: read.monitors.len() as u64,
        added: missing(known, read),
        removed: missing(read, known),
        users: read.users.len() as u64,
    }
}

/// Returns whether two catalogs are equal except for the time of reading. One that was never read always differs.
fn same(a: &Catalog, b: &Catalog) -> bool {
    let Catalog { loaded_at, read_at: _, version, monitors, others, servers, orphans, own_server, .. } = a;
    let Catalog { users, watch_max_delay, .. } = a;
    loaded_at.is_some() == b.loaded_at.is_some()
        && *version == b.version
        && *monitors == b.monitors
        && *others == b.others
        && *servers == b.servers
        && *orphans == b.orphans
        && *own_server == b.own_server
        && *watch_max_delay == b.watch_max_delay
        && users.values().map(|user| facts(user)).eq(b.users.values().map(|user| facts(user)))
}

fn facts(user: &User) -> impl PartialEq {
    let User { name, password, enabled, api_enabled, may_see_events, token_min_expiry, rights } = user;
    (name, password.expose_secret(), enabled, api_enabled, may_see_events, token_min_expiry, rights)
}

#[cfg(test)]
mod tests;
