//! Troubles, as `zmesctl troubles` lists them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::ctl::Ctl;
use crate::wait::wait_until;

/// Upper bound for the slowest trouble: a condition must be gone for 30 s before its trouble is over, the database
/// trouble is raised after 60 s, tokens are read every 30 s, and a user without a token is reported after 60 s.
const LONG: Duration = Duration::from_mins(2);

/// As [`wait_until`], for conditions that take longer by design.
pub async fn wait_long<T>(what: &str, mut condition: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(value) = condition().await? {
            return Ok(value);
        }
        ensure!(Instant::now() < deadline, "not within {LONG:?}: {what}");
        sleep(Duration::from_millis(100)).await;
    }
}

impl Ctl {
    /// Returns the open troubles.
    pub async fn troubles(&self) -> Result<Vec<Value>> {
        let list = self.json(&["troubles"]).await?;
        list["troubles"].as_array().cloned().with_context(|| format!("no list: {list}"))
    }

    /// Waits until a trouble is open, and returns it.
    pub async fn wait_trouble(&self, id: &str) -> Result<Value> {
        wait_until(&format!("the trouble {id} stands"), async || {
            Ok(self.troubles().await?.into_iter().find(|trouble| trouble["id"] == id))
        })
        .await
    }

    /// Waits until a trouble is over.
    pub async fn wait_trouble_over(&self, id: &str) -> Result<()> {
        wait_long(&format!("the trouble {id} is over"), async || {
            let stands = self.troubles().await?.iter().any(|trouble| trouble["id"] == id);
            Ok((!stands).then_some(()))
        })
        .await
    }
}
