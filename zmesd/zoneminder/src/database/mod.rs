//! ZoneMinder's database. Only this module knows its tables, its columns and MySQL.
//!
//! The tables differ between releases, so the columns are looked up in `information_schema` and not guessed from a
//! version; a missing column reads as NULL. Statements only read, and each call ends within [`DEADLINE`]. Sessions,
//! alarms and shared memory are not known here.

mod captures;
mod cells;
mod connect;
mod events;
mod examine;
mod explain;
mod health;
mod labels;
mod monitors;
mod permissions;
mod pictures;
mod pool;
mod rights;
mod schema;
mod settings;
mod users;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use sqlx::MySqlConnection;
use tokio::sync::watch;
use zmes_shared::{EventId, MonitorId};

use self::explain::Answer;
use self::health::{Area, Health};
use self::monitors::LoadedMonitors;
use self::pool::Pool;
use self::schema::{Schema, Session};
use crate::User;
use crate::conf::{DatabaseConfig, ServerScope};
use crate::pictures::EventPlace;
use crate::{
    AccountStore, CaptureReports, DatabaseCheck, DatabaseReport, DatabaseTrouble, DbError, DbHealth,
    EventRow, EventStore, LabelSources, LabelsRead, MonitorStore, PictureStore, Whereabouts, Zoneminder,
};
use zmes_shared::database::ServerAddress;

/// Deadline of one call, from the wait for a free connection to the last row. A healthy server answers in
/// milliseconds. An app waits 20 s for its login, which may take two calls.
const DEADLINE: Duration = Duration::from_secs(5);

/// ZoneMinder's database.
///
/// Owns the connections, the schema as last read, and the health. Connects for the first query, and again when
/// needed. A database that is down is an answer ([`DbError::Unavailable`]) and does not prevent the start.
#[derive(Debug)]
pub struct ZmDb {
    pool: Pool,
    health: Health,
    schema: Mutex<Option<Arc<Schema>>>,
    scope: ServerScope,
    /// Other servers are named, though their monitors are left out.
    names_servers: bool,
    enforce_permissions: AtomicBool,
}

impl ZmDb {
    /// Prepares to ask that database for the monitors of `scope`.
    pub fn new(database: DatabaseConfig, scope: impl Into<ServerScope>, enforce_permissions: bool) -> Self {
        Self {
            pool: Pool::new(database),
            health: Health::new(),
            schema: Mutex::default(),
            scope: scope.into(),
            names_servers: false,
            enforce_permissions: AtomicBool::new(enforce_permissions),
        }
    }

    /// Has it read the names of other servers, too, where their monitors are left out.
    #[must_use]
    pub fn naming_servers(self, names_servers: bool) -> Self {
        Self { names_servers, ..self }
    }

    /// Returns a receiver of the health.
    pub fn health(&self) -> watch::Receiver<DbHealth> {
        self.health.watch()
    }

    /// Sets whether users only see their monitors (`enforce-monitor-permissions`), from the next query on.
    pub fn enforce_permissions(&self, enforce: bool) {
        self.enforce_permissions.store(enforce, Ordering::Relaxed);
    }

