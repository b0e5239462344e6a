//! Where the database's settings come from, by file and line, for messages that say what to change.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::zm_conf::ZmConf;

/// The names in `zm.conf` for the database and for the server's row in it.
const NAMES: [&str; 10] = [
    "ZM_DB_HOST",
    "ZM_DB_NAME",
    "ZM_DB_USER",
    "ZM_DB_PASS",
    "ZM_DB_SSL_CA_CERT",
    "ZM_DB_SSL_CLIENT_CERT",
    "ZM_DB_SSL_CLIENT_KEY",
    "ZM_DB_SSL_VERIFY_SERVER_CERT",
    "ZM_SERVER_NAME",
    "ZM_SERVER_HOST",
];

/// A value's name, file and line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValuePlace {
    /// `ZM_DB_PASS`, `zoneminder.database-url`
    pub name: String,
    /// The file that says it last.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: Option<usize>,
}

impl fmt::Display for ValuePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.name, self.file.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// Where each setting of the database comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatabaseOrigin {
    /// `database-url`, which says all of it.
    url: Option<ValuePlace>,
    /// The `zm.conf` that was read.
    zm_conf: PathBuf,
    values: BTreeMap<&'static str, ValuePlace>,
}

impl DatabaseOrigin {
    pub(super) fn of_url(place: ValuePlace) -> Self {
        Self { url: Some(place), ..Self::default() }
    }

    pub(super) fn of_zm_conf(conf: &ZmConf) -> Self {
        let place = |name: &'static str| {
            let value = conf.value(name)?;
            let (file, line) = (value.file.clone(), Some(value.line));
            Some((name, ValuePlace { name: name.to_owned(), file, line }))
        };
        let values = NAMES.into_iter().filter_map(place).collect();
        Self { url: None, zm_conf: conf.path().to_owned(), values }
    }

    /// Says where a value of that name in `zm.conf` stands: `ZM_DB_PASS in /etc/zm/conf.d/02.conf:7`; for a database
    /// that comes from `database-url`, where that stands.
    pub fn of(&self, name: &'static str) -> String {
        match self.url.as_ref().or_else(|| self.values.get(name)) {
            Some(place) => place.to_string(),
            None if self.zm_conf.as_os_str().is_empty() => format!("{name} in zm.conf"),
            None => format!("{name} (not set) in {}", self.zm_conf.display()),
        }
    }

    /// Says where the name stands under which this server is looked up in table `Servers`.
    pub fn of_server(&self) -> String {
        let place = ["ZM_SERVER_NAME", "ZM_SERVER_HOST"].iter().find_map(|name| self.values.get(name));
        place.map_or_else(|| "ZM_SERVER_NAME or ZM_SERVER_HOST in zm.conf".to_owned(), ToString::to_string)
    }

    /// Returns where the database's address stands, if anywhere.
    pub fn address(&self) -> Option<&ValuePlace> {
        self.url.as_ref().or_else(|| self.values.get("ZM_DB_HOST"))
    }

    /// Says whether `database-url` leads to the database.
    pub fn is_url(&self) -> bool {
        self.url.is_some()
    }

    /// Returns the file that a new value goes into.
    pub fn file(&self) -> String {
        let file = self.address().map_or(&self.zm_conf, |place| &place.file);
        if file.as_os_str().is_empty() { "zm.conf".to_owned() } else { file.display().to_string() }
    }
}
