//! The permission tables of 1.37 and later. A row that cannot be read fails the query: without a denial a user would see
//! too much.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use zmes_shared::MonitorId;

use super::cells::Cells;
use super::explain::Answer;
use super::rights::{Grants, Groups, Permission, resolve};
use super::schema::Session;
use crate::MonitorRights;

/// `Users.Id` or `User_Roles.Id`.
type OwnerId = u32;

#[derive(Debug, Default)]
struct Role {
    events: bool,
    monitors: bool,
    grants: Grants,
}

/// The general rights of a user, as the row in `Users` has them.
#[derive(Debug, Clone, Copy)]
pub(super) struct General {
    /// `Users.Id`
    pub(super) user: OwnerId,
    /// `Users.RoleId`
    pub(super) role: Option<OwnerId>,
    /// `Users.Events` is View or more.
    pub(super) events: bool,
    /// `Users.Monitors` is View or more.
    pub(super) monitors: bool,
}

/// All permissions, or those of one user.
#[derive(Debug, Default)]
pub(super) struct Permissions {
    users: BTreeMap<OwnerId, Grants>,
    roles: BTreeMap<OwnerId, Role>,
    groups: Groups,
}

impl Permissions {
    /// Reads the tables; of the users' own permissions only those of `user`, if one is given.
    pub(super) async fn load(session: &mut Session<'_>, user: Option<OwnerId>) -> Answer<Self> {
        // Both replaced MonitorIds. If they are hidden from the account, so are denials.
        let users = grants(session, "", "UserId", user).await?;
        let mut all = Self { users, ..Self::default() };
        session.schema.require("Groups", &["Id", "ParentId"])?;
        for row in session.rows("SELECT `Id`, `ParentId` FROM `Groups`".to_owned()).await? {
            let cells = Cells(&row);
            let parent = cells.integer("ParentId")?.and_then(|parent| parent.try_into().ok());
            all.groups.add(cells.id("Id")?, parent);
        }
        session.schema.require("Groups_Monitors", &["GroupId", "MonitorId"])?;
        for row in session.rows("SELECT `GroupId`, `MonitorId` FROM `Groups_Monitors`".to_owned()).await? {
            let cells = Cells(&row);
            all.groups.add_member(cells.id("GroupId")?, MonitorId(cells.id("MonitorId")?));
        }
        if session.schema.has("Users", "RoleId") {
            all.load_roles(session).await?;
        }
        Ok(all)
    }

    async fn load_roles(&mut self, session: &mut Session<'_>) -> Answer<()> {
        session.schema.require("User_Roles", &["Id", "Events", "Monitors"])?;
        for row in session.rows("SELECT `Id`, `Events`, `Monitors` FROM `User_Roles`".to_owned()).await? {
            let cells = Cells(&row);
            let may = |column| Answer::Ok(allows(cells.text(column)?.as_deref()));
            let role = Role { events: may("Events")?, monitors: may("Monitors")?, grants: Grants::default() };
            self.roles.insert(cells.id("Id")?, role);
        }
        for (role, grants) in grants(session, "Role_", "RoleId", None).await? {
            self.roles.entry(role).or_default().grants = grants;
        }
        Ok(())
    }

    /// Says whether the user may see events, and which monitors. A role fills in where the user's own right is None.
    pub(super) fn of(&self, general: General) -> (bool, MonitorRights) {
        let role = general.role.and_then(|role| self.roles.get(&role));
        let events = general.events || role.is_some_and(|role| role.events);
        let monitors = general.monitors || role.is_some_and(|role| role.monitors);
        let own = self.users.get(&general.user);
        let chain: Vec<&Grants> = own.into_iter().chain(role.map(|role| &role.grants)).collect();
        (events, resolve(&chain, &self.groups, monitors))
    }
}

/// Says whether a general right (`None`, `View`, `Edit`, `Create`) is at least View.
pub(super) fn allows(word: Option<&str>) -> bool {
    Permission::parse(word.unwrap_or_default()) == Permission::Allowed
}

/// Reads the permissions that users or roles have for monitors and for groups: all, or those `of` one.
async fn grants(
    session: &mut Session<'_>,
    prefix: &str,
    owner: &'static str,
    of: Option<OwnerId>,
) -> Answer<BTreeMap<OwnerId, Grants>> {
    let mut all: BTreeMap<OwnerId, Grants> = BTreeMap::new();
    for (table, thing) in [("Monitors_Permissions", "MonitorId"), ("Groups_Permissions", "GroupId")] {
        let table = format!("{prefix}{table}");
        session.schema.require(&table, &[owner, thing, "Permission"])?;
        let filter = if of.is_some() { format!(" WHERE `{owner}` = ?") } else { String::new() };
        let sql = format!("SELECT `{owner}`, `{thing}`, `Permission` FROM `{table}`{filter}");
        let mut query = sqlx::query(AssertSqlSafe(sql));
        if let Some(of) = of {
            query = query.bind(of);
        }
        for row in query.fetch_all(&mut *session.connection).await? {
            let cells = Cells(&row);
            let permission = Permission::parse(&cells.text("Permission")?.unwrap_or_default());
            let grants = all.entry(cells.id(owner)?).or_default();
            match thing {
                "MonitorId" => grants.add_monitor(MonitorId(cells.id(thing)?), permission),
                _ => grants.add_group(cells.id(thing)?, permission),
            }
        }
    }
    Ok(all)
}
