//! Which monitors a user may see, computed from ZoneMinder's permissions. Pure.
//!
//! Up to 1.36 `Users.MonitorIds` restricts a user to a list. From 1.37 on three questions are asked in turn, first of
//! the user's own permissions and then (1.38) of those of the user's role: is there one for the monitor itself? Is
//! there one for a group that holds it, where a single denial outweighs any leave? If none of them says anything, the
//! general right to see monitors decides. ZoneMinder's web pages and its C++ programs differ where a monitor is in
//! several groups; this is the stricter reading, that of the web pages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zmes_shared::MonitorId;

use crate::MonitorRights;

/// `Groups.Id`.
pub(super) type GroupId = u32;

/// What a permission says about a monitor or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permission {
    /// Nothing: others decide.
    Inherit,
    /// No.
    Denied,
    /// `View` or more.
    Allowed,
}

impl Permission {
    /// Reads a value of a permission column; an unknown word allows nothing.
    pub(super) fn parse(word: &str) -> Self {
        match word {
            "Inherit" => Self::Inherit,
            "View" | "Edit" | "Create" => Self::Allowed,
            _ => Self::Denied,
        }
    }

    /// Returns the stricter of two statements about the same thing.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Denied, _) | (_, Self::Denied) => Self::Denied,
            (Self::Allowed, _) | (_, Self::Allowed) => Self::Allowed,
            (Self::Inherit, Self::Inherit) => Self::Inherit,
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Grants {
    monitors: BTreeMap<MonitorId, Permission>,
    groups: BTreeMap<GroupId, Permission>,
}

impl Grants {
    pub(super) fn add_monitor(&mut self, monitor: MonitorId, permission: Permission) {
        let known = self.monitors.entry(monitor).or_insert(Permission::Inherit);
        *known = known.and(permission);
    }

    pub(super) fn add_group(&mut self, group: GroupId, permission: Permission) {
        let known = self.groups.entry(group).or_insert(Permission::Inherit);
        *known = known.and(permission);
    }

    /// Returns the permissions of single monitors, their own and those of their groups.
    fn by_monitor(&self, groups: &Groups) -> BTreeMap<MonitorId, Permission> {
        let mut monitors = BTreeMap::new();
        for (group, permission) in &self.groups {
            for monitor in groups.monitors_under(*group) {
                let known = monitors.entry(monitor).or_insert(Permission::Inherit);
                *known = known.and(*permission);
            }
        }
        for (monitor, permission) in &self.monitors {
            if *permission != Permission::Inherit {
                monitors.insert(*monitor, *permission);
            }
        }
        monitors
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Groups {
    children: BTreeMap<GroupId, Vec<GroupId>>,
    members: BTreeMap<GroupId, Vec<MonitorId>>,
}

impl Groups {
    pub(super) fn add(&mut self, group: GroupId, parent: Option<GroupId>) {
        if let Some(parent) = parent {
            self.children.entry(parent).or_default().push(group);
        }
    }

    pub(super) fn add_member(&mut self, group: GroupId, monitor: MonitorId) {
        self.members.entry(group).or_default().push(monitor);
    }

    /// Returns the monitors of a group and of all groups below it. Parents may form a circle.
    fn monitors_under(&self, group: GroupId) -> BTreeSet<MonitorId> {
        let mut seen = BTreeSet::new();
        let mut waiting = vec![group];
        let mut monitors = BTreeSet::new();
        while let Some(group) = waiting.pop() {
            if seen.insert(group) {
                monitors.extend(self.members.get(&group).into_iter().flatten());
                waiting.extend(self.children.get(&group).into_iter().flatten());
            }
        }
        monitors
    }
}

/// Computes the rights from permission tables (1.37 and later).
///
/// `chain` holds the user's permissions and, if there is one, the role's, in that order; `general` is whether the user
/// may see monitors of which nobody says anything.
pub(super) fn resolve(chain: &[&Grants], groups: &Groups, general: bool) -> MonitorRights {
    let mut decided = BTreeMap::new();
    for grants in chain {
        for (monitor, permission) in grants.by_monitor(groups) {
            if permission != Permission::Inherit {
                decided.entry(monitor).or_insert(permission == Permission::Allowed);
            }
        }
    }
    let exceptions: BTreeSet<MonitorId> =
        decided.into_iter().filter(|(_, allowed)| *allowed != general).map(|(monitor, _)| monitor).collect();
    match (general, exceptions.is_empty()) {
        (true, true) => MonitorRights::All,
        (true, false) => MonitorRights::Except(Arc::new(exceptions)),
        (false, _) => MonitorRights::Only(Arc::new(exceptions)),
    }
}

/// Computes the rights from `Users.MonitorIds` (up to 1.36). Empty means all monitors; entries that are not numbers are
/// ignored.
pub(super) fn from_list(monitor_ids: Option<&str>) -> MonitorRights {
    let list = monitor_ids.unwrap_or_default();
    if list.trim().is_empty() {
        return MonitorRights::All;
    }
    MonitorRights::Only(Arc::new(list.split(',').filter_map(|entry| entry.parse().ok()).collect()))
}

#[cfg(test)]
mod tests;
