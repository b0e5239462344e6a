//! The database of the simulated ZoneMinder, in memory: monitors, one user, and the events that the simulation opens.
//!
//! Independent of shared memory. Its locks are held for a few loads and stores, never across an await.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, io};

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::time::Instant;
use zmes_shared::{EventId, MonitorId};
use zmes_zoneminder::pictures::{EventPlace, Scheme, Storage};
use zmes_zoneminder::{
    AccountStore, DatabaseCheck, DatabaseReport, DbError, EventRow, EventStore, Monitor, MonitorRights,
    MonitorSet, MonitorStore, PictureStore, Recording, User, ZmVersion, Zoneminder,
};

pub(super) const ADMIN: &str = "admin";
/// The ZoneMinder version that matches the layout of the shared memory.
const VERSION: ZmVersion = ZmVersion(1, 39, 22);
/// `ZM_WATCH_MAX_DELAY` in a new ZoneMinder installation.
const WATCH_MAX_DELAY: Duration = Duration::from_secs(45);
/// Maximum number of events; the oldest are forgotten, as a purge filter would do.
const KEPT_EVENTS: usize = 1000;
/// The limit promised by [`EventStore::open_events`].
const OPEN_EVENTS: usize = 8;
/// The picture of every event.
const PICTURE: &[u8] = include_bytes!("../../assets/demo.jpg");
/// A cheap bcrypt: the password is printed on the screen anyway.
const BCRYPT_COST: u32 = 4;

/// The names of the first monitors; further ones are numbered.
const NAMES: [&str; 8] =
    ["Front Door", "Garage", "Driveway", "Garden", "Back Door", "Porch", "Workshop", "Gate"];

#[derive(Debug)]
struct Event {
    row: EventRow,
    /// When the shared memory showed ALARM.
    alarmed: Instant,
}

#[derive(Debug)]
pub struct Database {
    monitors: MonitorSet,
    admin: User,
    events: Mutex<VecDeque<Event>>,
    /// The directory of the events' pictures, laid out as in a ZoneMinder storage.
    pictures: PathBuf,
}

impl Database {
    pub(super) fn new(monitors: u32, pictures: PathBuf) -> Result<Self, bcrypt::BcryptError> {
        let admin = User {
            name: ADMIN.to_owned(),
            password: SecretString::from(bcrypt::hash(ADMIN, BCRYPT_COST)?),
            enabled: true,
            api_enabled: true,
            may_see_events: true,
            token_min_expiry: 0,
            rights: MonitorRights::All,
        };
        let monitors = (1..=monitors).map(monitor).collect();
        Ok(Self { monitors, admin, events: Mutex::default(), pictures })
    }

    /// Writes the picture of an event: always the same one, because nothing moves in it.
    pub(super) fn take_picture(&self, monitor: MonitorId, event: EventId) -> io::Result<()> {
        let directory = self.directory(monitor, event);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("alarm.jpg"), PICTURE)
    }

    fn directory(&self, monitor: MonitorId, event: EventId) -> PathBuf {
        self.pictures.join(monitor.to_string()).join(event.to_string())
    }

    pub(super) fn monitors(&self) -> &MonitorSet {
        &self.monitors
    }

    pub(super) fn open(&self, monitor: MonitorId, cause: &str, alarmed: Instant) -> EventId {
        let mut events = self.events();
        let id = EventId(events.back().map_or(1, |last| last.row.id.0 + 1));
        if events.len() == KEPT_EVENTS {
            let oldest = events.pop_front();
            // If removing fails, a leftover picture costs 2 KB.
            oldest.map(|Event { row, .. }| fs::remove_dir_all(self.directory(row.monitor, row.id)).ok());
        }
        let row = EventRow {
            id,
            monitor,
            cause: cause.to_owned(),
            notes: String::new(),
            alarm_frames: 1,
            age: Duration::ZERO,
            open: true,
        };
        events.push_back(Event { row, alarmed });
        id
    }

    pub(super) fn count_alarm_frame(&self, event: EventId) {
        self.change(event, |row| row.alarm_frames += 1);
    }

    pub(super) fn close(&self, event: EventId) {
        self.change(event, |row| row.open = false);
    }

    fn change(&self, event: EventId, change: impl FnOnce(&mut EventRow)) {
        self.events().iter_mut().map(|event| &mut event.row).find(|row| row.id == event).map(change);
    }

    /// Returns the moment at which the shared memory showed ALARM for this event; `None` for an unknown event.
    pub(super) fn alarmed(&self, event: EventId) -> Option<Instant> {
        self.events().iter().find(|known| known.row.id == event).map(|known| known.alarmed)
    }

    fn events(&self) -> MutexGuard<'_, VecDeque<Event>> {
        // Nothing done under the lock can leave the list half changed.
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn monitor(number: u32) -> Monitor {
    let index = usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
    let name = NAMES.get(index).map_or_else(|| format!("Camera {number}"), |name| (*name).to_owned());
    Monitor {
        id: MonitorId(number),
        name: name.into(),
        recording: Recording::OnAlarm,
        alarm_opens_event: true,
        watched: Ok(()),
        on_demand: false,
        elsewhere: None,
    }
}

