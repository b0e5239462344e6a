//! The rows of `Users`, with computed rights.

use sqlx::AssertSqlSafe;
use sqlx::mysql::MySqlRow;

use super::cells::{Cells, Odd, readable};
use super::explain::Answer;
use super::permissions::{General, Permissions, allows};
use super::rights;
use super::schema::{Schema, Session};
use crate::{MonitorRights, User};

const COLUMNS: [&str; 11] = [
    "Id",
    "Username",
    "Password",
    "Enabled",
    "Events",
    "Monitors",
    "MonitorIds",
    "APIEnabled",
    "TokenMinExpiry",
    "RoleId",
    "System",
];

/// Columns that every ZoneMinder has; without one of them no rights can be computed.
const REQUIRED: [&str; 6] = ["Id", "Username", "Password", "Enabled", "Events", "Monitors"];

/// Maximum number of users whose names differ only in case; exact names are unique.
const MAX_NAMESAKES: u32 = 16;

/// Never a `Users.Id`: the column counts from 1.
const NOBODY: u32 = 0;

#[derive(Debug)]
struct Row {
    /// Without its rights.
    user: User,
    general: General,
    monitor_ids: Option<String>,
}

/// Returns the user of that name, ignoring case if ZoneMinder does.
pub(super) async fn find(session: &mut Session<'_>, name: &str, enforce: bool) -> Answer<Option<User>> {
    let schema = session.schema;
    schema.require("Users", &REQUIRED)?;
    schema.require("Config", &["Name", "Value"])?;
    // The server compares loosely (case, accents and trailing blanks, as the column's collation has it) and never
    // stumbles over a character that the column cannot hold; which of the few rows it is, is decided below.
    let sql = format!(
        "SELECT {}, (SELECT `Value` FROM `Config` WHERE `Name` = 'ZM_CASE_INSENSITIVE_USERNAMES') AS `AnyCase` \
         FROM `Users` WHERE LOWER(CONVERT(`Username` USING utf8mb4)) = LOWER(?) ORDER BY `Id` LIMIT {MAX_NAMESAKES}",
        schema.list("Users", &COLUMNS)
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(name).fetch_all(&mut *session.connection).await?;
    let any_case = match rows.first() {
        Some(row) => Cells(row).text("AnyCase")?.is_some_and(|value| value == "1"),
        None => false,
    };
    let namesakes = read(schema, &rows);
    let exact = namesakes.iter().position(|row| row.user.name == name);
    let same = |row: &Row| any_case && row.user.name.to_lowercase() == name.to_lowercase();
    let loose = || namesakes.iter().position(same);
    let Some(row) = exact.or_else(loose).and_then(|at| namesakes.into_iter().nth(at)) else {
        // The same queries as for an existing user: the response time must not reveal which names exist.
        permissions(session, Some(NOBODY)).await?;
        return Ok(None);
    };
    let permissions = permissions(session, Some(row.general.user)).await?;
    Ok(Some(user(row, permissions.as_ref(), enforce)))
}

pub(super) async fn all(session: &mut Session<'_>, enforce: bool) -> Answer<Vec<User>> {
    let schema = session.schema;
    schema.require("Users", &REQUIRED)?;
    let sql = format!("SELECT {} FROM `Users` ORDER BY `Id`", schema.list("Users", &COLUMNS));
    let rows = session.rows(sql).await?;
    let permissions = permissions(session, None).await?;
    Ok(read(schema, &rows).into_iter().map(|row| user(row, permissions.as_ref(), enforce)).collect())
}

/// Reads the permission tables, if there are any; up to 1.36 `MonitorIds` is all there is.
async fn permissions(session: &mut Session<'_>, user: Option<u32>) -> Answer<Option<Permissions>> {
    if session.schema.has("Users", "MonitorIds") {
        return Ok(None);
    }
    Permissions::load(session, user).await.map(Some)
}

fn read(schema: &Schema, rows: &[MySqlRow]) -> Vec<Row> {
    let has_api = schema.has("Users", "APIEnabled");
    readable("Users", rows, |cells| {
        let general = General {
            user: cells.id("Id")?,
            role: cells.integer("RoleId")?.map(u32::try_from).transpose().map_err(|_| Odd("RoleId"))?,
            events: allows(cells.text("Events")?.as_deref()),
            monitors: allows(cells.text("Monitors")?.as_deref()),
        };
        let expiry = cells.integer("TokenMinExpiry")?.unwrap_or_default();
        let user = User {
            name: cells.text("Username")?.ok_or(Odd("Username"))?,
            password: cells.text("Password")?.unwrap_or_default().into(),
            enabled: cells.flag("Enabled")?,
            // Debian's ZoneMinder 1.36 is installed with an admin whose APIEnabled is 0. Admins can switch it on for
            // themselves, so refusing them would protect nothing.
            api_enabled: !has_api
                || cells.flag("APIEnabled")?
                || cells.text("System")?.as_deref() == Some("Edit"),
            may_see_events: general.events,
            token_min_expiry: i64::try_from(expiry).unwrap_or(i64::MAX),
            rights: MonitorRights::none(),
        };
        Ok(Row { user, general, monitor_ids: cells.text("MonitorIds")? })
    })
}

fn user(row: Row, permissions: Option<&Permissions>, enforce: bool) -> User {
    let (may_see_events, rights) = match permissions {
        Some(permissions) => permissions.of(row.general),
        None => (row.general.events, rights::from_list(row.monitor_ids.as_deref())),
    };
    User { may_see_events, rights: if enforce { rights } else { MonitorRights::All }, ..row.user }
}
