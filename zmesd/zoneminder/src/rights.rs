//! Which monitors a user may see.

use std::collections::BTreeSet;
use std::sync::Arc;

use zmes_shared::MonitorId;

/// The monitors whose events a user may see, already computed from all of ZoneMinder's permission tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MonitorRights {
    /// All, also those that are added later.
    All,
    /// Only these; an empty set means none.
    Only(Arc<BTreeSet<MonitorId>>),
    /// All but these, also those that are added later.
    Except(Arc<BTreeSet<MonitorId>>),
}

impl MonitorRights {
    /// Returns the rights of a user who may see no monitor.
    pub fn none() -> Self {
        Self::Only(Arc::default())
    }

    /// Says whether this monitor's events may be seen.
    pub fn allow(&self, monitor: MonitorId) -> bool {
        match self {
            Self::All => true,
            Self::Only(monitors) => monitors.contains(&monitor),
            Self::Except(monitors) => !monitors.contains(&monitor),
        }
    }
}
