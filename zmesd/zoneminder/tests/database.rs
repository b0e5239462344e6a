//! `ZmDb` against a real MariaDB with the tables of four generations of ZoneMinder.

#[cfg(test)]
#[path = "support/mariadb.rs"]
mod mariadb;

#[cfg(test)]
#[path = "database/content.rs"]
mod database_content;

#[cfg(test)]
#[path = "database/outages.rs"]
mod database_outages;

#[cfg(test)]
#[path = "database/pictures.rs"]
mod database_pictures;

/// The tables, by version.
#[cfg(test)]
mod fixtures {
    pub(crate) const V1_28: &str = include_str!("../../../tests/fixtures/zm/1.28.sql");
    pub(crate) const V1_34: &str = include_str!("../../../tests/fixtures/zm/1.34.sql");
    pub(crate) const V1_36: &str = include_str!("../../../tests/fixtures/zm/1.36.sql");
    pub(crate) const V1_38: &str = include_str!("../../../tests/fixtures/zm/1.38.sql");
}
