//! ZoneMinder's database: the one place that knows its tables, its columns and MySQL.
//!
//! The tables differ from release to release, so what is there is looked up in `information_schema` instead of being
//! guessed from a version; what is missing reads as NULL. Statements only read, and each call ends within
//! [`DEADLINE`], whatever the server does. Nothing here knows about sessions, alarms or shared memory.

mod cells;
mod connect;
mod events;
mod examine;
mod explain;
mod health;
mod monitors;
mod permissions;
mod place;
mod pool;
mod rights;
mod schema;
mod settings;
mod users;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use sqlx::MySqlConnection;
use tokio::sync::watch;
use zmes_shared::{EventId, MonitorId};

use self::explain::Fault;
use self::health::{Area, Health};
use self::pool::Pool;
use self::schema::Schema;
use crate::User;
use crate::conf::{DatabaseConfig, ServerIdentity};
use crate::{
    AccountStore, DatabaseCheck, DatabaseReport, DatabaseTrouble, DbError, DbHealth, EventRow, EventStore,
    MonitorStore, Whereabouts, Zoneminder,
};

/// Longest time for one call, from the wait for a free connection to the last row. A healthy server answers in
/// milliseconds; an app waits 20 s for its login, so two calls must fit in there.
const DEADLINE: Duration = Duration::from_secs(5);

/// ZoneMinder's database.
///
/// Owns the connections, the schema as it was last seen and the health. Connects when the first question is asked,
/// and again whenever it has to; being away is an answer ([`DbError::Unavailable`]), never a failure to start.
#[derive(Debug)]
pub struct ZmDb {
    pool: Pool,
    health: Health,
    schema: Mutex<Option<Arc<Schema>>>,
    server: Option<ServerIdentity>,
    enforce_permissions: AtomicBool,
}

impl ZmDb {
    /// Prepares to ask that database for the monitors of `server` (`None`: all monitors).
    pub fn new(database: DatabaseConfig, server: Option<ServerIdentity>, enforce_permissions: bool) -> Self {
        Self {
            pool: Pool::new(database),
            health: Health::new(),
            schema: Mutex::new(None),
            server,
            enforce_permissions: AtomicBool::new(enforce_permissions),
        }
    }

    /// Returns a receiver that always has how the database answered last.
    pub fn health(&self) -> watch::Receiver<DbHealth> {
        self.health.watch()
    }

    /// Sets whether users are held to their monitors (`enforce-monitor-permissions`), from the next question on.
    pub fn enforce_permissions(&self, enforce: bool) {
        self.enforce_permissions.store(enforce, Ordering::Relaxed);
    }