impl Event {
    fn row(&self) -> EventRow {
        EventRow { age: self.alarmed.elapsed(), ..self.row.clone() }
    }
}

#[async_trait]
impl MonitorStore for Database {
    async fn load(&self) -> Result<Zoneminder, DbError> {
        Ok(Zoneminder {
            version: Some(VERSION),
            monitors: self.monitors.clone(),
            others: MonitorSet::default(),
            own_server: None,
            watch_max_delay: WATCH_MAX_DELAY,
        })
    }
}

#[async_trait]
impl AccountStore for Database {
    async fn find(&self, name: &str) -> Result<Option<User>, DbError> {
        Ok((name == self.admin.name).then(|| self.admin.clone()))
    }

    async fn all(&self) -> Result<Vec<User>, DbError> {
        Ok(vec![self.admin.clone()])
    }

    async fn token_secret(&self) -> Result<Option<SecretString>, DbError> {
        Ok(None)
    }
}

#[async_trait]
impl DatabaseCheck for Database {
    async fn examine(&self) -> Result<DatabaseReport, DbError> {
        let newest = self.events().iter().map(|event| (event.row.monitor, event.row.id)).collect();
        Ok(DatabaseReport {
            server: "the demo's own".to_owned(),
            zoneminder: Some(VERSION),
            newest,
            ..DatabaseReport::default()
        })
    }
}

#[async_trait]
impl EventStore for Database {
    async fn newest(&self) -> Result<Option<EventId>, DbError> {
        Ok(self.events().back().map(|event| event.row.id))
    }

    async fn since(&self, after: EventId, also: &[EventId], limit: u32) -> Result<Vec<EventRow>, DbError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let events = self.events();
        let wanted = events.iter().filter(|event| event.row.id > after || also.contains(&event.row.id));
        Ok(wanted.take(limit).map(Event::row).collect())
    }

    async fn open_events(&self, monitor: MonitorId) -> Result<Vec<EventRow>, DbError> {
        let events = self.events();
        let open = events.iter().rev().filter(|event| event.row.open && event.row.monitor == monitor);
        Ok(open.take(OPEN_EVENTS).map(Event::row).collect())
    }
}

#[async_trait]
impl PictureStore for Database {
    async fn place(&self, event: EventId) -> Result<Option<EventPlace>, DbError> {
        let monitor = self.events().iter().find(|known| known.row.id == event).map(|known| known.row.monitor);
        let place = monitor.map(|monitor| EventPlace {
            event,
            monitor,
            storages: vec![Storage { id: 0, path: Some(self.pictures.clone()), elsewhere: false }],
            server: None,
            scheme: Scheme::Shallow,
            start: None,
            digits: 5,
        });
        Ok(place)
    }

    async fn alarm_frames(&self, _event: EventId, _limit: u32) -> Result<Vec<u64>, DbError> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[tokio::test]
    async fn the_only_user_is_admin_with_a_bcrypt_hash() {
        let database = Database::new(2, PathBuf::new()).unwrap();
        let admin = database.find("admin").await.unwrap().expect("admin");
        assert!(bcrypt::verify("admin", admin.password.expose_secret()).unwrap());
        assert_eq!(admin.barred(), None);
        assert!(database.find("Admin").await.unwrap().is_none(), "user names are case-sensitive");
    }

    #[tokio::test]
    async fn monitors_beyond_the_names_are_numbered() {
        let zoneminder = Database::new(9, PathBuf::new()).unwrap().load().await.unwrap();
        let names: Vec<_> = zoneminder.monitors.iter().map(|monitor| monitor.name.to_string()).collect();
        assert_eq!((names[0].as_str(), names[8].as_str()), ("Front Door", "Camera 9"));
    }

    #[tokio::test]
    async fn events_are_found_as_the_daemon_asks_for_them() {
        let database = Database::new(2, PathBuf::new()).unwrap();
        assert_eq!(database.newest().await.unwrap(), None);
        for monitor in [1, 2, 1] {
            database.open(MonitorId(monitor), "Motion:All", Instant::now());
        }
        database.close(EventId(1));
        database.count_alarm_frame(EventId(3));
        assert_eq!(database.newest().await.unwrap(), Some(EventId(3)));
        let ids = |rows: Vec<EventRow>| rows.iter().map(|row| row.id.0).collect::<Vec<_>>();
        assert_eq!(ids(database.since(EventId(2), &[EventId(1)], 10).await.unwrap()), [1, 3]);
        assert_eq!(ids(database.since(EventId(0), &[], 2).await.unwrap()), [1, 2]);
        let open = database.open_events(MonitorId(1)).await.unwrap();
        assert_eq!(
            open.iter().map(|row| (row.id.0, row.alarm_frames, row.open)).collect::<Vec<_>>(),
            [(3, 2, true)]
        );
    }

    #[tokio::test]
    async fn old_events_are_forgotten_and_ids_go_on() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::new(1, directory.path().to_owned()).unwrap();
        for _ in 0..=KEPT_EVENTS {
            database.open(MonitorId(1), "", Instant::now());
        }
        let all = database.since(EventId(0), &[], u32::MAX).await.unwrap();
        assert_eq!((all.len(), all[0].id), (KEPT_EVENTS, EventId(2)));
    }
}
