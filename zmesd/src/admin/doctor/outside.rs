//! Database and providers where no daemon runs, judged by the same rules as in a walk.

use std::time::Duration;

use tokio::time::{Instant, timeout};
use zmes_shared::views::{Finding, Reloaded};
use zmes_zoneminder::{AccountStore, DatabaseCheck, DbHealth, MonitorSet, MonitorStore};

use super::measure::took;
use super::{database, push};
use crate::config::Config;
use crate::ports::PushSide;

/// How long the providers may take: `zmesctl` waits for it.
const PROVIDERS: Duration = Duration::from_secs(10);

/// What a daemon would ask.
#[derive(Debug)]
pub struct Outside<'a> {
    /// The database itself.
    pub zoneminder: &'a dyn DatabaseCheck,
    /// Its monitors.
    pub monitors: &'a dyn MonitorStore,
    /// Its users.
    pub accounts: &'a dyn AccountStore,
    /// The ways to phones.
    pub push: &'a dyn PushSide,
}

/// What was found, and the monitors that there are; none where the database does not tell them.
#[derive(Debug)]
pub struct Seen {
    /// About the database.
    pub database: Vec<Finding>,
    /// About the providers.
    pub push: Vec<Finding>,
    /// The monitors of this server.
    pub monitors: MonitorSet,
}

/// Asks database and providers, side by side.
pub async fn look(config: &Config, outside: Outside<'_>) -> Seen {
    let ((database, monitors), push) =
        tokio::join!(ask_database(config, &outside), ask_providers(config, outside.push));
    Seen { database, push, monitors }
}

async fn ask_database(config: &Config, outside: &Outside<'_>) -> (Vec<Finding>, MonitorSet) {
    let began = Instant::now();
    let examined = outside.zoneminder.examine().await;
    let mut monitors = MonitorSet::default();
    let refreshed = match &examined {
        Ok(_) => {
            let (loaded, users) = tokio::join!(outside.monitors.load(), outside.accounts.all());
            Some(loaded.and_then(|loaded| {
                monitors = loaded.monitors;
                let (monitors, users) = (monitors.len() as u64, users?.len() as u64);
                Ok(Reloaded { monitors, added: monitors, removed: 0, users })
            }))
        }
        Err(_) => None,
    };
    let look = database::Look { examined, refreshed, took: took("db", began) };
    (look.judge(config, &DbHealth::Up, false), monitors)
}

async fn ask_providers(config: &Config, side: &dyn PushSide) -> Vec<Finding> {
    if !config.push.enabled {
        return vec![Finding::good(push::STEP, "push.enabled is false")];
    }
    match timeout(PROVIDERS, side.check(None)).await {
        Ok(checks) if checks.is_empty() => {
            vec![Finding::good(push::STEP, "no way to phones is configured")]
        }
        Ok(checks) => checks.iter().map(push::way).collect(),
        Err(_) => {
            let detail = format!("the providers did not answer within {} s", PROVIDERS.as_secs());
            vec![Finding::warning(push::STEP, detail, "zmesctl push check shows each step, once zmesd runs")]
        }
    }
}
