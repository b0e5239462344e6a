//! One connection to the ledger: made when it is needed, thrown away after a failure, with a deadline for all it does.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, MySqlConnection};
use tokio::time::error::Elapsed;
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

/// A piece of work under way. Boxed, so that callers of this crate need not prove again that it may move between threads:
/// the compiler fails to for references that are held meanwhile.
pub(crate) type Boxed<'w, T> = Pin<Box<dyn Future<Output = Work<T>> + Send + 'w>>;

/// One connection to the ledger.
///
/// Each call ends within the deadline, whatever the server does. After a failure the connection is thrown away, because
/// nobody knows what is still to come on it; the next call makes another one. All work is written so that it can be
/// repeated: a call that failed may have been done nevertheless.
#[derive(Debug)]
pub struct LedgerLine {
    server: Arc<LedgerServer>,
    connection: Option<MySqlConnection>,
    deadline: Duration,
}

impl LedgerLine {
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

    /// Begins statements that stand each for itself: see [`attempt!`].
    pub(crate) fn statements(&mut self) -> Call<'_> {
        Call::new(self, false)
    }

    /// Begins a transaction: see [`attempt!`]. Galera decides at the COMMIT whether it holds, so all of it is repeated.
    pub(crate) fn transaction(&mut self) -> Call<'_> {
        Call::new(self, true)
    }
}

/// Does work on a connection, until it is done or the time is up; the value is a `Result<_, LedgerError>`. The work is a
/// block that ends in a [`Work`]; it is repeated where others were in its way.
///
/// This is a macro because a function would take an `AsyncFnMut(&mut MySqlConnection)`, and the compiler cannot see yet that
/// what such a function returns may move between threads.
macro_rules! attempt {
    ($call:expr, |$connection:ident| $work:block) => {{
        let mut call = $call;
        loop {
            let until = call.until();
            let done = match call.open().await {
                Ok($connection) => {
                    let work: $crate::line::Boxed<'_, _> = Box::pin(async $work);
                    tokio::time::timeout_at(until, work).await
                }
                Err(stop) => Ok(Err(stop)),
            };
            if let Some(result) = call.settle(done).await {
                break result;
            }
        }
    }};
}
pub(crate) use attempt;

/// One piece of work on a [`LedgerLine`], with its attempts. The connection goes back to the line only after a good end.
pub(crate) struct Call<'l> {
    line: &'l mut LedgerLine,
    connection: Option<MySqlConnection>,
    /// The connection was made long ago, and may be dead without our knowledge.
    is_old: bool,
    is_transaction: bool,
    until: Instant,
    attempt: u32,
}

impl<'l> Call<'l> {
    fn new(line: &'l mut LedgerLine, is_transaction: bool) -> Self {
        let connection = line.connection.take();
        let (is_old, until) = (connection.is_some(), Instant::now() + line.deadline);
        Self { line, connection, is_old, is_transaction, until, attempt: 1 }
    }

    pub(crate) fn until(&self) -> Instant {
        self.until
    }

    /// Returns the connection, ready for the work.
    pub(crate) async fn open(&mut self) -> Work<&mut MySqlConnection> {
        let Self { line, connection, until, .. } = self;
        let open = async {
            let connection = match connection {
                Some(connection) => connection,
                None => connection.insert(line.server.connect().await.map_err(Stop::Fault)?),
            };
            if self.is_transaction {
                say(connection, "START TRANSACTION").await?;
            }
            Ok(connection)
        };
        timeout_at(*until, open).await.unwrap_or_else(|_elapsed| Err(Stop::Fault(line.server.late())))
    }

    /// Ends an attempt. `None`: another one is to be made.
    pub(crate) async fn settle<T>(
        &mut self,
        done: Result<Work<T>, Elapsed>,
    ) -> Option<Result<T, LedgerError>> {
        let until = self.until;
        let done = match done {
            Ok(Ok(value)) => timeout_at(until, self.end("COMMIT")).await.map(|ended| ended.map(|()| value)),
            Ok(Err(stop)) => Ok(Err(stop)),
            Err(elapsed) => Err(elapsed),
        };
        let stop = match done {
            Ok(Ok(value)) => {
                self.line.connection = self.connection.take();
                return Some(Ok(value));
            }
            // Nobody knows what is still to come on this connection.
            Err(_elapsed) => {
                self.connection = None;
                return Some(Err(self.line.server.late()));
            }
            // After a deadlock nothing is left to roll back, after a lock wait there is.
            Ok(Err(Stop::Sql(error))) if number(&error).is_some_and(is_contention) => Stop::Again,
            Ok(Err(stop)) => stop,
        };
        if let Stop::Sql(error) = stop {
            self.connection = None;
            if self.is_old && is_broken(&error) {
                self.is_old = false;
                return None;
            }
            return Some(Err(LedgerError::of(&error)));
        }
        if !matches!(timeout_at(until, self.end("ROLLBACK")).await, Ok(Ok(()))) {
            self.connection = None;
        }
        if let Stop::Fault(fault) = stop {
            self.line.connection = self.connection.take();
            return Some(Err(fault));
        }
        if self.attempt == ATTEMPTS || Instant::now() >= until {
            self.line.connection = self.connection.take();
            return Some(Err(contended()));
        }
        self.attempt += 1;
        sleep(Duration::from_millis(fastrand::u64(JITTER))).await;
        None
    }

    async fn end(&mut self, statement: &'static str) -> Work<()> {
        match &mut self.connection {
            Some(connection) if self.is_transaction => Ok(say(connection, statement).await?),
            Some(_) | None => Ok(()),
        }
    }
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