    /// Runs a query on one connection, and records the outcome.
    async fn ask<T>(
        &self,
        area: Area,
        question: impl AsyncFnOnce(&mut Session<'_>) -> Answer<T>,
    ) -> Result<T, DbError> {
        let answer = self.ask_aside(question).await;
        if answer.is_err() {
            // The next server may be another one, or the same after an upgrade.
            *self.known_schema() = None;
            self.pool.connector.failed();
        }
        self.health.record(area, answer.as_ref().err());
        answer
    }

    /// The same for a query that alarms do not depend on: its failure is not a failure of the database.
    async fn ask_aside<T>(
        &self,
        question: impl AsyncFnOnce(&mut Session<'_>) -> Answer<T>,
    ) -> Result<T, DbError> {
        self.within_deadline(async {
            let mut lease = self.pool.take().await?;
            let schema = self.schema(&mut lease.connection).await?;
            let mut session = Session { connection: &mut lease.connection, schema: &schema };
            let answer = question(&mut session).await?;
            lease.keep();
            Ok(answer)
        })
        .await
    }

    /// Ends a query at the deadline, and describes its failure.
    async fn within_deadline<T>(&self, question: impl Future<Output = Answer<T>>) -> Result<T, DbError> {
        let database = &self.pool.connector.database;
        match tokio::time::timeout(DEADLINE, question).await {
            Ok(answer) => answer.map_err(|fault| fault.explain(database)),
            Err(_elapsed) => {
                let (place, seconds) = (ServerAddress::describe(&database.address), DEADLINE.as_secs());
                let late = DatabaseTrouble::late(format!("no answer from {place} within {seconds} s"));
                Err(DbError::Unavailable(late))
            }
        }
    }

    /// Returns the tables and columns as last read.
    async fn schema(&self, connection: &mut MySqlConnection) -> Answer<Arc<Schema>> {
        let known = self.known_schema().clone();
        if let Some(schema) = known {
            return Ok(schema);
        }
        let schema = Arc::new(Schema::probe(connection).await?);
        *self.known_schema() = Some(Arc::clone(&schema));
        Ok(schema)
    }

    fn known_schema(&self) -> MutexGuard<'_, Option<Arc<Schema>>> {
        self.schema.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enforces_permissions(&self) -> bool {
        self.enforce_permissions.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl MonitorStore for ZmDb {
    async fn load(&self) -> Result<Zoneminder, DbError> {
        // ZoneMinder may have been upgraded since.
        *self.known_schema() = None;
        self.ask(Area::Monitors, async |session| {
            let settings = settings::load(session).await?;
            let LoadedMonitors { monitors, others, own_server } =
                monitors::load(session, &settings, &self.scope, self.names_servers).await?;
            let (version, watch_max_delay) = (settings.version, settings.watch_max_delay);
            Ok(Zoneminder { version, monitors, others, own_server, watch_max_delay })
        })
        .await
    }
}

#[async_trait]
impl AccountStore for ZmDb {
    async fn find(&self, name: &str) -> Result<Option<User>, DbError> {
        let enforce = self.enforces_permissions();
        self.ask(Area::Accounts, async |session| users::find(session, name, enforce).await).await
    }

    async fn all(&self) -> Result<Vec<User>, DbError> {
        let enforce = self.enforces_permissions();
        self.ask(Area::Accounts, async |session| users::all(session, enforce).await).await
    }

    async fn token_secret(&self) -> Result<Option<SecretString>, DbError> {
        self.ask(Area::Accounts, settings::token_secret).await
    }
}

#[async_trait]
impl PictureStore for ZmDb {
    async fn place(&self, event: EventId) -> Result<Option<EventPlace>, DbError> {
        self.ask(Area::Events, async |session| pictures::place(session, event, &self.scope).await).await
    }

    async fn alarm_frames(&self, event: EventId, limit: u32) -> Result<Vec<u64>, DbError> {
        self.ask(Area::Events, async |session| pictures::alarm_frames(session, event, limit).await).await
    }
}

#[async_trait]
impl DatabaseCheck for ZmDb {
    async fn examine(&self) -> Result<DatabaseReport, DbError> {
        // Not through `ask`: this outcome is not that of the daemon's own queries.
        let question = async {
            let mut lease = self.pool.take().await?;
            let schema = Schema::probe(&mut lease.connection).await?;
            let mut session = Session { connection: &mut lease.connection, schema: &schema };
            let report = examine::examine(&mut session, &self.scope).await?;
            lease.keep();
            Ok(report)
        };
        self.within_deadline(question).await
    }
}

#[async_trait]
impl EventStore for ZmDb {
    async fn newest(&self) -> Result<Option<EventId>, DbError> {
        self.ask(Area::Events, events::newest).await
    }

    async fn since(&self, after: EventId, also: &[EventId], limit: u32) -> Result<Vec<EventRow>, DbError> {
        self.ask(Area::Events, async |session| events::since(session, after, also, limit).await).await
    }

    async fn open_events(&self, monitor: MonitorId) -> Result<Vec<EventRow>, DbError> {
        self.ask(Area::Events, async |session| events::open(session, monitor).await).await
    }

    async fn labels(&self, events: &[EventId], sources: LabelSources) -> Result<LabelsRead, DbError> {
        self.ask(Area::Events, async |session| labels::read(session, events, sources).await).await
    }

    async fn capture_reports(&self) -> Result<Option<CaptureReports>, DbError> {
        self.ask_aside(captures::read).await
    }

    async fn whereabouts(&self, monitor: MonitorId) -> Result<Option<Whereabouts>, DbError> {
        self.ask(Area::Events, async |session| monitors::whereabouts(session, monitor).await.map(Some)).await
    }
}
