//! The only way to wait: for a condition, with a deadline.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep, timeout};

/// Time limit of every wait. Far more than needed, so that a busy machine does not fail a test.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Calls `condition` until it returns a value. Fails at once on its error, and with `what` after [`DEADLINE`].
pub async fn wait_until<T>(what: &str, mut condition: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = condition().await.with_context(|| format!("waiting until {what}"))? {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            bail!("not within {DEADLINE:?}: {what}");
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// Awaits `future`; fails with `what` after [`DEADLINE`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> Result<T> {
    timeout(DEADLINE, future).await.with_context(|| format!("not within {DEADLINE:?}: {what}"))
}
