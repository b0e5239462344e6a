//! Database and providers if no daemon runs, judged by the same rules as in `doctor`.

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

#[derive(Debug)]
pub struct OutsideParts<'a> {
    pub zoneminder: &'a dyn DatabaseCheck,
    pub monitors: &'a dyn MonitorStore,
    pub accounts: &'a dyn AccountStore,
    pub push: &'a dyn PushSide,
}

/// The findings, and this server's monitors; none if the database did not answer.
#[derive(Debug)]
pub struct OutsideFindings {
    pub database: Vec<Finding>,
    pub push: Vec<Finding>,
    pub monitors: MonitorSet,
}

pub async fn look(config: &Config, outside: OutsideParts<'_>) -> OutsideFindings {
    let ((database, monitors), push) =
        tokio::join!(ask_database(config, &outside), ask_providers(config, outside.push));
    OutsideFindings { database, push, monitors }
}

async fn ask_database(config: &Config, outside: &OutsideParts<'_>) -> (Vec<Finding>, MonitorSet) {
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
    let look = database::DatabaseProbe { examined, refreshed, took: took("db", began) };
    (look.judge(config, &DbHealth::Up, false), monitors)
}

async fn ask_providers(config: &Config, side: &dyn PushSide) -> Vec<Finding> {
    if !config.push.enabled {
        return vec![Finding::good(push::STEP, "push.enabled is false")];
    }
    match timeout(PROVIDERS, side.check(None)).await {
        Ok(checks) if checks.is_empty() => {
            vec![Finding::good(push::STEP, "no push transport is configured")]
        }
        Ok(checks) => checks.iter().map(push::way).collect(),
        Err(_) => {
            let detail = format!("the providers did not answer within {} s", PROVIDERS.as_secs());
            vec![Finding::warning(push::STEP, detail, "zmesctl push check shows each step, once zmesd runs")]
        }
    }
}
