//! Connections to the database server: free ones, and new ones if none is free.
//!
//! Not sqlx's own pool: that retries a refused connection until its timeout and then reports only the timeout, and it
//! keeps its first address. Here each attempt looks for the sockets again, and the first error is returned at once.

use std::sync::{Mutex, PoisonError};

use sqlx::{Connection, MySqlConnection};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::connect::Connector;
use super::explain::Answer;
use crate::conf::DatabaseConfig;

/// Connections at the same time. ZoneMinder itself uses one or two per monitor of the server's usual 151; logins are
/// short and queue here rather than there.
const CONNECTIONS: usize = 4;

#[derive(Debug)]
pub(super) struct Pool {
    pub(super) connector: Connector,
    permits: Semaphore,
    idle: Mutex<Vec<MySqlConnection>>,
}

impl Pool {
    pub(super) fn new(database: DatabaseConfig) -> Self {
        Self {
            connector: Connector::new(database),
            permits: Semaphore::new(CONNECTIONS),
            idle: Mutex::default(),
        }
    }

    /// Waits for a free connection; opens one if there is none or the old ones are dead.
    pub(super) async fn take(&self) -> Answer<Lease<'_>> {
        let permit = self.permits.acquire().await.map_err(|_closed| sqlx::Error::PoolClosed)?;
        while let Some(mut connection) = self.pop() {
            if connection.ping().await.is_ok() {
                return Ok(Lease { pool: self, connection, _permit: permit });
            }
            self.connector.failed();
        }
        let connection = Box::pin(self.connector.connect()).await?;
        Ok(Lease { pool: self, connection, _permit: permit })
    }

    fn pop(&self) -> Option<MySqlConnection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// A connection in use. Only [`keep`](Lease::keep) makes it available again: after an error or a deadline the rest of
/// an answer may still arrive on it.
#[derive(Debug)]
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    pub(super) connection: MySqlConnection,
    _permit: SemaphorePermit<'a>,
}

impl Lease<'_> {
    pub(super) fn keep(self) {
        self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.connection);
    }
}