    /// Runs a question under the deadline, puts its failure into words and records the outcome.
    async fn ask<T>(
        &self,
        area: Area,
        question: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, DbError> {
        let answer = match tokio::time::timeout(DEADLINE, question).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(fault)) => Err(fault.explain(self.pool.database())),
            Err(_elapsed) => Err(self.late()),
        };
        if answer.is_err() {
            // The next server may be another one, or the same after an upgrade.
            self.remember_schema(None);
            self.pool.failed();
        }
        self.health.record(area, answer.as_ref().err());
        answer
    }

    fn late(&self) -> DbError {
        let (place, seconds) = (self.pool.place(), DEADLINE.as_secs());
        DbError::Unavailable(DatabaseTrouble::late(format!("no answer from {place} within {seconds} s")))
    }

    /// Looks at the tables and columns anew.
    async fn probe(&self, connection: &mut MySqlConnection) -> Result<Arc<Schema>, Fault> {
        let schema = Arc::new(Schema::probe(connection).await?);
        self.remember_schema(Some(Arc::clone(&schema)));
        Ok(schema)
    }

    /// Returns the tables and columns as they were last seen.
    async fn schema(&self, connection: &mut MySqlConnection) -> Result<Arc<Schema>, Fault> {
        let known = self.schema.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(schema) => Ok(schema),
            None => self.probe(connection).await,
        }
    }

    fn remember_schema(&self, schema: Option<Arc<Schema>>) {
        *self.schema.lock().unwrap_or_else(PoisonError::into_inner) = schema;
    }

    fn enforces_permissions(&self) -> bool {
        self.enforce_permissions.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl MonitorStore for ZmDb {
    async fn load(&self) -> Result<Zoneminder, DbError> {
        self.ask(Area::Monitors, async {
            let mut lease = self.pool.take().await?;
            let schema = self.probe(&mut lease).await?;
            let settings = settings::load(&mut lease, &schema).await?;
            let monitors = monitors::load(&mut lease, &schema, &settings, self.server.as_ref()).await?;
            lease.keep();
            Ok(Zoneminder { version: settings.version, monitors, watch_max_delay: settings.watch_max_delay })
        })
        .await
    }
}

#[async_trait]
impl AccountStore for ZmDb {
    async fn find(&self, name: &str) -> Result<Option<User>, DbError> {
        self.ask(Area::Accounts, async {
            let mut lease = self.pool.take().await?;
            let schema = self.schema(&mut lease).await?;
            let user = users::find(&mut lease, &schema, name, self.enforces_permissions()).await?;
            lease.keep();
            Ok(user)
        })
        .await
    }

    async fn all(&self) -> Result<Vec<User>, DbError> {
        self.ask(Area::Accounts, async {
            let mut lease = self.pool.take().await?;
            let schema = self.schema(&mut lease).await?;
            let users = users::all(&mut lease, &schema, self.enforces_permissions()).await?;
            lease.keep();
            Ok(users)
        })
        .await
    }

    async fn token_secret(&self) -> Result<Option<SecretString>, DbError> {
        self.ask(Area::Accounts, async {
            let mut lease = self.pool.take().await?;
            let schema = self.schema(&mut lease).await?;
            let secret = settings::token_secret(&mut lease, &schema).await?;
            lease.keep();
            Ok(secret)
        })
        .await
    }
}

#[async_trait]
impl DatabaseCheck for ZmDb {
    async fn examine(&self) -> Result<DatabaseReport, DbError> {
        // Not by way of `ask`: what is found here says nothing of the questions that the daemon asks.
        let question = async {
            let mut lease = self.pool.take().await?;
            let schema = Schema::probe(&mut lease).await?;
            let report = examine::examine(&mut lease, &schema, self.server.as_ref()).await?;
            lease.keep();
            Ok(report)
        };
        match tokio::time::timeout(DEADLINE, question).await {
            Ok(Ok(report)) => Ok(report),
            Ok(Err(fault)) => Err(Fault::explain(fault, self.pool.database())),
            Err(_elapsed) => Err(self.late()),
        }
    }
}

#[async_trait]
impl EventStore for ZmDb {
    async fn newest(&self) -> Result<Option<EventId>, DbError> {
        self.ask(Area::Events, async {
            let mut lease = self.pool.take().await?;
            let schema = self.schema(&mut lease).await?;
            let newest = events::newest(&mut lease, &schema).await?;
            lease.keep();
            Ok(newest)
        })
        .await
    }

    async fn since(&self, after: EventId, also: &[EventId], limit: u32) -> Result<Vec<EventRow>, DbError> {
        self.ask(Area::Events, async {
            let mut lease = self.pool.take().await?;
            let schema = self.schema(&mut lease).await?;
            let rows = events::since(&mut lease, &schema, after, also, limit).await?;
            lease.keep();
            Ok(rows)
        })
        .await
    }

    async fn open_events(&self, monitor: MonitorId) -> Result<Vec<EventRow>, DbError> {
        self.ask(Area::Events, async {
            let mut lease = self.pool.take().await?;
            let schema = self.schema(&mut lease).await?;
            let rows = events::open(&mut lease, &schema, monitor).await?;
            lease.keep();
            Ok(rows)
        })
        .await
    }

    async fn whereabouts(&self, monitor: MonitorId) -> Result<Option<Whereabouts>, DbError> {
        self.ask(Area::Events, async {
            let mut lease = self.pool.take().await?;
            let schema = self.schema(&mut lease).await?;
            let found = monitors::whereabouts(&mut lease, &schema, monitor).await?;
            lease.keep();
            Ok(Some(found))
        })
        .await
    }
}
