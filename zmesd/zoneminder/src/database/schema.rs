//! Which tables and columns this ZoneMinder has, as far as the account may see them.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlConnection};

use super::cells::{Cells, Odd};
use super::explain::{Answer, Fault};

/// The tables that are probed.
const PROBE: &str = "SELECT table_name AS `TableName`, column_name AS `ColumnName` FROM information_schema.columns \
     WHERE table_schema = DATABASE() AND table_name IN ('Config', 'Servers', 'Monitors', 'Events', 'Frames', 'Users', 'Groups', \
     'Groups_Monitors', 'Groups_Permissions', 'Monitors_Permissions', 'User_Roles', 'Role_Groups_Permissions', \
     'Role_Monitors_Permissions', 'Monitor_Status', 'Storage', 'Tags', 'Events_Tags')";

/// Tables and their columns, in lower case: servers on case-insensitive file systems return them so.
#[derive(Debug, Default)]
pub(super) struct Schema {
    tables: BTreeMap<String, BTreeSet<String>>,
}

/// A connection in use, and the tables that are there.
#[derive(Debug)]
pub(super) struct Session<'c> {
    pub(super) connection: &'c mut MySqlConnection,
    pub(super) schema: &'c Schema,
}

impl Session<'_> {
    /// Runs a statement without values.
    pub(super) async fn rows(&mut self, sql: String) -> Answer<Vec<MySqlRow>> {
        Ok(sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut *self.connection).await?)
    }
}

impl Schema {
    pub(super) async fn probe(connection: &mut MySqlConnection) -> Answer<Self> {
        let mut schema = Self::default();
        for row in sqlx::query(PROBE).fetch_all(connection).await? {
            let cells = Cells(&row);
            let table = cells.text("TableName")?.ok_or(Odd("table_name"))?.to_lowercase();
            let column = cells.text("ColumnName")?.ok_or(Odd("column_name"))?.to_lowercase();
            schema.tables.entry(table).or_default().insert(column);
        }
        Ok(schema)
    }

    pub(super) fn has(&self, table: &str, column: &str) -> bool {
        let columns = self.tables.get(&table.to_lowercase());
        columns.is_some_and(|columns| columns.contains(&column.to_lowercase()))
    }

    /// Fails if a column is missing without which the answer would be wrong.
    pub(super) fn require(&self, table: &str, columns: &[&str]) -> Answer<()> {
        if !self.tables.contains_key(&table.to_lowercase()) {
            return Err(Fault::Missing(format!("table `{table}`")));
        }
        match columns.iter().find(|column| !self.has(table, column)) {
            Some(column) => Err(Fault::Missing(format!("column `{table}`.`{column}`"))),
            None => Ok(()),
        }
    }

    /// Returns the list for a SELECT: existing columns, and NULL under the name of each missing one.
    pub(super) fn list(&self, table: &str, columns: &[&'static str]) -> String {
        let list = columns.iter().map(|column| {
            if self.has(table, column) { format!("`{column}`") } else { format!("NULL AS `{column}`") }
        });
        list.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        let columns = ["id", "name"].map(str::to_owned).into_iter().collect();
        Schema { tables: BTreeMap::from([("monitors".to_owned(), columns)]) }
    }

    #[test]
    fn a_column_that_is_not_there_reads_as_null() {
        assert_eq!(schema().list("Monitors", &["Id", "Deleted"]), "`Id`, NULL AS `Deleted`");
    }

    #[test]
    fn what_cannot_be_done_without_is_named() {
        let missing = |table, column| match schema().require(table, &[column]) {
            Err(Fault::Missing(what)) => what,
            other => panic!("{other:?}"),
        };
        assert!(schema().require("Monitors", &["Id", "Name"]).is_ok());
        assert_eq!(missing("Monitors", "Function"), "column `Monitors`.`Function`");
        assert_eq!(missing("Users", "Id"), "table `Users`");
    }
}
