//! The permission tables of 1.37 and later. A row that cannot be read here ends the question: leaving out a denial
//! would show somebody what is not theirs to see.

use std::collections::BTreeMap;

use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlConnection};
use zmes_shared::MonitorId;

use super::cells::Cells;
use super::explain::Fault;
use super::rights::{Grants, Groups, Permission, resolve};
use super::schema::Schema;
use crate::MonitorRights;

/// `Users.Id` or `User_Roles.Id`.
type OwnerId = u32;

/// A role: what it lends to its users.
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
    pub(super) async fn load(
        connection: &mut MySqlConnection,
        schema: &Schema,
        user: Option<OwnerId>,
    ) -> Result<Self, Fault> {
        // Both came in when MonitorIds went. If they are hidden, so are denials.
        schema.require("Monitors_Permissions", &["UserId", "MonitorId", "Permission"])?;
        schema.require("Groups_Permissions", &["UserId", "GroupId", "Permission"])?;
        schema.require("Groups", &["Id", "ParentId"])?;
        schema.require("Groups_Monitors", &["GroupId", "MonitorId"])?;
        let mut all = Self::default();
        for row in rows(connection, "SELECT `Id`, `ParentId` FROM `Groups`".to_owned(), None).await? {
            let cells = Cells(&row);
            let parent = cells.integer("ParentId")?.and_then(|parent| parent.try_into().ok());
            all.groups.add(cells.id("Id")?, parent);
        }
        for row in
            rows(connection, "SELECT `GroupId`, `MonitorId` FROM `Groups_Monitors`".to_owned(), None).await?
        {
            let cells = Cells(&row);
            all.groups.add_member(cells.id("GroupId")?, MonitorId(cells.id("MonitorId")?));
        }
        for row in
            rows(connection, statement("UserId", "MonitorId", "Monitors_Permissions", user), user).await?
        {
            let (owner, monitor, permission) = permission(&row, "UserId", "MonitorId")?;
            all.users.entry(owner).or_default().add_monitor(MonitorId(monitor), permission);
        }
        for row in rows(connection, statement("UserId", "GroupId", "Groups_Permissions", user), user).await? {
            let (owner, group, permission) = permission(&row, "UserId", "GroupId")?;
            all.users.entry(owner).or_default().add_group(group, permission);
        }
        if schema.has("Users", "RoleId") {
            all.load_roles(connection, schema).await?;
        }
        Ok(all)
    }

    /// Reads the roles of 1.38.
    async fn load_roles(&mut self, connection: &mut MySqlConnection, schema: &Schema) -> Result<(), Fault> {
        schema.require("User_Roles", &["Id", "Events", "Monitors"])?;
        schema.require("Role_Monitors_Permissions", &["RoleId", "MonitorId", "Permission"])?;
        schema.require("Role_Groups_Permissions", &["RoleId", "GroupId", "Permission"])?;
        for row in
            rows(connection, "SELECT `Id`, `Events`, `Monitors` FROM `User_Roles`".to_owned(), None).await?
        {
            let cells = Cells(&row);
            let may = |column| Ok::<_, Fault>(allows(cells.text(column)?.as_deref()));
            let role = Role { events: may("Events")?, monitors: may("Monitors")?, grants: Grants::default() };
            self.roles.insert(cells.id("Id")?, role);
        }
        let monitors = statement("RoleId", "MonitorId", "Role_Monitors_Permissions", None);
        for row in rows(connection, monitors, None).await? {
            let (owner, monitor, permission) = permission(&row, "RoleId", "MonitorId")?;
            self.roles.entry(owner).or_default().grants.add_monitor(MonitorId(monitor), permission);
        }
        let groups = statement("RoleId", "GroupId", "Role_Groups_Permissions", None);
        for row in rows(connection, groups, None).await? {
            let (owner, group, permission) = permission(&row, "RoleId", "GroupId")?;
            self.roles.entry(owner).or_default().grants.add_group(group, permission);
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

fn statement(owner: &str, thing: &str, table: &str, of: Option<OwnerId>) -> String {
    let filter = if of.is_some() { format!(" WHERE `{owner}` = ?") } else { String::new() };
    format!("SELECT `{owner}`, `{thing}`, `Permission` FROM `{table}`{filter}")
}

async fn rows(
    connection: &mut MySqlConnection,
    sql: String,
    owner: Option<OwnerId>,
) -> Result<Vec<MySqlRow>, Fault> {
    let mut query = sqlx::query(AssertSqlSafe(sql));
    if let Some(owner) = owner {
        query = query.bind(owner);
    }
    Ok(query.fetch_all(connection).await?)
}

fn permission(
    row: &MySqlRow,
    owner: &'static str,
    thing: &'static str,
) -> Result<(OwnerId, u32, Permission), Fault> {
    let cells = Cells(row);
    let word = cells.text("Permission")?.unwrap_or_default();
    Ok((cells.id(owner)?, cells.id(thing)?, Permission::parse(&word)))
}
