//! One connection to the ledger: made when it is needed, thrown away after a failure, with a deadline for all it does.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, MySqlConnection};
use tokio::time::{Instant, sleep, timeout_at};

use crate::fault::{LedgerError, LedgerFault, is_contention, number};
use crate::server::LedgerServer;

/// How often a transaction is tried that others are in the way of.
const ATTEMPTS: u32 = 6;
/// Pause before it is tried again, in milliseconds.
const JITTER: std::ops::RangeInclusive<u64> = 5..=50;

/// What ends the work on a connection early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The database said no, or broke.
    Sql(sqlx::Error),
    /// What was found forbids to go on; nothing is written.
    Fault(LedgerError),
    /// Somebody was quicker; all of it has to be repeated.
    Again,
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// What a piece of work returns.
pub(crate) type Work<T> = Result<T, Stop>;

/// One connection to the ledger.
///
/// Each call ends within the deadline, whatever the server does. After a failure the connection is thrown away, because
/// nobody knows what is still to come on it; the next call makes another one. All work is written so that it can be
/// repeated: a call that failed may have been done nevertheless.
#[derive(Debug)]
pub struct Line {
    server: Arc<LedgerServer>,
    connection: Option<MySqlConnection>,
    deadline: Duration,
}

impl Line {
    /// A line to this server, not yet connected, whose calls take this long at most.
    pub fn new(server: Arc<LedgerServer>, deadline: Duration) -> Self {
        Self { server, connection: None, deadline }
    }

    /// The server.
    pub fn server(&self) -> &LedgerServer {
        &self.server
    }

    /// Keeps an idle connection open: without this the server closes it after 20 s. Call it every few seconds.
    pub async fn keep_open(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let until = Instant::now() + self.deadline;
        if let Ok(Ok(())) = timeout_at(until, connection.ping()).await {
            self.connection = Some(connection);
        }
    }

    /// Runs statements that stand each for itself.
    pub(crate) async fn statements<T>(
        &mut self,
        work: impl AsyncFnMut(&mut MySqlConnection) -> Work<T>,
    ) -> Result<T, LedgerError> {
        self.run(false, work).await
    }

    /// Runs statements as one transaction. Galera decides at the COMMIT whether it holds, so all of it is repeated.
    pub(crate) async fn transaction<T>(
        &mut self,
        work: impl AsyncFnMut(&mut MySqlConnection) -> Work<T>,
    ) -> Result<T, LedgerError> {
        self.run(true, work).await
    }

    async fn run<T>(
        &mut self,
        as_transaction: bool,
        mut work: impl AsyncFnMut(&mut MySqlConnection) -> Work<T>,
    ) -> Result<T, LedgerError> {
        let until = Instant::now() + self.deadline;
        let server = Arc::clone(&self.server);
        // An idle connection may be dead without our knowledge; one that was just made is not.
        let mut idle = self.connection.is_some();
        let mut attempt = 1;
        loop {
            let step = async {
                let mut connection = match self.connection.take() {
                    Some(connection) => connection,
                    None => server.connect().await.map_err(Stop::Fault)?,
                };
                let result = attempted(&mut connection, as_transaction, &mut work).await;
                if !matches!(&result, Err(Stop::Sql(_))) {
                    self.connection = Some(connection);
                }
                result
            };
            let error = match timeout_at(until, step).await {
                Err(_elapsed) => {
                    self.connection = None;
                    return Err(server.late());
                }
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(Stop::Fault(fault))) => return Err(fault),
                Ok(Err(Stop::Again)) => contended(),
                Ok(Err(Stop::Sql(error))) => {
                    if idle && is_broken(&error) {
                        idle = false;
                        continue;
                    }
                    return Err(LedgerError::of(&error));
                }
            };
            if attempt == ATTEMPTS {
                return Err(error);
            }
            attempt += 1;
            sleep(Duration::from_millis(fastrand::u64(JITTER))).await;
        }
    }
}

/// Does the work once. After anything but success nothing of a transaction is left, or the connection is of no use.
async fn attempted<T>(
    connection: &mut MySqlConnection,
    as_transaction: bool,
    work: &mut impl AsyncFnMut(&mut MySqlConnection) -> Work<T>,
) -> Work<T> {
    if as_transaction {
        say(connection, "START TRANSACTION").await?;
    }
    let done = match work(connection).await {
        Ok(value) if as_transaction => say(connection, "COMMIT").await.map(|()| value).map_err(Stop::Sql),
        other => other,
    };
    let stop = match done {
        Ok(value) => return Ok(value),
        // After a deadlock nothing is left to roll back, after a lock wait there is.
        Err(Stop::Sql(error)) if number(&error).is_some_and(is_contention) => Stop::Again,
        Err(stop) => stop,
    };
    if as_transaction && !matches!(stop, Stop::Sql(_)) {
        say(connection, "ROLLBACK").await?;
    }
    Err(stop)
}

async fn say(connection: &mut MySqlConnection, statement: &'static str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.map(drop)
}

/// Says whether the connection broke, which is no word on what was asked.
#[expect(clippy::wildcard_enum_match_arm, reason = "the driver's list, not ours")]
fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        // Killed, and closed for being idle.
        sqlx::Error::Database(_) => number(error).is_some_and(|number| [1927, 4031].contains(&number)),
        _ => false,
    }
}

fn contended() -> LedgerError {
    let hint = "with several Galera members, let all nodes write to one of them";
    LedgerError::new(LedgerFault::Contended, "other transactions were in the way", hint)
}
